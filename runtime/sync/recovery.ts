import { EMPTY_DIGEST } from '../base/digest.ts'
import { FleetstepError, unreachable } from '../base/errors.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
import { FLOOR_DIGESTS_MAX } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { Entry } from '../state/entry.ts'
import { batchesAbove, belongingsOf } from './adoption.ts'
import { type Draft, draftsAmong } from './draft.ts'
import { History, type Removal } from './history.ts'
import { firstLife, keepsOwn, type Life } from './life.ts'
import { type Genesis, Membership } from './membership.ts'
import { type Batch, lastOf } from './message.ts'
import { decodeRecord, type SnapshotPart, type StoredRecord } from './records.ts'
import { conflictsOfRemoved } from './settlement.ts'
import { decodeSnapshot, type HistorySnapshot } from './snapshot.ts'
import type { FloorMark } from './stored-floor.ts'
import type { VersionEntry } from './version-vector.ts'

/** What the store gave back. */
export interface Recovered {
  readonly snapshot: Uint8Array | null
  /** The records behind the snapshot, in order. */
  readonly records: readonly Uint8Array[]
  /** Number of the last record ever stored, 0 if there was none. */
  readonly last: number
}

/** What a node holds, as it stands on its disk. */
export interface Holding {
  readonly life: Life
  readonly history: History
  readonly drafts: readonly Draft[]
}

export interface Recovery extends Holding {
  /** The count of the last start. */
  readonly start: number
  /** Highest stage on the disk. */
  readonly storedStage: number
  /** The life is not on the disk yet. */
  readonly isNew: boolean
}

/**
 * Builds what the node holds anew from its disk.
 * @param self any member id of this node
 * @param key its public key, or empty
 * @throws FleetstepError `data-directory-*`
 */
export function recover(
  self: MemberId,
  genesis: Genesis,
  key: Uint8Array,
  recovered: Recovered,
  random: Random,
): Recovery {
  const replay = new Replay(self, genesis, key, recovered.snapshot, random)
  for (const bytes of recovered.records) replay.take(decodeRecord(bytes))
  return replay.result()
}

/** What a node holds with a snapshot of another one. */
export interface Adoption extends Holding {
  /** The floor of the snapshot: of what is settled above it, the disk does not know that. */
  readonly floor: FloorMark
}

/** What a node holds after it has adopted a snapshot of another one. The same live and when it is read from the disk. */
export function adopt(old: Holding, genesis: Genesis, purpose: SnapshotPart['purpose'], bytes: Uint8Array): Adoption {
  const { member } = old.life
  const history = historyFrom(genesis, decodeSnapshot(bytes))
  const floor = { stage: history.floor, digest: history.floorDigest }
  keepEvidence(old.history, history)
  keepConflicts(old.history, history)
  if (purpose === 'catch-up') {
    history.retirement.restore(old.history.retirement.record)
    for (const batch of batchesAbove(old.history)) history.receive(batch)
    // What we have issued and announced so far lies at or below our own high-water mark: no stage of ours goes back.
    if (old.history.highWater.stage > history.highWater.stage) history.restoreHighWater(old.history.highWater)
    return { life: old.life, history, drafts: old.drafts, floor }
  }
  const belongings = belongingsOf(old, history)
  for (const conflict of belongings.conflicts) history.conflicts.keep(conflict)
  // A sponsor may be behind what this node had settled in its former life.
  foldLike(history, old.history)
  const adoptedJoin = history.membership.get(member)?.join ?? null
  return { life: { member, draftReason: null, adoptedJoin, trusted: null }, history, drafts: belongings.drafts, floor }
}

/**
 * Moves the floor to where it was in a former history of this node, if the two are the same up to there: what was settled for
 * people is not taken back. Else nothing changes.
 */
function foldLike(history: History, former: History): void {
  if (former.floor <= history.floor) return
  for (const { member, settled } of former.logs())
    if (settled.seq > 0 && history.log(member).digestAt(settled.seq) !== settled.digest) return
  const entries: Entry[] = []
  for (const entry of history.journal.entries()) {
    if (entry.operation.stage > former.floor) break
    entries.push(entry)
  }
  if (history.floorDigests.after(entries) === former.floorDigest) history.fold(former.floor)
}

/** What people of this node have still to decide, and what they have decided, is of this node alone. */
function keepConflicts(old: History, fresh: History): void {
  for (const id of old.conflicts.resolved()) fresh.conflicts.resolve(id)
  for (const conflict of old.conflicts.kept()) fresh.conflicts.keep(conflict)
}

/** Others may wait for a join that was cut, here or of our own, and perhaps nobody else has seen it. */
function keepEvidence(old: History, fresh: History): void {
  const { evidence } = fresh.retirement
  for (const [member, batch] of [...old.retirement.evidence, ...joinsCut(old, fresh)]) {
    if (!evidence.has(member) && fresh.membership.get(member) === undefined)
      fresh.retirement.noteEvidence(member, batch, true)
  }
}

function* joinsCut(old: History, { retirement }: History): Generator<[MemberId, Batch]> {
  for (const { batches } of old.logs()) {
    for (const batch of batches) {
      for (const { current } of batch.messages) {
        const { id, join } = current
        if (join !== null && retirement.isCut(id.member, id.seq)) yield [join.member, batch]
      }
    }
  }
}

/**
 * Everything that is held is on the disk.
 * @param own of our own no more than this, if something was issued while a snapshot was on its way to the disk
 */
export function markAllStored(history: History, own: VersionEntry | null = null): void {
  for (const log of history.logs()) log.markStored(own?.member === log.member ? own : log.held)
}

/** @throws FleetstepError `message-invalid` if the batches do not fit the rest: of another node, since our own do */
export function historyFrom(genesis: Genesis, snapshot: HistorySnapshot): History {
  const membership = new Membership(genesis)
  const history = new History(membership, snapshot.floor, snapshot.floorDigests.get(snapshot.floor) ?? EMPTY_DIGEST)
  for (const [floor, digest] of snapshot.floorDigests) history.floorDigests.restore(floor, digest)
  for (const [path, cell] of snapshot.cells) history.restoreCell(path, cell)
  for (const log of snapshot.logs) history.restoreLog(log)
  history.retirement.restore(snapshot.retirement)
  for (const [member, batch] of snapshot.evidence) history.retirement.noteEvidence(member, batch, true)
  history.restoreHighWater(snapshot.highWater)
  history.conflicts.restore(snapshot.conflicts, snapshot.conflictsForgotten, snapshot.conflictsResolved)
  for (const batch of snapshot.batches) history.restore(batch)
  return history
}

/** Follows the records in the order in which things happened. */
class Replay {
  readonly #genesis: Genesis
  #holding: Holding
  #drafts: Draft[]
  #start = 0
  #storedStage = 0
  #isNew: boolean
  #parts: Uint8Array[] = []
  /** Floors that are not applied yet: many together cost little more than one. */
  readonly #floors: number[] = []

  constructor(self: MemberId, genesis: Genesis, key: Uint8Array, bytes: Uint8Array | null, random: Random) {
    this.#genesis = genesis
    this.#isNew = bytes === null
    const snapshot = bytes === null ? null : decodeSnapshot(bytes)
    const history =
      snapshot === null ? new History(new Membership(genesis), 0, EMPTY_DIGEST) : historyFrom(genesis, snapshot)
    const life = snapshot?.life ?? firstLife(nodeOf(self), genesis, key, random)
    this.#drafts = [...(snapshot?.drafts ?? [])]
    this.#start = snapshot?.start ?? 0
    this.#holding = { life, history, drafts: this.#drafts }
    checkOwner(life.member, self)
    markAllStored(history)
    this.#storedStage = history.highWater.stage
  }

  result(): Recovery {
    this.#settle()
    const { life, history } = this.#holding
    const { history: _, ...rest } = { history, start: this.#start, storedStage: this.#storedStage, isNew: this.#isNew }
    return { life, history, drafts: this.#drafts, ...rest }
  }

  take(record: StoredRecord): void {
    const { history, life } = this.#holding
    if (record.kind !== 'part') this.#parts = []
    // A batch behind a floor lies above it, and comes to the same whether what lies below has left the journal.
    if (record.kind !== 'batch' && record.kind !== 'floor') this.#settle()
    switch (record.kind) {
      case 'start':
        checkOwner(record.member, life.member)
        this.#start = record.start
        break
      case 'batch':
        this.#restore(record.batch)
        break
      case 'floor':
        if (record.floor > (this.#floors.at(-1) ?? history.floor)) this.#floors.push(record.floor)
        if (this.#floors.length === FLOOR_DIGESTS_MAX) this.#settle()
        break
      case 'epoch':
        history.retirement.restore(record.retirement)
        break
      case 'cuts':
        this.#takeBack(history.cut(record.cuts, (member) => keepsOwn(life, member)))
        break
      case 'truncated':
        this.#truncate(record.member, record.seq)
        break
      case 'life':
        checkOwner(record.life.member, life.member)
        this.#isNew = false
        this.#holding = { ...this.#holding, life: record.life }
        break
      case 'draft':
        this.#drafts.push(record.draft)
        break
      case 'settled':
        this.#drafts.splice(0, record.count)
        if (record.batch !== null) this.#restore(record.batch)
        for (const conflict of record.conflicts) history.conflicts.keep(conflict)
        break
      case 'part':
        this.#takePart(record.part)
        break
      case 'resolved':
        history.conflicts.resolve(record.conflict)
        break
      default:
        unreachable(record)
    }
  }

  #restore(batch: Batch): void {
    const { history, life } = this.#holding
    if (nodeOf(batch.origin) === nodeOf(life.member)) history.keepLog(batch.origin)
    history.restore(batch)
    const { id, stage } = lastOf(batch).current
    history.log(batch.origin).markStored({ member: batch.origin, seq: id.seq, digest: batch.digest })
    this.#storedStage = Math.max(this.#storedStage, stage)
  }

  #settle(): void {
    if (this.#floors.length > 0) this.#holding.history.foldThrough(this.#floors.splice(0))
  }

  #takeBack({ messages }: Removal): void {
    this.#drafts.push(...draftsAmong(messages, nodeOf(this.#holding.life.member)))
  }

  #truncate(member: MemberId, seq: number): void {
    const { history, life } = this.#holding
    const removal = history.truncate([[member, seq]], (other) => keepsOwn(life, other))
    const { entries } = removal
    this.#takeBack(removal)
    for (const { operation } of entries) {
      for (const conflict of conflictsOfRemoved(operation, history.local)) history.conflicts.keep(conflict)
    }
  }

  /** A snapshot of which the last part is missing was never adopted. */
  #takePart({ purpose, index, count, bytes }: SnapshotPart): void {
    if (index === 0) this.#parts = []
    this.#parts.push(bytes)
    if (index < count - 1) return
    const whole = new Uint8Array(Buffer.concat(this.#parts))
    this.#holding = adopt({ ...this.#holding, drafts: this.#drafts }, this.#genesis, purpose, whole)
    this.#drafts = [...this.#holding.drafts]
    markAllStored(this.#holding.history)
    this.#storedStage = this.#holding.history.highWater.stage
  }
}

function checkOwner(member: MemberId, self: MemberId): void {
  if (nodeOf(member) === nodeOf(self)) return
  throw new FleetstepError(
    'data-directory-foreign',
    `the data directory belongs to member ${member}, and this is ${self}`,
  )
}
