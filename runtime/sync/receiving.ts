import type { Monotonic } from '../base/clock.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
import { ANNOUNCE_INTERVAL_MIN_MS } from '../base/limits.ts'
import type { Verdict } from './consistency.ts'
import { lateOperations } from './late.ts'
import { standingLife } from './used-twice.ts'
import { type Announcement, type Batch, firstOf, lastOf, type Request, subjectOf } from './message.ts'
import type { Integration } from './history.ts'
import type { MemberLog } from './member-log.ts'
import { add, NO_OUTPUTS, type Output } from './output.ts'
import { Pace } from './pace.ts'
import type { Peer } from './peers.ts'
import { isOutvoted } from './divergence.ts'
import type { ReplicaCore } from './replica-core.ts'
import { snapshotPieces } from './snapshot.ts'
import { Truthfulness } from './truthfulness.ts'
import type { VersionEntry } from './version-vector.ts'

/** What comes from other members: operations, announcements, requests; and the word of our own disk. */
export class Receiving {
  readonly #core: ReplicaCore
  /** Where the chain of a member was seen to part below what we hold: the last entry before a batch of its other life. */
  readonly #forks = new Map<MemberId, VersionEntry>()

  readonly #truthfulness: Truthfulness
  /** Members are told what they had said: two of us who believe different words of one would tell each other for ever. */
  readonly #telling = new Pace(ANNOUNCE_INTERVAL_MIN_MS)
  /** The same is passed on to the other links. */
  readonly #passingOn = new Pace(ANNOUNCE_INTERVAL_MIN_MS)
  /** They are sent an operation of their own that they do not know. */
  readonly #showing = new Pace(ANNOUNCE_INTERVAL_MIN_MS)

  constructor(core: ReplicaCore) {
    this.#core = core
    this.#truthfulness = new Truthfulness(() => core.history, core.peers)
  }

  /** Whether an announcement can be true. @returns what people and its member are told, and whether anything of it counts */
  judge(
    announcement: Announcement,
    link: string,
    now: Monotonic,
  ): { readonly outputs: Output[]; readonly isDropped: boolean } {
    const { isDraft, history, dropped, alarms } = this.#core
    const isMember = history.membership.get(announcement.member) !== undefined
    const untruths = isDraft || !isMember ? [] : this.#truthfulness.untruthsIn(announcement, now)
    const outputs = untruths.flatMap(({ member, reason }) => {
      dropped.add('announcement that cannot be true')
      return alarms.raise({ name: 'untrue-announcement', member, reason })
    })
    const isDropped = untruths.some((one) => one.isDropped)
    return { outputs: isDropped ? [...outputs, ...this.#answerDouble(announcement, link, now)] : outputs, isDropped }
  }

  batch(batch: Batch, link: string, now: Monotonic): readonly Output[] {
    const core = this.#core
    const problem = core.problemOfSignature(batch)
    if (problem !== null) {
      core.dropped.add(problem)
      return []
    }
    const unknown = this.#unknownOwnSeq(batch)
    if (unknown !== null) {
      core.noteSetBack(`the fleet holds operation ${unknown} of this node, which this node does not know`)
      return NO_OUTPUTS
    }
    if (batch.origin === core.self && standingLife(batch, core.history, core.peers) === 'theirs') {
      core.noteSetBack('the fleet holds another operation of this node than this node itself, and that one stands')
      return []
    }
    if (core.isDraft) {
      core.dropped.add('this node is a draft')
      return NO_OUTPUTS
    }
    const outputs: Output[] = []
    add(outputs, this.#settleFork(batch))
    const reception = core.history.receive(batch)
    this.#describeVerdict(batch, reception.verdict, outputs)
    for (const rejection of reception.rejected) this.#describeVerdict(rejection.batch, rejection.verdict, outputs)
    if (reception.waits === 'full') core.dropped.add('the waiting list is full')
    if (reception.waits === 'full of strangers')
      core.dropped.add('too many operations wait for joins that are not known')
    this.#carryOut(reception.integrations, link, outputs)
    // What was refused must not be asked for again and again.
    if (reception.verdict.kind !== 'refused' && reception.verdict.kind !== 'late')
      core.antiEntropy.noteBatch(batch, link, reception.verdict.kind === 'ready', now)
    return outputs
  }

  #describeVerdict(batch: Batch, verdict: Verdict, outputs: Output[]): void {
    if (verdict.kind === 'used-twice') this.#noteFork(batch)
    add(outputs, this.#core.describeVerdict(batch, verdict))
  }

  announcement(announcement: Announcement, frame: Uint8Array, link: string, now: Monotonic): readonly Output[] {
    const core = this.#core
    const { membership, retirement } = core.history
    const { member } = announcement
    if (core.isDraft) this.#compareAsDraft(announcement)
    if (membership.get(member) === undefined || retirement.isRetired(member)) {
      core.dropped.add('announcement of a node that is no member')
      return []
    }
    const peer = core.peers.note(announcement, core.storedVector(), link, now)
    if (peer === null) return this.#tellOfLaterOne(announcement, link, now)
    if (core.isDraft) return core.advanceFloor()
    // Our join has just been cut: what we say and hold as this member is void, and a new life begins after this.
    if (core.reasonToBeDraft() !== null) return []
    this.#compareWithOwn(peer)
    if (peer.hasStatedVector) core.noteHeard(member, now)
    core.antiEntropy.noteAnnouncement(peer, announcement.vector !== null, now)
    const outputs: Output[] = [
      ...this.#tellOfUnknown(announcement, link, now),
      ...(announcement.vector === null ? [] : this.#askForForks(peer)),
      ...this.#removeLate(announcement),
      ...this.#checkDivergence(announcement),
    ]
    if (core.antiEntropy.links.size > 1) {
      const to = { channel: 'announcements', of: subjectOf(announcement), links: { except: link } } as const
      outputs.push({ kind: 'send', frame, to })
    }
    return [...outputs, ...core.advanceFloor()]
  }

  /** @returns the asker, if it lacks operations that are not kept here any more */
  request(request: Request, link: string, now: Monotonic): MemberId[] {
    const core = this.#core
    const { self, history, requests } = core
    if (request.from === self || !requests.isGood(request, 'request', { history, link })) return []
    if (core.isDraft) this.#answerForFormerLives(request, link, now)
    if (core.isDraft) return []
    const { membership, retirement } = history
    const isOfMember = membership.get(request.from) !== undefined && !retirement.isRetired(request.from)
    const unknown = isOfMember ? this.#unknownAskedFor(request) : null
    if (unknown !== null) {
      core.noteSetBack(`the fleet knows of operation ${unknown} of this node, which this node does not know`)
      return []
    }
    core.antiEntropy.noteRequest(request, link, now)
    if (!isOfMember) return []
    // The request may be old: what counts is what the asker has said that it holds.
    const vector = core.peers.get(request.from)?.vector
    const isLaggard = request.gaps.some(({ member, after }) => {
      const log = core.history.log(member)
      const stated = vector?.get(member)
      if (log.settled.seq <= after) return false
      // It may hold another life of that member: of the one that is settled here it cannot be given what it asks for.
      return (
        log.settled.seq > (stated?.seq ?? 0) || (stated !== undefined && log.contradicts(stated.seq, stated.digest))
      )
    })
    return isLaggard ? [request.from] : []
  }

  /**
   * Who was retired may hold alone what stands of its operations: those who had taken them may have been set back since. Its double
   * has issued others under the same id, of which the cut tells them.
   */
  #answerForFormerLives(request: Request, link: string, now: Monotonic): void {
    const { self, history, antiEntropy } = this.#core
    if (request.to !== null && nodeOf(request.to) !== nodeOf(self)) return
    const gaps = request.gaps.flatMap((gap) => {
      const cut = nodeOf(gap.member) === nodeOf(self) ? history.retirement.cuts?.get(gap.member) : undefined
      const stands =
        cut !== undefined && gap.after < cut.seq && history.log(cut.member).digestAt(cut.seq) === cut.digest
      return stands ? [{ ...gap, through: Math.min(gap.through, cut.seq) }] : []
    })
    if (gaps.length > 0) antiEntropy.noteRequest({ ...request, to: request.to && self, gaps }, link, now)
  }

  /** Our records up to `through` are on the disk: our operations among them may be sent now. */
  stored(through: number, now: Monotonic, outputs: Output[]): void {
    const core = this.#core
    for (const { batch } of core.writer.advance(through)) {
      const { id } = lastOf(batch).current
      const { held } = core.history.log(batch.origin)
      const isLast = held.digest === batch.digest && held.seq === id.seq
      core.noteStored(isLast ? held : { member: batch.origin, seq: id.seq, digest: batch.digest })
      if (!core.outbox.noteStored(batch)) continue
      outputs.push({ kind: 'durable', through: id })
      if (batch.origin === core.self && core.maySpeak()) outputs.push(core.sendBatch(batch, 'all'))
    }
    core.antiEntropy.noteStored(now)
  }

  /**
   * It comes late; or its member was set back, and is heard by nobody until it learns what it has said before. It is told so in
   * its own words, by one or two of us.
   */
  #tellOfLaterOne(announcement: Announcement, link: string, now: Monotonic): Output[] {
    const { start, number, ownSeq } = announcement
    const known = this.#core.peers.get(announcement.member)?.announcement
    if (start === known?.start && number === known.number && ownSeq === known.ownSeq) return []
    return this.#answerDouble(announcement, link, now)
  }

  #answerDouble(announcement: Announcement, link: string, now: Monotonic): Output[] {
    const told = this.#tellOfEarlierWord(announcement, link, now)
    return [...told, ...this.#passOnToItsMember(announcement, link, now)]
  }

  /**
   * It says more of its member than that has said here, or was said after a later start: somebody tells it what it has said before,
   * and it may be on another link.
   */
  #passOnToItsMember(announcement: Announcement, link: string, now: Monotonic): Output[] {
    const core = this.#core
    const { member, ownSeq, start } = announcement
    const known = core.peers.get(member)?.announcement
    if (known === undefined || (ownSeq <= known.ownSeq && start <= known.start)) return []
    if (core.antiEntropy.links.size < 2 || !this.#passingOn.take(member, now)) return []
    return [core.send({ kind: 'announcement', announcement }, 'announcements', { except: link })]
  }

  #tellOfEarlierWord({ member }: Announcement, link: string, now: Monotonic): Output[] {
    const core = this.#core
    const known = core.peers.get(member)?.announcement
    if (core.isDraft || known === undefined || !this.#isOneOfTwo() || !this.#telling.take(member, now)) return []
    return [core.send({ kind: 'announcement', announcement: known }, 'announcements', { only: link })]
  }

  /**
   * A member states fewer operations of its own than we hold: it was set back, perhaps to before it knew any of us, and then it
   * takes no other word than its own. What is settled is not kept one by one: then it is offered the snapshot.
   */
  #tellOfUnknown({ member, ownSeq }: Announcement, link: string, now: Monotonic): Output[] {
    const log = this.#core.history.log(member)
    if (ownSeq >= log.held.seq || !this.#isOneOfTwo()) return []
    const [batch] = log.between(Math.max(ownSeq, log.settled.seq), log.held.seq, 1)
    return batch === undefined || !this.#showing.take(member, now)
      ? []
      : [this.#core.send({ kind: 'batch', batch }, 'answers', { only: link })]
  }

  /** A member states fewer operations of its own than are settled here, and no later one is held: nobody else may tell it. */
  isSettledUnknown({ member, ownSeq }: Announcement): boolean {
    const { history, isDraft } = this.#core
    const { settled, batches } = history.log(member)
    return !isDraft && ownSeq < settled.seq && batches.length === 0 && !history.retirement.isRetired(member)
  }

  /** Of all members that hear the same. */
  #isOneOfTwo(): boolean {
    const { options, history } = this.#core
    return options.random.uint32() % history.membership.size <= 1
  }

  /** If the batch is of another life of its member, and that one stands, what we hold of the first makes room. */
  #settleFork(batch: Batch): readonly Output[] {
    const core = this.#core
    if (batch.origin === core.self || standingLife(batch, core.history, core.peers) !== 'theirs') return NO_OUTPUTS
    const { member, seq } = firstOf(batch).current.id
    const [other] = core.history.log(member).between(seq - 1, seq)
    const digests = [batch.digest, other?.digest ?? batch.link] as const
    const alarm = core.alarms.raise({ name: 'identity-used-twice', member, seq, digests })
    return [...alarm, ...core.truncate({ member, seq: seq - 1 }), ...core.reconsiderGone()]
  }

  /** A batch follows another operation than the one that we hold at its place: which life stands is decided further down. */
  #noteFork({ origin, messages, link }: Batch): void {
    const [first] = messages
    if (first !== undefined) this.#forks.set(origin, { member: origin, seq: first.current.id.seq - 1, digest: link })
  }

  /** Whether what is held contradicts the chain of a batch that was received behind it. */
  #isForkedBelow(seq: number, log: MemberLog): boolean {
    const fork = this.#forks.get(log.member)
    if (fork === undefined) return false
    const isForked = fork.seq > log.settled.seq && log.contradicts(fork.seq, fork.digest)
    if (!isForked) this.#forks.delete(log.member)
    return isForked && seq > fork.seq
  }

  /**
   * Where another member holds another chain under one member id, it is asked for it: one of the two lives stands. A longer
   * chain shows only with a batch that does not follow ours; then it is asked for from where both are the same.
   */
  #askForForks(peer: Peer): Output[] {
    const { history, self } = this.#core
    const gaps = [...peer.vector.values()].flatMap(({ member, seq, digest }) => {
      const log = history.log(member)
      if (member === self || log.settled.seq >= seq) return []
      if (!log.contradicts(seq, digest) && !this.#isForkedBelow(seq, log)) return []
      return [{ member, after: log.settled.seq, through: seq }]
    })
    if (gaps.length === 0) return []
    const request: Request = { from: self, to: peer.announcement.member, gaps }
    const asked = this.#core.requests.sign(request)
    return [this.#core.send({ kind: 'request', request: asked }, 'requests', { only: peer.link })]
  }

  #removeLate(announcement: Announcement): Output[] {
    const core = this.#core
    const late = lateOperations(announcement, core.history)
    if (late.length === 0) return []
    const removed = late.flatMap((one) => {
      const { member, seq } = one
      const alarm = one.isVoid ? [] : core.alarms.raise({ name: 'late-operation', member, seq: seq + 1 })
      if (member === core.self) core.noteSetBack('the fleet has settled what lies behind our operations without them')
      return [...alarm, ...core.truncateLate(one)]
    })
    return [...removed, ...core.reconsiderGone()]
  }

  /** Stores what was integrated, tells of it, and carries it on: a node with several links does so for those with one. */
  #carryOut(integrations: readonly Integration[], link: string, outputs: Output[]): void {
    const core = this.#core
    const isRelay = core.antiEntropy.links.size > 1
    for (const integration of integrations) {
      const { batch } = integration
      core.keep(integration, outputs)
      if (batch !== null && isRelay) outputs.push(core.sendBatch(batch, { except: link }))
      core.describe(integration, outputs)
    }
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

  /**
   * The seq of an operation of ours that somebody asks for and that we have not issued, or null. Whoever holds a later one waits
   * for it, and nobody else may be there to tell us that there is one.
   */
  #unknownAskedFor({ gaps }: Request): number | null {
    const { self, history } = this.#core
    const held = history.log(self).held.seq
    return gaps.find(({ member, through }) => member === self && through > held)?.through ?? null
  }

  /** Whoever knows more of us than we do has met us before our data directory was set back, or a clone of us. */
  #compareWithOwn(peer: Peer): void {
    const core = this.#core
    const { self, history } = core
    const own = peer.vector.get(self)
    const log = history.log(self)
    if (own !== undefined && own.seq > log.held.seq)
      core.noteSetBack(`the fleet holds ${own.seq} operations of this node, which knows only ${log.held.seq}`)
    else if (own !== undefined && log.contradicts(own.seq, own.digest))
      core.noteSetBack('the fleet holds other operations of this node than this node itself')
    else if (this.#hasAnnounced(peer.announcement)) {
      const { floor } = peer.announcement
      core.noteSetBack(
        `the fleet has settled stage ${floor} by a word of this node, which knows only ${core.writer.stage}`,
      )
    } else this.#compareCuts(peer)
  }

  /** Nobody else counts who could tell us what we had frozen before we were set back. */
  #compareCuts({ announcement, vector, isVectorKnown }: Peer): void {
    const { self, history } = this.#core
    const { retirement } = history
    if (!isVectorKnown || announcement.epoch !== retirement.number || !announcement.knowsCuts) return
    const member = retirement.memberBeyondOwnWord(self, vector)
    if (member !== null)
      this.#core.noteSetBack(
        `the fleet holds more of ${member} than stands by what this node knows, which alone counts`,
      )
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

  /** A draft has issued nothing: if the fleet holds operations of it, its disk is older than its membership. */
  #compareAsDraft({ vector }: Announcement): void {
    const { self } = this.#core
    if (vector?.some((entry) => entry.member === self && entry.seq > 0) === true)
      this.#core.noteSetBack('the fleet holds operations of this node, which is a draft here')
  }

  /** Two nodes that have folded the same up to one floor and hold different states: a defect, a damaged disk, or a lie. */
  #checkDivergence(announcement: Announcement): Output[] {
    const core = this.#core
    const { floor, floorDigest, state } = announcement
    const folded = core.history.floorDigests.last.get(floor)
    if (folded !== undefined && folded !== floorDigest) {
      const isOutvotedHere = isOutvoted(core, folded, (one) => (one.floor === floor ? one.floorDigest : null))
      return this.#diverge(announcement, floor, isOutvotedHere)
    }
    const digest = state === undefined ? null : core.states.at(core.history, state.stage)
    if (state === undefined || digest === null || digest === state.digest) return []
    const { stage } = state
    const isOutvotedHere = isOutvoted(core, digest, (one) => (one.state?.stage === stage ? one.state.digest : null))
    return this.#diverge(announcement, stage, isOutvotedHere)
  }

  #diverge({ member }: Announcement, floor: number, isOutvotedHere: boolean): Output[] {
    const core = this.#core
    if (isOutvotedHere) core.noteSetBack(`most of the fleet has another settled state at floor ${floor}`)
    const alarm = core.alarms.raise({ name: 'divergence', member, floor })
    if (alarm.length === 0) return []
    // The other side does the same, so that the two can be compared.
    return [...alarm, { kind: 'evidence', name: `divergence-${floor}`, pieces: snapshotPieces(core.snapshot(null)) }]
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
