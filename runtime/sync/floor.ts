import { type MemberId, nodeOf } from '../base/ids.ts'
import type { Announcement } from './message.ts'
import type { History } from './history.ts'
import type { MemberLog } from './member-log.ts'
import type { Member } from './membership.ts'
import type { Peers } from './peers.ts'
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
 */
export function possibleFloor(
  history: History,
  peers: Peers,
  self: MemberId,
  storedStage: number,
  firstUnsealedStage: number | null,
): FloorView {
  const cutHold = cutHoldOf(history, self)
  if (cutHold !== null) return { stage: history.floor, hold: cutHold }
  let view: FloorView = { stage: storedStage, hold: null }
  for (const member of participants(history, self)) {
    const peer = peers.get(member.id)
    const bound = peer === undefined ? NOT_HEARD : boundOf(peer.announcement, peer.vector, history, firstUnsealedStage)
    // A member takes part from its join on: what lies before does not wait for it.
    const stage = Math.max(bound.stage, member.since - 1)
    if (stage < view.stage) view = { stage, hold: { member: member.id, reason: bound.reason } }
  }
  return view.stage > history.floor ? view : { ...view, stage: history.floor }
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

/** The members besides us that are not retired, also one that another machine leads under our node id. */
export function* participants({ membership, retirement }: History, self: MemberId): Generator<Member> {
  for (const member of membership.list()) {
    if (member.id !== self && !retirement.isRetired(member.id)) yield member
  }
}

/** Members that count in the newest epoch, and so are settled, of whose joins we know nothing: we were set back. */
export function unknownCounting({ membership, retirement }: History, self: MemberId): MemberId[] {
  return (retirement.epoch?.counting ?? []).filter(
    (id) => nodeOf(id) !== nodeOf(self) && membership.get(id) === undefined,
  )
}

/** Why the epoch holds the floor, or null: a cut is unknown or not held, or the epoch is not on our disk. */
function cutHoldOf(history: History, self: MemberId): FloorHold | null {
  const { retirement } = history
  const { cuts } = retirement
  if (cuts === null) {
    const [unstated] = retirement.unstated(self)
    return { member: unstated ?? self, reason: 'it has not said what it holds of the retired' }
  }
  const [unknown] = unknownCounting(history, self)
  if (unknown !== undefined) return { member: unknown, reason: 'not heard yet' }
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

function boundOf(
  announcement: Announcement,
  vector: VersionVector,
  history: History,
  firstUnsealed: number | null,
): Bound {
  if (announcement.epoch !== history.retirement.number) return { stage: 0, reason: 'its epoch' }
  const log = history.log(announcement.member)
  if (log.held.seq < announcement.ownSeq || !isSameChain(log, vector))
    return { stage: 0, reason: 'we lack operations of it' }
  const uncovered = firstUncoveredStage(history, vector, firstUnsealed)
  if (uncovered !== null && uncovered <= announcement.stage) {
    return { stage: uncovered - 1, reason: 'it lacks operations that we hold' }
  }
  return { stage: announcement.stage, reason: 'its stage' }
}

function isSameChain(log: MemberLog, vector: VersionVector): boolean {
  const stated = vector.get(log.member)
  return stated === undefined || !log.contradicts(stated.seq, stated.digest)
}

/** The lowest stage of an operation that we hold and the vector does not cover. Stages grow along a log. */
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
