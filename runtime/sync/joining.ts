import type { Monotonic } from '../base/clock.ts'
import { FleetstepError } from '../base/errors.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
import { DISTRUST_MS, SNAPSHOT_MEMORY_BYTES_MAX, SNAPSHOT_REFUSED_MS, SNAPSHOT_STAGE_MAX } from '../base/limits.ts'
import type { Operation } from '../state/operation.ts'
import { marked } from '../state/role.ts'
import { forgedStateIn } from './forged-state.ts'
import type { History } from './history.ts'
import type { MemberLog } from './member-log.ts'
import type { Announcement, Batch, Chunk, Offer, Previous, Refusal } from './message.ts'
import { Newcomer } from './newcomer.ts'
import { joined, NO_OUTPUTS, type Output } from './output.ts'
import type { ReplicaCore } from './replica-core.ts'
import { historyFrom } from './recovery.ts'
import { provenanceProblem } from './provenance.ts'
import { decodeSnapshot } from './snapshot.ts'
import { Fetch, isAcceptable } from './transfer.ts'
import { Witnesses } from './witnesses.ts'

/** A snapshot that was fetched whole and is on its way to the disk. */
export interface Fetched {
  readonly purpose: Offer['purpose']
  readonly bytes: Uint8Array
  /** Number of the last of the records that hold it: it is adopted when that one is on the disk. */
  readonly record: number
}

/** A snapshot that may be adopted, and the last operation that it holds. */
interface Opened {
  readonly bytes: Uint8Array
  readonly highWater: Previous
}

/**
 * How a node comes to a snapshot of another one: as a draft it asks to join and adopts the first welcome; as a member that
 * cannot get some operations one by one any more it takes what is offered to it. One snapshot at a time.
 */
export class Joining {
  readonly #core: ReplicaCore
  readonly #newcomer: Newcomer
  #fetch: Fetch | null = null
  /** The last one that was given up: what has come of it is not fetched again. */
  #givenUp: Fetch | null = null
  #fetched: Fetched | null = null
  readonly #witnesses: Witnesses
  /** Whose snapshot was refused, and until when no other one of them is fetched. */
  readonly #distrusted = new Map<MemberId, Monotonic>()

  constructor(core: ReplicaCore) {
    this.#core = core
    this.#newcomer = new Newcomer(core.options.random)
    this.#witnesses = new Witnesses(core.signatures)
  }

  get wakeAt(): Monotonic | null {
    if (this.#fetched !== null) return null
    const askAt = this.#core.isDraft ? this.#newcomer.wakeAt : null
    if (this.#fetch === null) return askAt
    return askAt === null || !this.#fetch.isStuck ? this.#fetch.wakeAt : Math.min(askAt, this.#fetch.wakeAt)
  }

  /** Why the fleet did not take this draft in, or null. */
  get refusal(): string | null {
    return this.#newcomer.refusal
  }

  /** A snapshot is about to replace what is held: nothing else is taken in until then. */
  get isAdopting(): boolean {
    return this.#fetched !== null
  }

  /** Somebody may hear us now, or we are a draft from now on. */
  askSoon(now: Monotonic): void {
    this.#newcomer.askSoon(now)
  }

  noteLinkUp(link: string, now: Monotonic): void {
    if (this.#fetch?.link === link) this.#fetch.noteLinkUp(now)
    if (this.#core.isDraft) this.askSoon(now)
  }

  /** Whoever offers a snapshot passes nothing on: what is left of it has to come over this link, or from somebody else. */
  noteLinkDown(link: string, now: Monotonic): void {
    if (this.#fetch?.link !== link) return
    this.#fetch.noteLinkDown()
    if (this.#core.isDraft) this.askSoon(now)
  }

  noteRefusal(refusal: Refusal): void {
    if (refusal.to === this.#core.self && this.#core.isDraft) this.#newcomer.noteRefused(refusal.reason)
  }

  noteOffer(offer: Offer, link: string, now: Monotonic): void {
    const { self, isDraft, options } = this.#core
    if (offer.to !== self || (offer.purpose === 'welcome') !== isDraft) return
    if (this.#fetch?.yieldsTo(offer) === false || this.#fetched !== null) return
    if (!isAcceptable(offer) || this.#isDistrusted(offer.from, now)) return
    const former = this.#fetch ?? this.#givenUp
    this.#fetch = former?.resumed(offer, link, now) ?? new Fetch(offer, link, options.random, now)
    this.#givenUp = null
  }

  tick(now: Monotonic): readonly Output[] {
    if (this.#fetched !== null) return NO_OUTPUTS
    if (this.#fetch?.hasFailed === true) {
      this.#givenUp = this.#fetch
      this.#fetch = null
      this.askSoon(now)
    }
    const asked = this.#fetch === null ? NO_OUTPUTS : this.#askForChunk(this.#fetch, now)
    // A sponsor that is gone, or is no member any more, answers nothing: somebody else may take us in meanwhile.
    if (this.#fetch !== null && !this.#fetch.isStuck) return asked
    const { wakeAt } = this.#newcomer
    if (!this.#core.isDraft || wakeAt === null || wakeAt > now) return asked
    this.#newcomer.noteAsked(now)
    return joined(asked, this.#askToJoin())
  }

  /** A draft knows few keys: with those of a welcome what it has heard bears witness. */
  noteWitness(announcement: Announcement, problem: string | null): void {
    this.#witnesses.note(announcement, problem)
  }

  noteChunk(chunk: Chunk, now: Monotonic): Output[] {
    const fetch = this.#fetch
    if (fetch === null || !fetch.take(chunk, now) || !fetch.isComplete) return []
    this.#fetch = null
    const opened = this.#open(fetch.bytes(), fetch.offer)
    if (typeof opened === 'string') {
      this.#core.dropped.add(`snapshot of another node: ${opened}`)
      this.askSoon(now)
      return opened === UNHEARD ? [] : this.#distrust(fetch.offer, opened, now)
    }
    const { writer, history } = this.#core
    const { bytes, highWater } = opened
    const { purpose } = fetch.offer
    const outputs = writer.storeParts(purpose, bytes)
    this.#fetched = { purpose, bytes, record: writer.lastNumber }
    // What is issued until it is on the disk comes behind it there, and must not lie below its floor.
    if (purpose === 'catch-up' && highWater.stage > history.highWater.stage) history.restoreHighWater(highWater)
    return outputs
  }

  /** @returns the snapshot that is on the disk now and is to be adopted, or null */
  noteStored(through: number): Fetched | null {
    const fetched = this.#fetched
    if (fetched === null || fetched.record > through) return null
    this.#fetched = null
    this.#newcomer.rest()
    return fetched
  }

  /** This node has got another standing: what was under way is void, also a snapshot that has not reached the disk yet. */
  reset(now: Monotonic): void {
    this.#fetch = null
    this.#givenUp = null
    this.#fetched = null
    this.#newcomer.rest()
    this.#witnesses.clear()
    this.#distrusted.clear()
    if (this.#core.isDraft) this.askSoon(now)
  }

  /** Somebody else may have a better one: the next of the same node would most likely be refused too, and is as large as the state. */
  #distrust({ from }: Offer, reason: string, now: Monotonic): Output[] {
    this.#distrusted.set(from, now + (reason === DOUBTED ? DISTRUST_MS : SNAPSHOT_REFUSED_MS))
    return reason === DOUBTED
      ? this.#core.alarms.raise({ name: 'welcome-doubted', member: from, by: this.#witnesses.against })
      : []
  }

  #isDistrusted(sponsor: MemberId, now: Monotonic): boolean {
    for (const [member, until] of this.#distrusted) if (until <= now) this.#distrusted.delete(member)
    return this.#distrusted.has(sponsor)
  }

  #askToJoin(): Output[] {
    const { self, priority, role, options, history, writer } = this.#core
    if (!writer.hasStarted) return []
    const request = {
      member: self,
      tier: priority.tier,
      ...marked(role),
      key: options.key ?? new Uint8Array(),
      proof: options.prove?.(self, priority.tier, role) ?? new Uint8Array(),
      epoch: history.retirement.number,
    }
    return [this.#core.send({ kind: 'join-request', request }, 'requests', 'all')]
  }

  #askForChunk(fetch: Fetch, now: Monotonic): Output[] {
    const offset = fetch.due(now)
    if (offset === null) return []
    const { from, digest } = fetch.offer
    const request = this.#core.requests.signChunk({ from: this.#core.self, to: from, digest, offset })
    return [this.#core.send({ kind: 'chunk-request', request }, 'requests', { only: fetch.link })]
  }

  /** What it holds, or why it cannot be adopted. It is checked whole before anything is kept of it. */
  #open(bytes: Uint8Array | null, offer: Offer): Opened | string {
    const { options, self, history, outbox } = this.#core
    if (bytes === null) return 'it is not what was offered'
    try {
      const snapshot = decodeSnapshot(bytes, SNAPSHOT_MEMORY_BYTES_MAX)
      const fresh = historyFrom(options.genesis, snapshot)
      if (fresh.retirement.number < history.retirement.number) return 'it is of an older epoch'
      if (highestStageOf(fresh) > SNAPSHOT_STAGE_MAX) return 'its stages are out of reach'
      const untraced =
        provenanceProblem({ offer, fresh, batches: snapshot.batches }, this.#core) ?? forgedStateIn(fresh)
      if (untraced !== null) return untraced
      if (fresh.membership.get(self) === undefined || fresh.retirement.isRetired(self)) return 'we are no member in it'
      const unknown = offer.purpose === 'welcome' ? unknownFormerLife(fresh, history, self) : null
      if (unknown !== null) {
        this.#newcomer.noteRefused(whyUnknown(offer.from, unknown))
        return 'it does not know who we were'
      }
      const [theirs, ours] = [fresh.log(self).held.seq, history.log(self).held.seq]
      if (theirs > ours) {
        this.#core.noteSetBack(`the fleet holds ${theirs} operations of this node, which knows only ${ours}`)
        return 'it holds operations of ours that we do not know'
      }
      const testimony = offer.purpose === 'welcome' ? this.#witnesses.weigh(fresh) : 'believed'
      if (testimony === 'doubted') return DOUBTED
      if (testimony === 'unheard') return UNHEARD
      if (offer.purpose === 'catch-up' && !lacksBelow(fresh, history)) return 'we lack nothing below its floor'
      // Our join was cut, or we were set back, and will hear so: as a draft we bring them back.
      if (offer.purpose === 'catch-up' && isLateIn(fresh, history.log(self), outbox.first))
        return 'operations of ours lie below its floor, and it does not hold them'
      if (offer.purpose === 'catch-up' && fresh.retirement.digest !== history.retirement.digest)
        return 'it is of another epoch'
      return { bytes, highWater: fresh.highWater }
    } catch (error) {
      if (error instanceof FleetstepError) return error.message
      throw error
    }
  }
}

function highestStageOf({ journal, highWater }: History): number {
  return Math.max(journal.floor, journal.last?.operation.stage ?? 0, highWater.stage)
}

const DOUBTED = 'other members have another settled state'
const UNHEARD = 'what other members say of it was lost among forged announcements'

/**
 * A life in which we have issued something, if `theirs` comes from a sponsor that is behind: it does not hold the join of that, and
 * has cut neither that join nor all of that life. The others may hold what we have issued, and we would issue it a second time.
 */
function unknownFormerLife(theirs: History, ours: History, self: MemberId): MemberId | null {
  const unknown = ours.membership.ofNode(nodeOf(self)).find(({ id, join }) => {
    if (id === self || join === null || ours.log(id).held.seq === 0) return false
    const { retirement, membership } = theirs
    // Whoever sponsored it may have been set back since, and have issued something else in the place of that join.
    const isCut = retirement.isCut(join.member, join.seq) || retirement.isCut(id, 1)
    return membership.get(id) === undefined && !isCut
  })
  return unknown?.id ?? null
}

/** In one line, for people: somebody who has heard of it may be away, or there may be nobody. */
function whyUnknown(sponsor: MemberId, life: MemberId): string {
  return `${sponsor} has never heard of ${life}, as which this node was a member: start a gateway that has, or retire that id with fleetstep fleet retire ${life}`
}

/** True if something of ours would be lost with the journal that we leave. */
function isLateIn(theirs: History, { member, batches }: MemberLog, unsealed: Operation | null): boolean {
  const { held } = theirs.log(member)
  const isLate = ({ id, stage }: Operation): boolean => id.seq > held.seq && stage <= theirs.floor
  const isLateBatch = ({ messages }: Batch): boolean => messages.some(({ current }) => isLate(current))
  return batches.some(isLateBatch) || (unsealed !== null && isLate(unsealed))
}

/** True if `ours` lacks operations that `theirs` has settled, and so cannot pass on one by one, or holds another life there. */
function lacksBelow(theirs: History, ours: History): boolean {
  if (theirs.floor <= ours.floor) return false
  return [...theirs.logs()].some(({ member, settled }) => {
    const log = ours.log(member)
    return settled.seq > log.held.seq || log.contradicts(settled.seq, settled.digest)
  })
}
