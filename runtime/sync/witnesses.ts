import type { MemberId } from '../base/ids.ts'
import { WITNESSES_MAX } from '../base/limits.ts'
import type { History } from './history.ts'
import type { Announcement } from './message.ts'
import type { Self, Signatures } from './signatures.ts'
import { stateDigest } from './state-digest.ts'

/**
 * What members have announced of their settled state where this node is no member, and does not know their keys yet. With the keys
 * of a welcome they bear witness for it or against it, so that no sponsor alone says what the state is.
 */
export class Witnesses {
  readonly #heard = new Map<MemberId, Announcement>()

  note(announcement: Announcement): void {
    const { member, state } = announcement
    if (state === undefined) return
    this.#heard.delete(member)
    this.#heard.set(member, announcement.vector === null ? announcement : { ...announcement, vector: null })
    for (const oldest of this.#heard.keys()) {
      if (this.#heard.size <= WITNESSES_MAX) break
      this.#heard.delete(oldest)
    }
  }

  clear(): void {
    this.#heard.clear()
  }

  /** Whether at least as many members of `fresh` have another state at its floor as have the same. */
  isDoubted(fresh: History, signatures: Signatures, self: Self): boolean {
    const said = [...this.#heard.values()].filter(
      (one) =>
        one.state?.stage === fresh.floor &&
        fresh.membership.get(one.member) !== undefined &&
        !fresh.retirement.isRetired(one.member) &&
        signatures.problemOfAnnouncement(one, fresh, self) === null,
    )
    if (said.length === 0) return false
    const digest = stateDigest(fresh.local)
    const others = said.filter(({ state }) => state?.digest !== digest).length
    return others > 0 && 2 * others >= said.length
  }
}
