import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { JOIN_INTERVAL_MAX_MS } from '../base/limits.ts'

/**
 * Members that ask to join: each was set back to before its join, and cannot tell us what we have said before. Whoever waits
 * to hear a settled member need not wait for these, and would wait for ever if there are no others: they are taken in again
 * only by somebody who speaks. A request that was under way when the member joined is no sign: it has to ask for longer than
 * the longest interval between two requests.
 */
export class MutePeers {
  readonly #askedAt = new Map<MemberId, Monotonic>()
  readonly #mute = new Set<MemberId>()

  has(member: MemberId): boolean {
    return this.#mute.has(member)
  }

  /** @returns true if `member` has just been found to be mute */
  noteAsked(member: MemberId, now: Monotonic): boolean {
    const first = this.#askedAt.get(member)
    if (first === undefined) this.#askedAt.set(member, now)
    if (first === undefined || now - first <= JOIN_INTERVAL_MAX_MS || this.#mute.has(member)) return false
    this.#mute.add(member)
    return true
  }

  /** It speaks as a member. */
  noteHeard(member: MemberId): void {
    this.#askedAt.delete(member)
    this.#mute.delete(member)
  }
}
