import { type MemberId, nodeOf } from '../base/ids.ts'
import type { History } from './history.ts'
import { isFulfilled, isSameChain } from './fulfilled.ts'
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
 * @param coverage of this history, kept from one look to the next
 * @param holder who held it when it was looked at last: while it still does, nobody else need be looked at
 */
export function possibleFloor(
  history: History,
  peers: Peers,
  self: MemberId,
  storedStage: number,
  firstUnsealedStage: number | null,
  coverage: Coverage = new Coverage(history),
  holder?: MemberId,
): FloorView {
  const cutHold = cutHoldOf(history, self)
  if (cutHold !== null) return { stage: history.floor, hold: cutHold }
  let view: FloorView = { stage: storedStage, hold: null }
  coverage.renew(firstUnsealedStage)
  for (const member of holderFirst(history, self, holder)) {
    if (view.stage <= history.floor) break
    const peer = peers.get(member.id)
    const bound = peer === undefined ? NOT_HEARD : boundOf(peer, peers, coverage, { history, limit: view.stage })
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

/** The members besides us that are not retired, also one that another machine leads under our node id. */
export function* participants(history: History, self: MemberId): Generator<Member> {
  for (const member of history.membership.list()) if (isParticipant(member, history, self)) yield member
}

function isParticipant({ id }: Member, { retirement }: History, self: MemberId): boolean {
  return id !== self && !retirement.isRetired(id)
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

/** Where a look at the floor has come to. */
interface Look {
  readonly history: History
  readonly limit: number
}

function boundOf(peer: Peer, peers: Peers, coverage: Coverage, look: Look): Bound {
  const { announcement, vector } = peer
  const { history } = look
  if (announcement.epoch !== history.retirement.number) return { stage: 0, reason: 'its epoch' }
  const log = history.log(announcement.member)
  const before = peers.wordsOf(log)?.fulfilled
  if (isFulfilled(peer, log)) return boundByWord(peer, coverage, look)
  const bound: Bound = { stage: 0, reason: 'we lack operations of it' }
  // What is on its disk since another start may be of another life.
  if (before?.announcement.start !== announcement.start || !isSameChain(log, vector)) return bound
  if (before.announcement.epoch !== announcement.epoch || !isFulfilled(before, log)) return bound
  return { ...bound, stage: boundByWord(before, coverage, look).stage }
}

function boundByWord({ announcement, vector }: Peer, coverage: Coverage, { history, limit }: Look): Bound {
  const isHigher = announcement.stage > history.floor
  const uncovered = isHigher ? coverage.firstUncoveredStage(vector, limit) : null
  if (uncovered !== null && uncovered <= announcement.stage) {
    return { stage: uncovered - 1, reason: 'it lacks operations that we hold' }
  }
  return { stage: announcement.stage, reason: 'its stage' }
}

/**
 * What version vectors cover of what we hold. Most peers share a few vectors, so each of those is looked at once; and of the
 * journal only what may be folded is looked at.
 */
export class Coverage {
  readonly #history: History
  /** Whether a vector covers everything up to the floor. */
  readonly #settled = new WeakMap<VersionVector, { readonly floor: number; readonly isCovered: boolean }>()
  #firstUnsealed: number | null = null
  #stages = new Map<VersionVector, number | null>()

  constructor(history: History) {
    this.#history = history
  }

  /** Forgets what was found of the journal, which has changed. @param firstUnsealed stage of what nobody else can hold */
  renew(firstUnsealed: number | null): void {
    this.#firstUnsealed = firstUnsealed
    this.#stages = new Map()
  }

  /**
   * The lowest stage of an operation that we hold and the vector does not cover; null if there is none up to `limit`.
   * @param limit not above the one of an earlier call since `renew`
   */
  firstUncoveredStage(vector: VersionVector, limit: number): number | null {
    const known = this.#stages.get(vector)
    if (known !== undefined) return known
    const { floor } = this.#history
    const end = Math.min(limit, this.#firstUnsealed ?? limit)
    let stage = firstUncoveredStage(this.#history, vector, end) ?? this.#firstUnsealed
    if ((stage === null || stage > floor + 1) && !this.#coversSettled(vector)) stage = floor
    this.#stages.set(vector, stage)
    return stage
  }

  #coversSettled(vector: VersionVector): boolean {
    const { floor } = this.#history
    const known = this.#settled.get(vector)
    if (known?.floor === floor) return known.isCovered
    const isCovered = [...this.#history.logs()].every(
      ({ member, settled }) => settled.seq <= (vector.get(member)?.seq ?? 0),
    )
    this.#settled.set(vector, { floor, isCovered })
    return isCovered
  }
}

function firstUncoveredStage(history: History, vector: VersionVector, limit: number): number | null {
  for (const { operation } of history.journal.entries()) {
    if (operation.stage > limit) return null
    const { member, seq } = operation.id
    const stated = vector.get(member)
    // Who holds another life of the member does not hold what we hold.
    if (stated === undefined || stated.seq < seq || !isSameChain(history.log(member), vector)) return operation.stage
  }
  return null
}
