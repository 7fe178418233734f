import type { CborData } from '../base/cbor.ts'
import { CborReader } from '../base/cbor-reader.ts'
import { CborWriter } from '../base/cbor-writer.ts'
import type { Digest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import { type MemberId, memberIdToBytes, type OperationId } from '../base/ids.ts'
import { FRAME_DEPTH_MAX, SNAPSHOT_STEP_ITEMS } from '../base/limits.ts'
import type { Cell } from '../state/cell.ts'
import { isPath, type Path } from '../state/path.ts'
import { deviceOfRules, isReserved, isRulesPoint } from '../state/reserved-point.ts'
import { areRules } from '../state/rules/rules-codec.ts'
import { isValue, type Value } from '../state/value.ts'
import { openBatch } from './batch-codec.ts'
import { CellReader, CellWriter } from './cell-codec.ts'
import {
  NewerReleaseError,
  digestBytes,
  digestFrom,
  invalid,
  listOf,
  memberFrom,
  tupleOf,
  uintOf,
} from './codec-fields.ts'
import type { Conflict, ConflictSide } from './conflict.ts'
import { decodeDraft, type Draft, encodeDraft } from './draft.ts'
import type { Life } from './life.ts'
import type { RetirementRecord } from './cut.ts'
import { MemoryBound } from './memory-bound.ts'
import type { Batch, Previous } from './message.ts'
import { decodeRetirement, encodeRetirement } from './retirement-codec.ts'
import type { VersionEntry } from './version-vector.ts'

/** All that a node needs to go on: what it holds of the fleet, and what is its own. Another node takes only the first. */
export interface Snapshot extends HistorySnapshot {
  readonly life: Life
  readonly start: number
  readonly drafts: readonly Draft[]
}

/** The settled state at the floor, and the batches above it. */
export interface HistorySnapshot {
  readonly floor: number
  readonly floorDigests: ReadonlyMap<number, Digest>
  readonly highWater: Previous
  readonly cells: readonly (readonly [Path, Cell])[]
  /** How far each log is folded. */
  readonly logs: readonly VersionEntry[]
  readonly conflicts: readonly Conflict[]
  readonly conflictsForgotten: number
  readonly conflictsResolved: readonly string[]
  readonly batches: readonly Batch[]
  readonly retirement: RetirementRecord
  /** Batches with joins that were cut, by the member that hung on them. */
  readonly evidence: readonly (readonly [MemberId, Batch])[]
}

const SNAPSHOT_VERSION = 3

export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  return joinPieces([...snapshotPieces(snapshot)])
}

/**
 * The same in pieces that take a few milliseconds each, for a caller who has other work between them. What is to be
 * written is fixed by the call, whatever happens to the replica until the last piece is taken.
 */
export function snapshotPieces(snapshot: Snapshot): Iterable<Uint8Array> {
  const { cells, batches } = snapshot
  const before = [
    SNAPSHOT_VERSION,
    encodeLife(snapshot.life),
    snapshot.start,
    snapshot.floor,
    [...snapshot.floorDigests].map(([floor, digest]) => [floor, digestBytes(digest)]),
    [encodeId(snapshot.highWater.id), snapshot.highWater.stage],
  ]
  const between = [
    snapshot.logs.map((log) => [memberIdToBytes(log.member), log.seq, digestBytes(log.digest)]),
    snapshot.conflicts.map(encodeConflict),
    snapshot.conflictsForgotten,
    [...snapshot.conflictsResolved],
  ]
  const after = [
    encodeRetirement(snapshot.retirement),
    snapshot.evidence.map(([member, batch]) => [memberIdToBytes(member), batch.payload]),
    snapshot.drafts.map(encodeDraft),
  ]
  const cellWriter = new CellWriter(snapshot.floor)
  return (function* () {
    pieceWriter.list(FIELDS)
    yield pieceOf(before)
    yield* listPieces(cells, (cell) => cellWriter.write(pieceWriter, cell))
    yield pieceOf(between)
    yield* listPieces(batches, (batch) => pieceWriter.bytes(batch.payload))
    yield pieceOf(after)
  })()
}

export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

const FIELDS = 15

/** Nothing else is written while a piece is. */
const pieceWriter = new CborWriter()

function pieceOf(items: readonly CborData[]): Uint8Array {
  for (const item of items) pieceWriter.value(item)
  return pieceWriter.take()
}

/** A list as CBOR, so many items at a time. */
function* listPieces<T>(items: readonly T[], write: (item: T) => void): Generator<Uint8Array> {
  pieceWriter.list(items.length)
  yield pieceWriter.take()
  for (let at = 0; at < items.length; at += SNAPSHOT_STEP_ITEMS) {
    for (const item of items.slice(at, at + SNAPSHOT_STEP_ITEMS)) write(item)
    yield pieceWriter.take()
  }
}

/**
 * Our own writing is bounded by its bytes alone: what was snapshotted can be read again.
 * @param memoryBytesMax of that of another node
 * @throws FleetstepError `data-directory-damaged` or `data-directory-newer`
 */
export function decodeSnapshot(bytes: Uint8Array, memoryBytesMax: number = Infinity): Snapshot {
  try {
    const memory = new MemoryBound(memoryBytesMax)
    memory.takeCbor(bytes)
    return readSnapshot(new CborReader(bytes), memory)
  } catch (cause) {
    if (!(cause instanceof FleetstepError)) throw cause
    if (cause.code === 'data-directory-newer') throw cause
    if (cause instanceof NewerReleaseError) {
      const problem = `the snapshot cannot be read: ${cause.message}; install the release that wrote it`
      throw new FleetstepError('data-directory-newer', problem, { cause })
    }
    throw new FleetstepError('data-directory-damaged', `the snapshot cannot be read: ${cause.message}`, { cause })
  }
}

function readSnapshot(reader: CborReader, memory: MemoryBound): Snapshot {
  const fields = reader.list('snapshot', 1, FIELDS)
  const version = reader.uint('format of the snapshot')
  if (version !== SNAPSHOT_VERSION) {
    throw new FleetstepError(
      'data-directory-newer',
      `the snapshot has format ${version}: install the release that wrote it`,
    )
  }
  if (fields !== FIELDS) throw invalid('snapshot', `is not a list of ${FIELDS}`)
  const next = (field: string): CborData => reader.value(field, FRAME_DEPTH_MAX)
  // In the order in which they stand there.
  const life = decodeLife(next('life'))
  const start = reader.uint('start')
  const floor = reader.uint('floor')
  const floorDigests = new Map(listOf(next('digests'), 'digests').map(decodeFloorDigest))
  const [highWaterId, highWaterStage] = tupleOf(next('high-water mark'), 'high-water mark', 2)
  const highWater = { id: decodeId(highWaterId), stage: uintOf(highWaterStage, 'stage') }
  const cellReader = new CellReader(floor)
  const cells = readList(reader, 'cells', () => cellReader.read(reader))
  const logs = listOf(next('logs'), 'logs').map(decodeLog)
  const conflicts = listOf(next('conflicts'), 'conflicts').map(decodeConflict)
  const conflictsForgotten = reader.uint('conflicts forgotten')
  const conflictsResolved = listOf(next('conflicts resolved'), 'conflicts resolved').map(textOf)
  const batches = readList(reader, 'batches', () => boundBatch(reader.bytes('batch', 0, reader.left), memory))
  const retirement = decodeRetirement(next('retirement'))
  const evidence = listOf(next('evidence'), 'evidence').map((data) => decodeEvidence(data, memory))
  const drafts = listOf(next('drafts'), 'drafts')
  if (memory.isBound && drafts.length > 0) throw invalid('drafts', 'are of another node')
  reader.end('snapshot')
  const settled = { floor, floorDigests, highWater, cells, logs, conflicts, conflictsForgotten, conflictsResolved }
  return { life, start, ...settled, batches, retirement, evidence, drafts: drafts.map(draftFrom) }
}

function readList<T>(reader: CborReader, field: string, read: () => T): T[] {
  const count = reader.list(field, 0, reader.left)
  const items: T[] = []
  for (let index = 0; index < count; index++) items.push(read())
  return items
}

function encodeValue(value: Value | undefined): readonly [boolean, Value] {
  return value === undefined ? [false, null] : [true, value]
}

function decodeValue(isPresent: CborData | undefined, value: CborData | undefined): Value | undefined {
  if (isPresent !== true) return undefined
  if (!isValue(value)) throw invalid('value', 'is not valid')
  return value instanceof Uint8Array ? new Uint8Array(value) : value
}

/** Rules are looked at whole, since they judge from then on. */
function decodeContent(path: Path, isPresent: CborData | undefined, data: CborData | undefined): Value | undefined {
  if (deviceOfRules(path) === null || isPresent !== true) return decodeValue(isPresent, data)
  if (!isRulesPoint(path) || !(data instanceof Uint8Array)) throw invalid('rules', 'are none')
  const rules = new Uint8Array(data)
  if (!areRules(rules)) throw invalid('rules', 'are none')
  return rules
}

function isReservedText(text: CborData | undefined): text is Path {
  return typeof text === 'string' && isReserved(text as Path)
}

function encodeId(id: OperationId | null): CborData {
  return id === null ? null : [memberIdToBytes(id.member), id.seq]
}

function decodeId(data: CborData | undefined): OperationId | null {
  if (data === null) return null
  const [member, seq] = tupleOf(data, 'operation id', 2)
  return { member: memberFrom(member, 'member'), seq: uintOf(seq, 'seq') }
}

function decodeLog(data: CborData): VersionEntry {
  const [member, seq, digest] = tupleOf(data, 'log', 3)
  return { member: memberFrom(member, 'member'), seq: uintOf(seq, 'seq'), digest: digestFrom(digest, 'chain digest') }
}

function decodeFloorDigest(data: CborData): [number, Digest] {
  const [floor, digest] = tupleOf(data, 'digest of a floor', 2)
  return [uintOf(floor, 'floor'), digestFrom(digest, 'digest')]
}

function encodeSide(side: ConflictSide): CborData {
  return [encodeId(side.operation), side.stage, ...encodeValue(side.value)]
}

function decodeSide(path: Path, data: CborData | undefined): ConflictSide {
  const [id, stage, isPresent, value] = tupleOf(data, 'side of a conflict', 4)
  const operation = decodeId(id)
  if (operation === null) throw invalid('side of a conflict', 'has no operation')
  return { operation, stage: uintOf(stage, 'stage'), value: decodeContent(path, isPresent, value) }
}

export function encodeConflict(conflict: Conflict): CborData {
  return [conflict.path, encodeSide(conflict.winner), encodeSide(conflict.loser), conflict.id]
}

export function decodeConflict(data: CborData): Conflict {
  const [path, winner, loser, id] = tupleOf(data, 'conflict', 4)
  if (!isPath(path) && !isReservedText(path)) throw invalid('path', 'is not valid')
  return { id: textOf(id ?? null), path, winner: decodeSide(path, winner), loser: decodeSide(path, loser) }
}

function textOf(data: CborData): string {
  if (typeof data !== 'string') throw invalid('text', 'is none')
  return data
}

function boundBatch(payload: Uint8Array, memory: MemoryBound): Batch {
  const batch = openBatch(payload)
  memory.takeBatch(batch)
  return batch
}

function decodeEvidence(data: CborData, memory: MemoryBound): readonly [MemberId, Batch] {
  const [member, batch] = tupleOf(data, 'evidence', 2)
  if (!(batch instanceof Uint8Array)) throw invalid('batch', 'is not bytes')
  return [memberFrom(member, 'member'), boundBatch(new Uint8Array(batch), memory)]
}

export function encodeLife({ member, draftReason, adoptedJoin, trusted }: Life): CborData {
  return [memberIdToBytes(member), draftReason, encodeId(adoptedJoin), encodeId(trusted)]
}

export function decodeLife(data: CborData | undefined): Life {
  const [member, draftReason, adoptedJoin, trusted] = tupleOf(data, 'life', 4)
  return {
    member: memberFrom(member, 'member'),
    draftReason: draftReason === null ? null : textOf(draftReason ?? null),
    adoptedJoin: decodeId(adoptedJoin),
    trusted: decodeId(trusted),
  }
}

function draftFrom(data: CborData): Draft {
  if (!(data instanceof Uint8Array)) throw invalid('draft', 'is not bytes')
  return decodeDraft(new Uint8Array(data))
}
