import type { Clock, Monotonic } from '../base/clock.ts'
import { CHANGE_AGES_MAX } from '../base/limits.ts'
import type { Change } from '../sync/output.ts'

/** When this gateway saw each point change, on the monotonic clock: a wrong wall clock does not matter. */
export class ChangeAges {
  readonly #clock: Clock
  /** The points that have changed last, and those that had before: half of all that are remembered fit each. */
  #seen = new Map<string, Monotonic>()
  #seenBefore = new Map<string, Monotonic>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note({ path, after, settled }: Change): void {
    if (settled) return
    if (after === undefined) {
      this.#seen.delete(path)
      this.#seenBefore.delete(path)
      return
    }
    this.#seen.set(path, this.#clock.now())
    if (this.#seen.size < CHANGE_AGES_MAX / 2) return
    this.#seenBefore = this.#seen
    this.#seen = new Map()
  }

  /** Null: not since the start. */
  of(path: string): number | null {
    const at = this.#seen.get(path) ?? this.#seenBefore.get(path)
    return at === undefined ? null : this.#clock.now() - at
  }
}
