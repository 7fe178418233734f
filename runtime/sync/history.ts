import { BinaryHeap } from '../base/binary-heap.ts'
import type { Digest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import { mapped, pushed } from '../base/mapped.ts'
import type { Operation } from '../state/operation.ts'
import type { Cell } from '../state/cell.ts'
import type { Path } from '../state/path.ts'
import { isReserved, showPoint } from '../state/reserved-point.ts'
import { type Entry, entryOf } from '../state/entry.ts'
import { type Conflict, ConflictList } from './conflict.ts'
import { type Holdings, judge, type Place, placeOf, type Verdict } from './consistency.ts'
import { Retirement } from './cut.ts'
import type { Effects } from './effects.ts'
import { FloorDigests } from './floor-digests.ts'
import { Journal } from './journal.ts'
import { LocalState } from './local-state.ts'
import { MemberLog } from './member-log.ts'
import type { Membership } from './membership.ts'
import { type Batch, compareByFirst, firstOf, lastOf, type Previous, type SyncMessage } from './message.ts'
import { conflictsOfSecondContents } from './settlement.ts'
import { type VersionEntry, type VersionVector, versionVector } from './version-vector.ts'
import { type Waits, WaitingList } from './waiting-list.ts'

/** What became of one received batch, and of those that had waited for it. */
export interface Reception {
  readonly verdict: Verdict
  /** Null unless the verdict is `wait`. */
  readonly waits: Waits | null
  /** In the order in which they were executed. */
  readonly integrations: readonly Integration[]
  /** Those that had waited for it and turned out to contradict what is held now. */
  readonly rejected: readonly Rejection[]
}

export interface Rejection {
  readonly batch: Batch
  readonly verdict: Verdict
}

export interface Integration {
  /** Null for an operation of our own that is not in a batch yet. */
  readonly batch: Batch | null
  readonly place: Place
  readonly entries: readonly Entry[]
  readonly effects: Effects
  readonly conflicts: readonly Conflict[]
}

/** Operations that have left the journal, and what that did. */
export interface Removal {
  readonly entries: readonly Entry[]
  /** The same as they were issued. */
  readonly messages: readonly SyncMessage[]
  readonly effects: readonly Effects[]
  readonly conflicts: readonly Conflict[]
}

/**
 * Everything that a node holds: the journal with its state, the log of each member, and what waits. It takes operations in
 * any order and comes to the same order, outcomes and state for the same operations.
 */
export class History implements Holdings {
  readonly membership: Membership
  readonly retirement: Retirement = new Retirement()
  readonly journal: Journal
  readonly local: LocalState
  readonly conflicts: ConflictList = new ConflictList()
  readonly waitingList: WaitingList = new WaitingList()
  readonly floorDigests: FloorDigests
  /** Why a batch is not from whom it says, or null: asked again of one whose key was not known when it came. */
  problemOf: (batch: Batch) => string | null = () => null
  readonly #logs = new Map<MemberId, MemberLog>()
  /** The one of them that was asked for last: a batch asks for the log of its origin eight times. */
  #lastLog: MemberLog | null = null
  /** Whose joins have left, or will never come, since what waits was looked at. */
  readonly #gone = new Set<MemberId>()
  #revision = 0
  #highWater: Previous = { id: null, stage: 0 }

  constructor(membership: Membership, floor: number, floorDigest: Digest) {
    this.membership = membership
    this.journal = new Journal(floor)
    this.floorDigests = new FloorDigests(floor, floorDigest)
    this.local = new LocalState(membership.charter)
  }

  get floor(): number {
    return this.journal.floor
  }

  /** Grows with each change but that of operations which follow what is held: of members, epoch, floor, or what has left. */
  get revision(): number {
    return this.#revision + this.membership.revision + this.retirement.revision
  }

  get floorDigest(): Digest {
    return this.floorDigests.current
  }

  /** The last operation in canonical order that was ever executed here, also if it was cut since. */
  get highWater(): Previous {
    return this.#highWater
  }

  /** The log of a member; of anybody else an empty one that is not kept, so that hostile ids cost no memory. */
  log(member: MemberId): MemberLog {
    if (this.#lastLog?.member === member) return this.#lastLog
    const known = this.#logs.get(member)
    if (known !== undefined) return (this.#lastLog = known)
    const log = new MemberLog(member)
    if (this.membership.get(member) !== undefined) this.#logs.set(member, log)
    return log
  }

  /** The log of this node in one of its lives, which is kept also where its join was cut: what it holds comes back. */
  keepLog(member: MemberId): MemberLog {
    const log = this.log(member)
    this.#logs.set(member, log)
    return log
  }

  *logs(): Generator<MemberLog> {
    yield* this.#logs.values()
  }

  /** What is on the disk. */
  storedVector(): VersionVector {
    return versionVector([...this.#logs.values()].map((log) => log.stored))
  }

  /** Takes back a log and the high-water mark of a snapshot. Only before the first batch. */
  restoreLog(settled: VersionEntry): void {
    this.#lastLog = null
    this.#logs.set(settled.member, new MemberLog(settled.member, settled))
  }

  /** Takes back a settled point of a snapshot. Only before the first batch. @throws FleetstepError `data-directory-damaged` */
  restoreCell(path: Path, cell: Cell): void {
    if (this.local.has(path)) {
      const problem = `the snapshot contradicts itself: it holds ${showPoint(path)} twice`
      throw new FleetstepError('data-directory-damaged', problem)
    }
    this.local.restore(path, cell)
    this.membership.follow(path, cell)
  }

  restoreHighWater(highWater: Previous): void {
    this.#highWater = highWater
  }

  /** Executes an operation of our own at once, before it stands in a batch. */
  execute(operation: Operation): Integration {
    return this.#integrate([operation], null)
  }

  /** Puts a batch of operations that are executed already into the log: our own, now sealed. */
  seal(batch: Batch): void {
    this.log(batch.origin).extend(batch)
  }

  /** Takes a batch, or keeps it until it can, and then whatever waited for it. */
  receive(batch: Batch): Reception {
    const verdict = judge(batch, this)
    const rejected: Rejection[] = []
    if (verdict.kind === 'cut') return { verdict, waits: null, integrations: this.#noteEvidence(batch), rejected }
    if (verdict.kind === 'ready') {
      return { verdict, waits: null, integrations: this.#integrateAll(batch, rejected), rejected }
    }
    if (verdict.kind !== 'wait') return { verdict, waits: null, integrations: [], rejected }
    if (this.waitingList.has(batch)) return { verdict: { kind: 'known' }, waits: null, integrations: [], rejected }
    return { verdict, waits: this.waitingList.add(batch, verdict.missing), integrations: [], rejected }
  }

  /**
   * Takes back a batch of the own disk, which was ready when it was stored, or of the snapshot of another node; parts below
   * the floor are in the snapshot.
   * @throws FleetstepError `data-directory-damaged` if it does not follow what is held of its member, or is of nobody
   */
  restore(batch: Batch): Integration[] {
    const log = this.#logs.get(batch.origin) ?? this.log(batch.origin)
    if (lastOf(batch).current.id.seq <= log.held.seq) return []
    const isOfNobody = !this.#logs.has(batch.origin)
    if (isOfNobody || firstOf(batch).current.id.seq !== log.held.seq + 1 || batch.link !== log.held.digest) {
      const { id } = firstOf(batch).current
      const what = isOfNobody
        ? `operation ${id.seq} is of ${id.member}, which is no member`
        : `operation ${id.seq} of ${id.member} does not follow operation ${log.held.seq}`
      throw new FleetstepError('data-directory-damaged', `the journal contradicts itself: ${what}`)
    }
    return this.#integrateAll(batch, [])
  }

  /**
   * Takes back the operations of each member behind a seq. Whoever hung on a join among them, and on no other join, is
   * cut at 0 with all that it sponsored; the joins stay as evidence. What waits for them is looked at when the caller asks for it.
   * @param isKept whose operations stay nevertheless: our own, which we issue again when we have joined anew
   */
  truncate(
    bounds: Iterable<readonly [MemberId, number]>,
    isKept: (member: MemberId) => boolean = () => false,
  ): Removal {
    this.#revision += 1
    const entries: Entry[] = []
    const messages: SyncMessage[] = []
    const effects: Effects[] = []
    const conflicts: Conflict[] = []
    for (let round = [...bounds]; round.length > 0;) {
      const removed = round.flatMap(([member, seq]) => (isKept(member) ? [] : this.#takeOut(member, seq, messages)))
      for (const entry of removed) this.conflicts.leave(entry)
      const effect = this.local.remove(removed)
      conflicts.push(...this.conflicts.follow(effect))
      entries.push(...removed)
      effects.push(effect)
      round = this.#followMembership(effect).map((member) => [member, 0])
      for (const [member] of round) this.#gone.add(member)
    }
    for (const { member, batches } of this.#logs.values()) {
      const isStranger = this.membership.get(member) === undefined && !isKept(member)
      if (batches.length === 0 && isStranger) this.#logs.delete(member)
    }
    this.#lastLog = null
    return { entries, messages, effects, conflicts }
  }

  /** The cuts of the newest epoch are known: what lies beyond them leaves the journal. */
  cut(cuts: VersionVector, isKept: (member: MemberId) => boolean = () => false): Removal {
    this.retirement.noteCuts(cuts)
    return this.truncate(
      [...this.retirement.retired].map((member) => [member, cuts.get(member)?.seq ?? 0]),
      isKept,
    )
  }

  /** Judges anew all that waits: an epoch or its cuts may say of any of it that it does not stand. */
  reconsider(): Integration[] {
    this.#gone.clear()
    return this.#judgeAnew(this.waitingList.clear())
  }

  /** Judges anew what waits for members whose join has left or will never come, and looks at nothing else. */
  reconsiderGone(): Integration[] {
    const gone = [...this.#gone]
    this.#gone.clear()
    return this.#judgeAnew(gone.flatMap((member) => this.waitingList.release(member, Infinity)))
  }

  #judgeAnew(batches: readonly Batch[]): Integration[] {
    // A forged one waits for a join that is here now: it falls out, and the right one is asked for.
    return batches
      .toSorted(compareByFirst)
      .flatMap((batch) => (this.problemOf(batch) === null ? this.receive(batch).integrations : []))
  }

  /** Moves the floor: what lies at or below it is settled and leaves the journal. */
  fold(stage: number): Entry[] {
    return this.foldThrough([stage])
  }

  /** The same as for each of the floors in turn, which only grow, and not empty. */
  foldThrough(floors: readonly number[]): Entry[] {
    const last = floors[floors.length - 1] as number
    this.#revision += 1
    const entries = this.journal.fold(last)
    this.local.fold(entries, last)
    this.floorDigests.follow(entries, floors)
    for (const log of this.#logs.values()) log.fold(last)
    return entries
  }

  /** Integrates a ready batch, then in canonical order each waiting one that has become ready; adds the rest to `rejected`. */
  #integrateAll(batch: Batch, rejected: Rejection[]): Integration[] {
    if (this.waitingList.length === 0) return this.#integrateAlone(batch)
    let integrations: Integration[] = []
    const ready = new BinaryHeap(compareClaims)
    ready.add(batch)
    for (let next = ready.take(); next !== undefined; next = ready.take()) {
      if (next !== batch && !this.#isReadyOrWaits(next, rejected)) continue
      const operations = this.#above(next)
      this.log(next.origin).extend(next)
      if (operations.length > 0) integrations = pushed(integrations, this.#integrate(operations, next))
      for (const released of this.#releasedBy(next, operations)) ready.add(released)
    }
    return integrations
  }

  /** The same while nothing waits, and so nothing can be released by it: that is how nearly every batch comes. */
  #integrateAlone(batch: Batch): Integration[] {
    const operations = this.#above(batch)
    this.log(batch.origin).extend(batch)
    return operations.length === 0 ? [] : [this.#integrate(operations, batch)]
  }

  /** The operations of a batch that are not in the snapshot. */
  #above({ messages }: Batch): readonly Operation[] {
    const operations = mapped(messages, currentOf)
    return (operations[0] as Operation).stage > this.floor
      ? operations
      : operations.filter(({ stage }) => stage > this.floor)
  }

  #releasedBy({ origin }: Batch, operations: readonly Operation[]): readonly Batch[] {
    let released = this.waitingList.release(origin, this.log(origin).held.seq)
    for (const { join } of operations) {
      if (join !== null) released = [...released, ...this.waitingList.release(join.member, 0)]
    }
    return released
  }

  /** Judges a released batch again; if something else is missing, it waits for that. */
  #isReadyOrWaits(batch: Batch, rejected: Rejection[]): boolean {
    const reason = this.problemOf(batch)
    const verdict: Verdict = reason === null ? judge(batch, this) : { kind: 'refused', reason }
    if (verdict.kind === 'wait') this.waitingList.add(batch, verdict.missing)
    else if (verdict.kind !== 'ready') rejected.push({ batch, verdict })
    return verdict.kind === 'ready'
  }

  #integrate(operations: readonly Operation[], batch: Batch | null): Integration {
    const place = placeOf(operations[0] as Operation, this.journal)
    const entries = mapped(operations, entryOf)
    for (const entry of entries) this.journal.insert(entry)
    const effects = place === 'insert' ? this.local.add(entries) : this.local.append(entries)
    this.#followMembership(effects)
    const followed = this.conflicts.follow(effects)
    const seconds = conflictsOfSecondContents(effects, this.local).filter((conflict) => this.conflicts.keep(conflict))
    this.#raiseHighWater()
    return { batch, place, entries, effects, conflicts: seconds.length === 0 ? followed : [...followed, ...seconds] }
  }

  /** Members come and go with their points. @returns those that have gone */
  #followMembership(effects: Effects): MemberId[] {
    const gone: MemberId[] = []
    for (const { path, after } of effects.changed) {
      const member = isReserved(path) ? this.membership.follow(path, after) : null
      if (member !== null && this.membership.get(member) === undefined) gone.push(member)
    }
    return gone
  }

  /** Joins that were cut before they came here: what waits for their members need not wait any more. */
  #noteEvidence(batch: Batch): Integration[] {
    const { id } = firstOf(batch).current
    if (!this.retirement.isCut(id.member, id.seq) && !this.retirement.evidence.has(id.member)) return []
    const isAwaited = (join: MemberId): boolean => this.waitingList.isMissingAny((member) => member === join)
    this.#noteJoinsGone(batch, isAwaited)
    return this.reconsiderGone()
  }

  #noteJoinsGone(batch: Batch, isNeeded: (member: MemberId) => boolean = () => true): void {
    for (const { current } of batch.messages) {
      const member = current.join?.member
      if (member !== undefined && this.retirement.noteEvidence(member, batch, isNeeded(member))) this.#gone.add(member)
    }
  }

  /** Takes the operations of `member` behind `seq` out of its log and the journal. */
  #takeOut(member: MemberId, seq: number, messages: SyncMessage[]): Entry[] {
    const entries: Entry[] = []
    for (const batch of this.#logs.get(member)?.truncate(seq) ?? []) {
      this.#noteJoinsGone(batch)
      for (const message of batch.messages) {
        const { current } = message
        if (current.stage <= this.floor) continue
        messages.push(message)
        const entry = this.journal.entryOf(current)
        this.journal.remove(entry)
        entries.push(entry)
      }
    }
    return entries
  }

  #raiseHighWater(): void {
    const last = this.journal.last?.operation
    if (last !== undefined && last.stage >= this.#highWater.stage) this.#highWater = last
  }
}

function currentOf({ current }: SyncMessage): Operation {
  return current
}

/** Of two lives that claim one place, the one first that stands. */
function compareClaims(left: Batch, right: Batch): number {
  return compareByFirst(left, right) || (left.digest < right.digest ? -1 : 1)
}
