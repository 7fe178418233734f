import type { Clock, Monotonic } from '../base/clock.ts'
import { CHANGE_AGES_MAX } from '../base/limits.ts'
import type { Change } from '../sync/output.ts'

/** When this gateway saw each point change, on the monotonic clock: a wrong wall clock does not matter. */
export class ChangeAges {
  readonly #clock: Clock
  /** In the order of their changes, the latest last. */
  readonly #seen = new Map<string, Monotonic>()
  readonly #read = new Map<string, Monotonic>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A driver has read a resource well, whether it has changed or not. */
  noteRead(resource: string): void {
    this.#read.set(resource, this.#clock.now())
  }

  /** Null: not since the start. */
  ofReading(resource: string): number | null {
    const at = this.#read.get(resource)
    return at === undefined ? null : this.#clock.now() - at
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
