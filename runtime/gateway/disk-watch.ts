import type { Clock } from '../base/clock.ts'
import { FleetstepError } from '../base/errors.ts'
import { DISK_CHECK_MS, DISK_RETRY_MS } from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import type { SpaceLevel, Store } from '../storage/store.ts'

/** Looks at the room on the disk now and then, warns people, and says when local changes have to be refused. */
export class DiskWatch {
  readonly #store: Store
  readonly #clock: Clock
  readonly #logger: Logger
  #level: SpaceLevel = 'enough'
  #refusal: FleetstepError | null = null
  #cancel: (() => void) | null = null

  constructor(store: Store, clock: Clock, logger: Logger) {
    this.#store = store
    this.#clock = clock
    this.#logger = logger
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
      await this.#store.checkSpace()
    } catch (error) {
      // Whether it can be written is what the next commit shows.
      this.#logger.warn(`storage: ${String(error)}`)
    }
    if (this.#cancel !== null) this.#note()
  }
}
