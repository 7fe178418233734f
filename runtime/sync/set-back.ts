import type { MemberId } from '../base/ids.ts'
import { type Announcement, type Batch, lastOf, type Request } from './message.ts'
import type { Peer } from './peers.ts'
import type { ReplicaCore } from './replica-core.ts'
import { standingLife } from './used-twice.ts'

/**
 * What others say that this node must have said, and that is not on its disk: its data directory was set back, or somebody is its
 * clone. Each sign is the reason for a new life, in a line for people, or null.
 */
export class SetBackSigns {
  readonly #core: ReplicaCore

  constructor(core: ReplicaCore) {
    this.#core = core
  }

  inBatch(batch: Batch): string | null {
    const { self, history, peers } = this.#core
    const unknown = this.#unknownOwnSeq(batch)
    if (unknown !== null) return `the fleet holds operation ${unknown} of this node, which this node does not know`
    if (batch.origin !== self || standingLife(batch, history, peers) !== 'theirs') return null
    return 'the fleet holds another operation of this node than this node itself, and that one stands'
  }

  /** Whoever holds a later operation of ours waits for one, and nobody else may be there to tell us that there is one. */
  inRequest({ gaps }: Request): string | null {
    const { self, history } = this.#core
    const held = history.log(self).held.seq
    const unknown = gaps.find(({ member, through }) => member === self && through > held)
    return unknown === undefined
      ? null
      : `the fleet knows of operation ${unknown.through} of this node, which this node does not know`
  }

  /** Whoever knows more of us than we do has met us before our data directory was set back, or a clone of us. */
  inAnnouncement(peer: Peer): string | null {
    const { self, history, writer } = this.#core
    const own = peer.vector.get(self)
    const log = history.log(self)
    if (own !== undefined && own.seq > log.held.seq)
      return `the fleet holds ${own.seq} operations of this node, which knows only ${log.held.seq}`
    if (own !== undefined && log.contradicts(own.seq, own.digest))
      return 'the fleet holds other operations of this node than this node itself'
    if (!this.#hasAnnounced(peer.announcement)) return this.#inCuts(peer)
    return `the fleet has settled stage ${peer.announcement.floor} by a word of this node, which knows only ${writer.stage}`
  }

  /**
   * An announcement under our own member id: an echo, or one that we have never made, from before our data directory was set
   * back or from a clone. Of two clones the one that has started less often gives way. Since a start our stage never falls.
   */
  inDouble({ start, number, stage, ownSeq }: Announcement): string | null {
    const { antiEntropy, history, isDraft, self, writer } = this.#core
    const isLater = start !== this.#core.start ? start > this.#core.start : number > antiEntropy.announcements
    const isHigher = start === this.#core.start && stage > writer.stage
    const isOfAnother = isLater || isHigher || ownSeq > history.log(self).held.seq
    return isDraft || isOfAnother ? 'another machine speaks as this node, or did so before it was set back' : null
  }

  /** A draft has issued nothing: if the fleet holds operations of it, its disk is older than its membership. */
  forDraft({ vector }: Announcement): string | null {
    const { self } = this.#core
    const isKnown = vector?.some((entry) => entry.member === self && entry.seq > 0) === true
    return isKnown ? 'the fleet holds operations of this node, which is a draft here' : null
  }

  /**
   * The seq of an operation of ours that a batch holds, follows or replaces, and that we have not issued; null if it names
   * none. Nobody can name what was not on our disk before: it was set back. A node that is no member proves nothing.
   */
  #unknownOwnSeq(batch: Batch): number | null {
    const { self, history } = this.#core
    const held = history.log(self).held.seq
    if (batch.origin === self) return lastOf(batch).current.id.seq > held ? lastOf(batch).current.id.seq : null
    const seq = highestNamedOf(self, batch)
    if (seq <= held) return null
    const isMember = history.membership.get(batch.origin) !== undefined && !history.retirement.isRetired(batch.origin)
    return isMember ? seq : null
  }

  /** Nobody else counts who could tell us what we had frozen before we were set back. */
  #inCuts({ announcement, vector, isVectorKnown }: Peer): string | null {
    const { self, history } = this.#core
    const { retirement } = history
    if (!isVectorKnown || announcement.epoch !== retirement.number || !announcement.knowsCuts) return null
    const member = retirement.memberBeyondOwnWord(self, vector)
    return member && `the fleet holds more of ${member} than stands by what this node knows, which alone counts`
  }

  /**
   * Whether the floor of another member says that we have announced a higher stage than any on our disk: nobody settles what we
   * might still come below, from our join on. Where nothing of ours is open, what the disk has lost is caught up with.
   */
  #hasAnnounced({ floor, stage, epoch }: Announcement): boolean {
    const { self, history, writer } = this.#core
    const { retirement, membership } = history
    // Nobody settles what he does not hold himself.
    if (floor <= writer.stage || floor > stage) return false
    if (!this.#hasOpenOperations()) return false
    if (epoch !== retirement.number || retirement.cuts === null) return false
    return (membership.get(self)?.since ?? Infinity) <= floor
  }

  /** Whether operations of ours might come below that floor. */
  #hasOpenOperations(): boolean {
    const { self, history, outbox } = this.#core
    const { held, settled } = history.log(self)
    return outbox.length > 0 || held.seq > settled.seq
  }
}

/** The highest seq of an operation of `member` that a batch of somebody else follows or replaces; 0 if it names none. */
function highestNamedOf(member: MemberId, { messages }: Batch): number {
  let highest = 0
  for (const { previous, current } of messages) {
    if (previous.id?.member === member) highest = Math.max(highest, previous.id.seq)
    for (const { replaces } of current.writes)
      if (replaces?.member === member) highest = Math.max(highest, replaces.seq)
  }
  return highest
}
