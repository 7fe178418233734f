import { type MemberId, nodeOf } from '../base/ids.ts'
import type { History } from './history.ts'
import type { MemberLog } from './member-log.ts'
import type { Member } from './membership.ts'
import type { Peer, Peers } from './peers.ts'
import type { VersionVector } from './version-vector.ts'

/** What keeps the floor where it is, for people: who has to be heard first. */
export interface FloorHold {
  readonly member: MemberId
  readonly reason:
    | 'not heard yet'
    | 'we lack operations of it'
    | 'it lacks operations that we hold'
    | 'its stage'
    | 'its epoch'
    | 'it has not said what it holds of the retired'
    | 'we lack operations below its cut'
}

export interface FloorView {
  /** The highest stage that the floor may advance to. */
  readonly stage: number
  /** Why not further, or null if the own disk is the bound. */
  readonly hold: FloorHold | null
}

/**
 * How far the floor may advance (PROTOCOL section 7): to s iff for every participant, that is every member as of stage s
 * that is not retired, its newest announcement is of our epoch and states a stage of at least s, we have executed its
 * operations up to its own seq with an equal chain digest, and it covers every operation at or below s that we hold; and
 * every cut is known and held. Then nobody can order anything at or below s any more.
 * @param storedStage the highest stage of what is on our own disk
 * @param firstUnsealedStage stage of our first operation that nobody else can hold yet, or null
 * @param holder who held it when it was looked at last: while it still does, nobody else need be looked at
 */
export function possibleFloor(
  history: History,
  peers: Peers,
  self: MemberId,
  storedStage: number,
  firstUnsealedStage: number | null,
  holder?: MemberId,
): FloorView {
  const cutHold = cutHoldOf(history, self)
  if (cutHold !== null) return { stage: history.floor, hold: cutHold }
  let view: FloorView = { stage: storedStage, hold: null }
  const coverage = new Coverage(history, firstUnsealedStage)
  for (const member of holderFirst(history, self, holder)) {
    if (view.stage <= history.floor) break
    const peer = peers.get(member.id)
    const bound = peer === undefined ? NOT_HEARD : boundOf(peer, history, coverage)
    // A member takes part from its join on: what lies before does not wait for it.
    const stage = Math.max(bound.stage, member.since - 1)
    if (stage < view.stage) view = { stage, hold: { member: member.id, reason: bound.reason } }
  }
  return view.stage > history.floor ? view : { ...view, stage: history.floor }
}

function* holderFirst(history: History, self: MemberId, holder: MemberId | undefined): Generator<Member> {
  const first = holder === undefined ? undefined : history.membership.get(holder)
  if (first !== undefined && isParticipant(first, history, self)) yield first
  yield* participants(history, self)
}

/** The stage up to which every participant has announced its floor, and everything in the journal was issued above. */
export function stageSeenByAll(history: History, peers: Peers, self: MemberId): number {
  let stage = history.floor
  for (const { id } of participants(history, self)) {
    stage = Math.min(stage, peers.get(id)?.announcement.floor ?? 0)
  }
  for (const { operation } of history.journal.entries()) stage = Math.min(stage, operation.floor)
  return stage
}

/** The members besides us that are not retired. A draft does not wait for what it was itself. */
export function* participants(history: History, self: MemberId): Generator<Member> {
  for (const member of history.membership.list()) if (isParticipant(member, history, self)) yield member
}

function isParticipant({ id }: Member, { retirement }: History, self: MemberId): boolean {
  return nodeOf(id) !== nodeOf(self) && !retirement.isRetired(id)
}

/** Why the epoch holds the floor, or null: a cut is unknown or not held, or the epoch is not on our disk. */
function cutHoldOf(history: History, self: MemberId): FloorHold | null {
  const { retirement } = history
  const { cuts } = retirement
  if (cuts === null) {
    const [unstated] = retirement.unstated(self)
    return { member: unstated ?? self, reason: 'it has not said what it holds of the retired' }
  }
  if (retirement.announced(self) !== retirement.number) return { member: self, reason: 'its epoch' }
  for (const cut of cuts.values()) {
    if (history.log(cut.member).held.seq < cut.seq)
      return { member: cut.member, reason: 'we lack operations below its cut' }
  }
  return null
}

interface Bound {
  readonly stage: number
  readonly reason: FloorHold['reason']
}

const NOT_HEARD: Bound = { stage: 0, reason: 'not heard yet' }

function boundOf({ announcement, vector }: Peer, history: History, coverage: Coverage): Bound {
  if (announcement.epoch !== history.retirement.number) return { stage: 0, reason: 'its epoch' }
  const log = history.log(announcement.member)
  if (log.held.seq < announcement.ownSeq || !isSameChain(log, vector))
    return { stage: 0, reason: 'we lack operations of it' }
  const uncovered = coverage.firstUncoveredStage(vector)
  if (uncovered !== null && uncovered <= announcement.stage) {
    return { stage: uncovered - 1, reason: 'it lacks operations that we hold' }
  }
  return { stage: announcement.stage, reason: 'its stage' }
}

function isSameChain(log: MemberLog, vector: VersionVector): boolean {
  const stated = vector.get(log.member)
  return stated === undefined || !log.contradicts(stated.seq, stated.digest)
}

/** What version vectors cover of what we hold now. Most peers share a few vectors, so each of those is looked at once. */
class Coverage {
  readonly #history: History
  readonly #firstUnsealed: number | null
  readonly #stages = new Map<VersionVector, number | null>()

  constructor(history: History, firstUnsealed: number | null) {
    this.#history = history
    this.#firstUnsealed = firstUnsealed
  }

  /** The lowest stage of an operation that we hold and the vector does not cover, or null. */
  firstUncoveredStage(vector: VersionVector): number | null {
    const known = this.#stages.get(vector)
    if (known !== undefined) return known
    const stage = firstUncoveredStage(this.#history, vector, this.#firstUnsealed)
    this.#stages.set(vector, stage)
    return stage
  }
}

/** Stages grow along a log. */
function firstUncoveredStage(history: History, vector: VersionVector, firstUnsealed: number | null): number | null {
  let lowest = firstUnsealed
  for (const log of history.logs()) {
    const stated = vector.get(log.member)
    // Who holds another life of the member does not hold what we hold.
    const isSame = stated !== undefined && !log.contradicts(stated.seq, stated.digest)
    const covered = isSame ? stated.seq : Math.min(stated?.seq ?? 0, log.settled.seq)
    if (covered >= log.held.seq) continue
    // What is not kept any more is settled here, and so not above our floor.
    const stage = log.messageAt(covered + 1)?.current.stage ?? history.floor
    if (lowest === null || stage < lowest) lowest = stage
  }
  return lowest
}
