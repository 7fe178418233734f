import type { Monotonic } from '../base/clock.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
import type { Verdict } from './consistency.ts'
import { lateOperations } from './late.ts'
import { type Announcement, type Batch, firstOf, lastOf, type Request, subjectOf } from './message.ts'
import { isFullOf } from './member-room.ts'
import type { Integration } from './history.ts'
import { add, NO_OUTPUTS, type Output } from './output.ts'
import { isOutvoted } from './divergence.ts'
import type { ReplicaCore } from './replica-core.ts'
import { Discards } from './discards.ts'
import { Forks } from './forks.ts'
import { nameOf } from './relay.ts'
import { Reminder } from './reminder.ts'
import { SetBackSigns } from './set-back.ts'
import { snapshotPieces } from './snapshot.ts'
import { Truthfulness } from './truthfulness.ts'

/** What comes from other members: operations, announcements, requests; and the word of our own disk. */
export class Receiving {
  readonly #core: ReplicaCore
  readonly #truthfulness: Truthfulness
  readonly #setBackSigns: SetBackSigns
  readonly #reminder: Reminder
  readonly #discards: Discards
  readonly #forks: Forks

  constructor(core: ReplicaCore) {
    this.#core = core
    this.#truthfulness = new Truthfulness(() => core.history, core.peers)
    this.#setBackSigns = new SetBackSigns(core)
    this.#reminder = new Reminder(core)
    this.#discards = new Discards(core)
    this.#forks = new Forks(core, this.#discards)
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
    return {
      outputs: isDropped ? [...outputs, ...this.#reminder.ofDouble(announcement, link, now)] : outputs,
      isDropped,
    }
  }

  batch(batch: Batch, link: string, now: Monotonic): readonly Output[] {
    const core = this.#core
    const problem = core.problemOfSignature(batch)
    if (problem !== null) {
      core.dropped.add(problem)
      return []
    }
    // One that is forged must not keep the true one from being passed on.
    core.relay.noteHeard(batch.digest, link)
    const sign = this.#setBackSigns.inBatch(batch)
    if (sign !== null) {
      core.noteSetBack(sign)
      return NO_OUTPUTS
    }
    if (core.isDraft) {
      core.dropped.add('this node is a draft')
      return NO_OUTPUTS
    }
    const isNew = firstOf(batch).current.id.seq > core.history.log(batch.origin).held.seq
    if (isNew && isFullOf(batch.origin, core.history, core.peers)) {
      core.dropped.add('so many operations are open of its member that it has to be heard first')
      return NO_OUTPUTS
    }
    const outputs: Output[] = []
    add(outputs, this.#forks.settle(batch))
    const reception = core.history.receive(batch)
    this.#describeVerdict(batch, reception.verdict, outputs)
    for (const rejection of reception.rejected) this.#describeVerdict(rejection.batch, rejection.verdict, outputs)
    if (reception.waits === 'full') core.dropped.add('the waiting list is full')
    if (reception.waits === 'full of strangers')
      core.dropped.add('too many operations wait for joins that are not known')
    this.#carryOut(reception.integrations, link, now, outputs)
    // What was refused must not be asked for again and again.
    if (reception.verdict.kind !== 'refused' && reception.verdict.kind !== 'late')
      core.antiEntropy.noteBatch(batch, link, reception.verdict.kind === 'ready', now)
    return outputs
  }

  #describeVerdict(batch: Batch, verdict: Verdict, outputs: Output[]): void {
    if (verdict.kind === 'used-twice') this.#forks.note(batch)
    add(outputs, this.#discards.describe(batch, verdict))
  }

  /** An announcement under our own member id. */
  double(announcement: Announcement): void {
    const sign = this.#setBackSigns.inDouble(announcement)
    if (sign !== null) this.#core.noteSetBack(sign)
  }

  announcement(announcement: Announcement, frame: Uint8Array, link: string, now: Monotonic): readonly Output[] {
    const core = this.#core
    const { membership, retirement } = core.history
    const { member } = announcement
    core.relay.noteAnnouncement(announcement, link)
    const signForDraft = core.isDraft ? this.#setBackSigns.forDraft(announcement) : null
    if (signForDraft !== null) core.noteSetBack(signForDraft)
    if (membership.get(member) === undefined || retirement.isRetired(member)) {
      core.dropped.add('announcement of a node that is no member')
      return []
    }
    const peer = core.peers.note(announcement, core.storedVector(), link, now)
    if (peer === null) return this.#reminder.ofLaterWord(announcement, link, now)
    core.peers.wordsOf(core.history.log(member))
    if (core.isDraft) return core.advanceFloor()
    // Our join has just been cut: what we say and hold as this member is void, and a new life begins after this.
    if (core.reasonToBeDraft() !== null) return []
    const sign = this.#setBackSigns.inAnnouncement(peer)
    if (sign !== null) core.noteSetBack(sign)
    if (peer.hasStatedVector) core.speaking.noteHeard(member, now)
    core.antiEntropy.noteAnnouncement(peer, announcement.vector !== null, now)
    const outputs: Output[] = [
      ...this.#reminder.ofUnknownOperation(announcement, link, now),
      ...(announcement.vector === null ? [] : this.#forks.askFor(peer)),
      ...this.#removeLate(announcement),
      ...this.#checkDivergence(announcement),
    ]
    const to = { channel: 'announcements', of: subjectOf(announcement) } as const
    const passed = { name: nameOf('announcement', announcement), member, frame, to }
    return [...outputs, ...core.relay.pass(passed, link, core.antiEntropy.links, now), ...core.advanceFloor()]
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
    const sign = isOfMember ? this.#setBackSigns.inRequest(request) : null
    if (sign !== null) {
      core.noteSetBack(sign)
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
      if (batch.origin === core.self && core.speaking.maySpeak()) outputs.push(core.sendBatch(batch, 'all'))
    }
    core.antiEntropy.noteStored(now)
  }

  /** A member states fewer operations of its own than are settled here, and no later one is held: nobody else may tell it. */
  isSettledUnknown({ member, ownSeq }: Announcement): boolean {
    const { history, isDraft } = this.#core
    const { settled, batches } = history.log(member)
    return !isDraft && ownSeq < settled.seq && batches.length === 0 && !history.retirement.isRetired(member)
  }

  #removeLate(announcement: Announcement): Output[] {
    const core = this.#core
    const late = lateOperations(announcement, core.history)
    if (late.length === 0) return []
    const removed = late.flatMap((one) => {
      const { member, seq } = one
      const alarm = one.isVoid ? [] : core.alarms.raise({ name: 'late-operation', member, seq: seq + 1 })
      if (member === core.self) core.noteSetBack('the fleet has settled what lies behind our operations without them')
      return [...alarm, ...this.#discards.truncateLate(one)]
    })
    return [...removed, ...core.reconsiderGone()]
  }

  /** Stores what was integrated, tells of it, and carries it on: a node with several links does so for those with one. */
  #carryOut(integrations: readonly Integration[], link: string, now: Monotonic, outputs: Output[]): void {
    const core = this.#core
    const isRelay = core.antiEntropy.links.size > 1
    for (const integration of integrations) {
      const { batch } = integration
      core.keep(integration, outputs)
      if (batch !== null && isRelay) outputs.push(...core.passOn(batch, link, now))
      core.describe(integration, outputs)
    }
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
