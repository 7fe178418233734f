import type { MemberId } from '../base/ids.ts'
import type { History } from './history.ts'
import { isFullOf } from './member-room.ts'
import type { Gap } from './message.ts'
import type { Peers } from './peers.ts'

/** What this node lacks: what anybody has shown to hold, and what operations in the waiting list wait for. */
export class Gaps {
  readonly #self: MemberId
  readonly #history: History
  readonly #peers: Peers
  /** The highest seq of each member that anybody is known to hold. */
  readonly #heights = new Map<MemberId, number>()

  constructor(self: MemberId, history: History, peers: Peers) {
    this.#self = self
    this.#history = history
    this.#peers = peers
  }

  get areThere(): boolean {
    const { waitingList } = this.#history
    if (this.#heights.size === 0 && waitingList.length === 0) return false
    for (const [member, wanted] of this.#heights) {
      if (this.#isMissing(member, wanted)) return true
      this.#heights.delete(member)
    }
    return waitingList.isMissingAny((member, seq) => this.#isMissing(member, seq))
  }

  /** The highest seq of `member` that is wanted, or 0. */
  heightOf(member: MemberId): number {
    return this.#heights.get(member) ?? 0
  }

  /** Somebody holds operations of `member` up to `seq`. */
  raise(member: MemberId, seq: number): void {
    const history = this.#history
    if (member === this.#self || history.membership.get(member) === undefined) return
    if (seq > Math.max(this.heightOf(member), history.log(member).held.seq)) this.#heights.set(member, seq)
  }

  list(): Gap[] {
    const history = this.#history
    const through = new Map(this.#heights)
    for (const gap of history.waitingList.missing((member) => history.log(member).held.seq)) {
      through.set(gap.member, Math.max(gap.through, through.get(gap.member) ?? 0))
    }
    const gaps: Gap[] = []
    for (const [member, wanted] of through) {
      const after = history.log(member).held.seq
      const seq = Math.min(wanted, history.retirement.bound(member) ?? wanted)
      // What is not taken is not asked for: whoever announces more of it brings it up again.
      if (seq > after && !isFullOf(member, history, this.#peers)) gaps.push({ member, after, through: seq })
      else this.#heights.delete(member)
    }
    return gaps
  }

  /** Whether an operation up to `seq` of `member` is to be asked for. */
  #isMissing(member: MemberId, seq: number): boolean {
    const { retirement } = this.#history
    return Math.min(seq, retirement.bound(member) ?? seq) > this.#history.log(member).held.seq
  }
}
