import type { Clock, Monotonic } from '../base/clock.ts'
import { CHANGE_AGES_MAX } from '../base/limits.ts'
import type { Change } from '../sync/output.ts'

/** When this gateway saw each point change, on the monotonic clock: a wrong wall clock does not matter. */
export class ChangeAges {
  readonly #clock: Clock
  /** In the order of their changes, the latest last. */
  readonly #seen = new Map<string, Monotonic>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note({ path, after, settled }: Change): void {
    if (settled) return
    this.#seen.delete(path)
    if (after === undefined) return
    this.#seen.set(path, this.#clock.now())
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > CHANGE_AGES_MAX && oldest !== undefined) this.#seen.delete(oldest)
  }

  /** Null: not since the start. */
  of(path: string): number | null {
    const at = this.#seen.get(path)
    return at === undefined ? null : this.#clock.now() - at
  }
}
