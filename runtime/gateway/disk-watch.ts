import type { Clock } from '../base/clock.ts'
import { FleetstepError } from '../base/errors.ts'
import { DISK_CHECK_MS, DISK_RETRY_MS } from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import type { SpaceLevel, Store } from '../storage/store.ts'

/**
 * Looks now and then whether the store is in its place and how much room is left there, warns people, and says when local
 * changes have to be refused.
 */
export class DiskWatch {
  readonly #store: Store
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #onFailed: (error: unknown) => void
  #level: SpaceLevel = 'enough'
  #refusal: FleetstepError | null = null
  #cancel: (() => void) | null = null

  /** @param onFailed the store takes nothing more: its directory is gone, say */
  constructor(store: Store, clock: Clock, logger: Logger, onFailed: (error: unknown) => void) {
    this.#store = store
    this.#clock = clock
    this.#logger = logger
    this.#onFailed = onFailed
  }

  /** Why local changes are refused at present, or null: what is left is for others' changes and those taken already. */
  get refusal(): FleetstepError | null {
    return this.#refusal
  }

  /** The store is open. */
  start(): void {
    this.#note()
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #note(): void {
    const { space, directory, freeBytes, diskBytes } = this.#store.info()
    const figures = `${directory}: ${freeBytes} bytes are free on the disk and ${diskBytes} in use here`
    if (space !== this.#level) this.#announce(space, figures)
    this.#level = space
    const delayMs = space === 'refusing' ? DISK_RETRY_MS : DISK_CHECK_MS
    this.#cancel = this.#clock.schedule(this.#clock.now() + delayMs, () => void this.#check())
  }

  #announce(space: SpaceLevel, figures: string): void {
    this.#refusal = null
    switch (space) {
      case 'refusing':
        this.#refusal = new FleetstepError(
          'disk-full',
          `${figures}, so local changes are refused; free some space, it goes on by itself`,
        )
        this.#logger.error(this.#refusal.message)
        return
      case 'low':
        this.#logger.warn(`${figures}; with less, local changes will be refused: free some space`)
        return
      case 'enough':
        this.#logger.info(`${figures}: enough again`)
        return
    }
  }

  async #check(): Promise<void> {
    try {
      this.#store.checkPlace()
    } catch (error) {
      return this.#onFailed(error)
    }
    try {
      await this.#store.checkSpace()
    } catch (error) {
      // Whether it can be written is what the next commit shows.
      this.#logger.warn(`storage: ${String(error)}`)
    }
    if (this.#cancel !== null) this.#note()
  }
}
