import type { Clock } from '../../base/clock.ts'
import { FleetstepError } from '../../base/errors.ts'
import { DISK_RETRY_MS } from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import { equalValues, type Value } from '../../state/value.ts'
import type { StateAccess } from '../state-access.ts'

/** Puts what drivers tell into the state. What the disk has no room for waits, the newest of each point, and is tried again. */
export class StateReports {
  readonly #state: Pick<StateAccess, 'get' | 'report'>
  readonly #clock: Clock
  readonly #logger: Logger
  /** At most one for each reading and each health of the profile. */
  readonly #waiting = new Map<string, Value>()
  /** What the state does not say, though it was told. */
  readonly #untold = new Set<string>()
  #cancelRetry: (() => void) | null = null

  constructor(state: Pick<StateAccess, 'get' | 'report'>, clock: Clock, logger: Logger) {
    this.#state = state
    this.#clock = clock
    this.#logger = logger
  }

  /** A value that is in the state already, as after a start, costs nothing. */
  report(path: string, value: Value): void {
    this.#waiting.delete(path)
    this.#untold.delete(path)
    if (equalValues(this.#state.get(path), value)) return
    try {
      this.#state.report(path, value)
    } catch (error) {
      if (!(error instanceof FleetstepError)) throw error
      this.#logger.debug(`${path} was not taken: ${error.message}`)
      this.#untold.add(path)
      if (error.code === 'disk-full' || error.code === 'limit-reached') this.#waiting.set(path, value)
      this.#retryLater()
    }
  }

  /** Whether the state has what was told last, and not an older value. */
  isTold(path: string): boolean {
    return !this.#untold.has(path)
  }

  stop(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = null
    this.#waiting.clear()
  }

  #retryLater(): void {
    if (this.#waiting.size === 0) return
    this.#cancelRetry ??= this.#clock.schedule(this.#clock.now() + DISK_RETRY_MS, () => {
      this.#cancelRetry = null
      const waiting = [...this.#waiting]
      for (const [path, value] of waiting) this.report(path, value)
    })
  }
}
