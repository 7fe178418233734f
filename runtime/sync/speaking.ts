import type { Monotonic } from '../base/clock.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
import { participants, unknownCounting } from './floor.ts'
import { MutePeers } from './mute-peers.ts'
import type { ReplicaCore } from './replica-core.ts'

/**
 * Hear before you speak (PROTOCOL section 5): after a start our operations are sent only when some other settled member was heard,
 * who would know if our disk has forgotten any.
 */
export class Speaking {
  readonly #core: ReplicaCore
  readonly #mutePeers = new MutePeers()
  #hasHeard = false

  constructor(core: ReplicaCore) {
    this.#core = core
  }

  /** Our operations may be sent: nobody can know more of us than we do. */
  maySpeak(): boolean {
    if (this.#core.isDraft || this.#core.reasonToBeDraft() !== null) return false
    return this.#hasHeard || !this.#hasSettledPeers()
  }

  /** A draft asks to join under the id of a member: that one has nothing to tell us any more. */
  noteAskedToJoin(member: MemberId, now: Monotonic): void {
    const { isDraft, history, antiEntropy } = this.#core
    if (this.#hasHeard || isDraft || history.membership.get(member) === undefined) return
    if (this.#mutePeers.noteAsked(member, now) && this.maySpeak()) antiEntropy.noteStored(now)
  }

  /** Only a settled member surely knows what we said before our start. */
  noteHeard(member: MemberId, now: Monotonic): void {
    const { history, antiEntropy } = this.#core
    this.#mutePeers.noteHeard(member)
    if (this.#hasHeard || (history.membership.get(member)?.since ?? Infinity) > history.floor) return
    this.#hasHeard = true
    antiEntropy.noteStored(now)
  }

  /** Whoever was heard before its join settled has said no less: it may be gone by now, and would hold us up for ever. */
  noteSettled(): void {
    if (this.#hasHeard) return
    for (const [member, { hasStatedVector, heardAt }] of this.#core.peers.entries())
      if (hasStatedVector) this.noteHeard(member, heardAt)
  }

  /** What another node holds has become ours: it was heard with that. */
  noteAdopted(): void {
    this.#hasHeard = true
  }

  #hasSettledPeers(): boolean {
    const { history, self, node } = this.#core
    for (const { id, since } of participants(history, self))
      if (since <= history.floor && nodeOf(id) !== node && !this.#mutePeers.has(id)) return true
    return unknownCounting(history, self).length > 0
  }
}
