import type { Clock } from '../base/clock.ts'
import type { Digest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import { PROFILE_SETTLE_MS } from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import { type ProfileDifference, profileDifferences } from '../device/profiles/difference.ts'
import type { LoadedProfile } from '../device/profiles/document.ts'
import { acceptedProfile, type ProfileFile } from '../device/profiles/load.ts'

/** Calls back, some time later, whenever the file may have changed. @returns a function that ends it */
export type WatchFile = (file: string, onChange: () => void) => () => void

export interface ProfileKeeperOptions {
  /** The file that the config names. */
  readonly file: string
  /** @throws FleetstepError `profile-invalid` */
  readonly read: (file: string) => ProfileFile
  readonly watch: WatchFile
  readonly clock: Clock
  readonly logger: Logger
}

/** What came of looking at the file again. */
export interface ProfileReplacement {
  readonly hash: Digest
  /** Empty: the file says what is in force already. */
  readonly differences: readonly ProfileDifference[]
}

/** The profile of this gateway's device. */
export interface ProfileReport {
  readonly file: string
  readonly name: string
  readonly hash: Digest
  /** As it stood in the file when it came into force. */
  readonly text: string
  /** Why the file as it is now is not in force, with line and column; null if it is. */
  readonly problem: string | null
}

/**
 * Holds the profile that is in force, and looks after its file: an edit that is valid is in force a moment later, and one that
 * is not is refused while the old one stays.
 */
export class ProfileKeeper {
  readonly #options: ProfileKeeperOptions
  readonly #observers = new Set<(profile: LoadedProfile) => void>()
  #file: ProfileFile
  #current: LoadedProfile
  #problem: string | null = null
  #stopWatch: () => void = () => undefined
  #cancel: () => void = () => undefined

  /** @throws FleetstepError `profile-invalid` */
  constructor(options: ProfileKeeperOptions) {
    this.#options = options
    this.#file = options.read(options.file)
    this.#current = acceptedProfile(this.#file)
    this.#warn()
  }

  get current(): LoadedProfile {
    return this.#current
  }

  /** Calls back with each profile that takes the place of the one before. @returns a function that ends it */
  observe(observer: (profile: LoadedProfile) => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  /** Looks after the file from now on. */
  watch(): void {
    const { watch, clock } = this.#options
    const noticeSoon = (): void => {
      this.#cancel()
      // An editor may still be writing.
      this.#cancel = clock.schedule(clock.now() + PROFILE_SETTLE_MS, () => this.#notice())
    }
    this.#stopWatch = watch(this.#file.file, noticeSoon)
    // The watch compares with what it finds at first, and a joining gateway may have read the file long before.
    noticeSoon()
  }

  stop(): void {
    this.#stopWatch()
    this.#cancel()
  }

  /**
   * Reads the file and puts it in force if it says something else than what is. Nothing changes if it is refused.
   * @throws FleetstepError `profile-invalid` with line and column
   */
  reload(): ProfileReplacement {
    const next = this.#read()
    const hasRecovered = this.#problem !== null
    this.#problem = null
    const profile = acceptedProfile(next)
    if (profile.hash === this.#current.hash) {
      // Only comments or layout differ.
      this.#file = next
      if (hasRecovered) this.#options.logger.info(`profile ${next.file}: it says again what is in force`)
      return { hash: profile.hash, differences: [] }
    }
    const differences = profileDifferences(this.#current.profile, profile.profile)
    this.#file = next
    this.#current = profile
    this.#options.logger.info(`profile ${next.file}: version ${profile.hash} is in force`, {
      changed: differences.map(({ what }) => what),
    })
    this.#warn()
    for (const observer of this.#observers) observer(profile)
    return { hash: profile.hash, differences }
  }

  report(): ProfileReport {
    const { file, text } = this.#file
    return { file, name: this.#current.profile.name, hash: this.#current.hash, text, problem: this.#problem }
  }

  #notice(): void {
    try {
      this.reload()
    } catch (error) {
      if (!(error instanceof FleetstepError)) throw error
    }
  }

  /** What is refused is remembered, and said once. */
  #read(): ProfileFile {
    try {
      const next = this.#options.read(this.#file.file)
      acceptedProfile(next)
      return next
    } catch (error) {
      if (!(error instanceof FleetstepError)) throw error
      if (error.message !== this.#problem) {
        this.#options.logger.error(`profile refused, version ${this.#current.hash} stays in force: ${error.message}`)
      }
      this.#problem = error.message
      throw error
    }
  }

  #warn(): void {
    const { file } = this.#file
    for (const { line, column, message } of this.#current.warnings) {
      this.#options.logger.warn(`profile ${file}:${line}:${column}: ${message}`)
    }
  }
}
