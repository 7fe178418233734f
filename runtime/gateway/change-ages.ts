import type { Clock, Monotonic } from '../base/clock.ts'
import type { Change } from '../sync/output.ts'

/** When this gateway saw each point of its device change, on the monotonic clock: a wrong wall clock does not matter. */
export class ChangeAges {
  readonly #clock: Clock
  readonly #prefix: string
  /** Points of one device are few: a profile bounds them. */
  readonly #seen = new Map<string, Monotonic>()
  readonly #read = new Map<string, Monotonic>()

  constructor(device: string, clock: Clock) {
    this.#prefix = `${device}/`
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
    if (settled || !path.startsWith(this.#prefix)) return
    if (after === undefined) this.#seen.delete(path)
    else this.#seen.set(path, this.#clock.now())
  }

  /** Null: not since the start. */
  of(path: string): number | null {
    const at = this.#seen.get(path)
    return at === undefined ? null : this.#clock.now() - at
  }
}
