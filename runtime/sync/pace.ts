import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'

/**
 * How often something is said about each member, at most: whoever makes us say it with a few bytes must not fill a link with ours.
 * It holds as many entries as there are members.
 */
export class Pace {
  readonly #intervalMs: number
  readonly #saidAt = new Map<MemberId, Monotonic>()

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** Whether it may be said of `member` now, and then counts as said. */
  take(member: MemberId, now: Monotonic): boolean {
    if (now - (this.#saidAt.get(member) ?? -Infinity) < this.#intervalMs) return false
    this.#saidAt.set(member, now)
    return true
  }
}
