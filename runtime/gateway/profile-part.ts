import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { LoadedProfile } from '../device/profiles/document.ts'
import { type ProfileFile, readProfileFile } from '../device/profiles/load.ts'
import { type Enforcement, enforceProfile, standingEnforcement } from './fleet-profiles.ts'
import type { Gateway } from './gateway.ts'
import { differencesToJson, type JsonDifference } from './profile-json.ts'
import { misfitsOf, type ProfileMisfit } from './profile-misfits.ts'
import { ProfileKeeper, type ProfileReport } from './profile-keeper.ts'
import { shippedProfile } from './shipped-profiles.ts'
import { systemClock } from './system-clock.ts'
import { assertTier, type TierBinding } from './tier.ts'
import { pollFile } from './watch-file.ts'

/** The profile of the gateway's device as people see it. */
export interface ProfileStatus extends Omit<ProfileReport, 'text'> {
  readonly fleet: Enforcement
}

/** What came of `fleetstep profile apply`. */
export interface AppliedProfile extends ProfileStatus {
  /** Empty: it was in force already. */
  readonly differences: readonly JsonDifference[]
  /** Values from before that it does not allow. */
  readonly misfits: readonly ProfileMisfit[]
}

/** @param binding what admits its gateway, beyond whose tier none is accepted @throws FleetstepError `profile-invalid` */
export function keepProfile(name: string, binding: TierBinding, logger: Logger): ProfileKeeper {
  const read = (file: string): ProfileFile => {
    const found = readProfileFile(file)
    if (found.reading.kind === 'accepted') assertTier(binding, found.reading.profile.profile, file)
    return found
  }
  return new ProfileKeeper({ file: shippedProfile(name), read, watch: pollFile, clock: systemClock, logger })
}

/** Brings the profile of the gateway's device from its file into the gateway and the state of the fleet, whenever it changes. */
export class ProfilePart {
  readonly #gateway: Gateway
  readonly #keeper: ProfileKeeper
  readonly #clock: Clock
  readonly #logger: Logger
  /** What came of the last attempt. */
  #fleet: Enforcement
  readonly #stopObserving: () => void
  #cancel: () => void = () => undefined

  constructor(gateway: Gateway, keeper: ProfileKeeper, clock: Clock, logger: Logger) {
    this.#gateway = gateway
    this.#keeper = keeper
    this.#clock = clock
    this.#logger = logger
    this.#fleet = this.#enforce(keeper.current)
    this.#stopObserving = gateway.observe((output) => {
      if (output.kind === 'rules' && output.device === gateway.device) this.#noteRules()
      // What a draft may not do, an operator may.
      if (output.kind === 'standing' && output.draftReason === null) this.#tryAgainSoon()
    })
    keeper.observe((profile) => {
      gateway.useProfile(profile.profile)
      this.#fleet = this.#enforce(profile)
    })
  }

  /** Looks after the file from now on. */
  watch(): void {
    this.#keeper.watch()
  }

  stop(): void {
    this.#keeper.stop()
    this.#stopObserving()
    this.#cancel()
  }

  /** Calls back with each profile that takes the place of the one before, once the gateway and the state have it. */
  observe(observer: (profile: LoadedProfile) => void): () => void {
    return this.#keeper.observe(observer)
  }

  /** With the text that is in force. */
  report(): ProfileReport {
    return this.#keeper.report()
  }

  status(): ProfileStatus {
    const { text: _text, ...report } = this.#keeper.report()
    return { ...report, fleet: this.#enforcement() }
  }

  /** Reads the file now, and tries again what the fleet refused. @throws FleetstepError `profile-invalid` */
  apply(): AppliedProfile {
    const { differences } = this.#keeper.reload()
    if (differences.length === 0) this.#fleet = this.#enforce(this.#keeper.current)
    const status = this.status()
    const misfits = status.fleet.kind === 'in-state' ? misfitsOf(this.#gateway) : []
    return { ...status, differences: differencesToJson(differences), misfits }
  }

  /** What stands now; where nothing does, why. */
  #enforcement(): Enforcement {
    const standing = standingEnforcement(this.#gateway, this.#keeper.current)
    if (standing !== null) return standing
    return this.#fleet.kind === 'refused' ? this.#fleet : { kind: 'refused', reason: REPLACED }
  }

  #noteRules(): void {
    const standing = standingEnforcement(this.#gateway, this.#keeper.current)
    if (standing === null && this.#fleet.kind === 'in-state') this.#logger.warn(`profile: ${REPLACED}`)
    // An operator has put it in force: what was offered can go.
    if (standing !== null && this.#fleet.kind === 'refused') this.#tryAgainSoon()
  }

  /** Whoever is told of an output changes nothing while it is given out. */
  #tryAgainSoon(): void {
    this.#cancel()
    this.#cancel = this.#clock.schedule(this.#clock.now(), () => this.#tryAgain())
  }

  #tryAgain(): void {
    if (this.#fleet.kind === 'refused') this.#fleet = this.#enforce(this.#keeper.current)
  }

  #enforce(profile: LoadedProfile): Enforcement {
    const enforcement = enforceProfile(this.#gateway, profile)
    if (enforcement.kind === 'refused') {
      this.#logger.warn(`profile ${profile.profile.name} is checked by this gateway alone: ${enforcement.reason}`)
    }
    return enforcement
  }
}

const REPLACED =
  'another member has set another profile for this device: fleetstep profile apply sets the one of this gateway again'
