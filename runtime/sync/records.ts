import { type CborData, decodeCbor, encodeBytesBehind, encodeCbor } from '../base/cbor.ts'
import { CborReader } from '../base/cbor-reader.ts'
import { FleetstepError } from '../base/errors.ts'
import { type MemberId, memberIdToBytes } from '../base/ids.ts'
import { CONFLICTS_MAX, FRAME_DEPTH_MAX } from '../base/limits.ts'
import { openBatch } from './batch-codec.ts'
import { NewerReleaseError, invalid, listOf, memberFrom, tupleOf, uintOf, unknownHere } from './codec-fields.ts'
import type { RetirementRecord } from './cut.ts'
import type { Conflict } from './conflict.ts'
import { decodeDraft, type Draft, encodeDraft } from './draft.ts'
import type { Life } from './life.ts'
import type { Batch, Offer } from './message.ts'
import { decodeConflict, decodeLife, encodeConflict, encodeLife } from './snapshot.ts'
import { decodeRetirement, decodeVector, encodeRetirement, encodeVector } from './retirement-codec.ts'
import type { VersionVector } from './version-vector.ts'

/**
 * What the replica stores between snapshots, in the order in which it happened.
 * - `start`: the daemon started for the `start`-th time; announcements are ordered by it.
 * - `batch`: operations were integrated, or issued here.
 * - `floor`: everything at or below it is settled; the batches before this record hold all of it.
 * - `epoch`: an epoch document was taken in, and this is what was held of its retired then.
 * - `cuts`: the cuts of the newest epoch became known, and what lies beyond them left the journal.
 * - `truncated`: operations of a member behind a seq left the journal.
 * - `life`: this node has another member id, or another standing, from here on.
 * - `draft`: an operation of a node that is no member.
 * - `settled`: the first drafts are settled: issued in the batch, in the conflict list, or back already.
 * - `part`: a part of a snapshot of another node; with the last one it replaces what was held.
 * - `resolved`: a conflict was re-applied or dismissed by a person.
 */
export type StoredRecord =
  | { readonly kind: 'start'; readonly member: MemberId; readonly start: number }
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'floor'; readonly floor: number }
  | { readonly kind: 'epoch'; readonly retirement: RetirementRecord }
  | { readonly kind: 'cuts'; readonly cuts: VersionVector }
  | { readonly kind: 'truncated'; readonly member: MemberId; readonly seq: number }
  | { readonly kind: 'life'; readonly life: Life }
  | { readonly kind: 'draft'; readonly draft: Draft }
  | {
      readonly kind: 'settled'
      readonly count: number
      readonly batch: Batch | null
      readonly conflicts: readonly Conflict[]
    }
  | { readonly kind: 'part'; readonly part: SnapshotPart }
  | { readonly kind: 'resolved'; readonly conflict: string }

/** A snapshot of another node, cut into records. */
export interface SnapshotPart {
  readonly purpose: Offer['purpose']
  readonly index: number
  readonly count: number
  readonly bytes: Uint8Array
}

const KIND_START = 0
const KIND_BATCH = 1
const KIND_RESOLVED = 2
const KIND_FLOOR = 3
const KIND_EPOCH = 4
const KIND_CUTS = 5
const KIND_TRUNCATED = 6
const KIND_LIFE = 7
const KIND_DRAFT = 8
const KIND_SETTLED = 9
const KIND_PART = 10

/** A list of two, of which this is the first. */
const BATCH_HEAD: Uint8Array = Uint8Array.of(0x82, KIND_BATCH)
const FLOOR_HEAD: Uint8Array = Uint8Array.of(0x82, KIND_FLOOR)

export function encodeRecord(record: StoredRecord): Uint8Array {
  switch (record.kind) {
    case 'start':
      return encodeCbor([KIND_START, memberIdToBytes(record.member), record.start])
    case 'batch':
      return encodeBytesBehind(BATCH_HEAD, record.batch.payload)
    case 'floor':
      return encodeCbor([KIND_FLOOR, record.floor])
    case 'resolved':
      return encodeCbor([KIND_RESOLVED, record.conflict])
    case 'epoch':
      return encodeCbor([KIND_EPOCH, encodeRetirement(record.retirement)])
    case 'cuts':
      return encodeCbor([KIND_CUTS, encodeVector(record.cuts)])
    case 'life':
      return encodeCbor([KIND_LIFE, encodeLife(record.life)])
    case 'draft':
      return encodeCbor([KIND_DRAFT, encodeDraft(record.draft)])
    case 'settled':
      return encodeCbor([
        KIND_SETTLED,
        record.count,
        record.batch?.payload ?? null,
        record.conflicts.map(encodeConflict),
      ])
    case 'part': {
      const { purpose, index, count, bytes } = record.part
      return encodeCbor([KIND_PART, purpose === 'catch-up', index, count, bytes])
    }
    case 'truncated':
      return encodeCbor([KIND_TRUNCATED, memberIdToBytes(record.member), record.seq])
  }
}

/** @throws FleetstepError `data-directory-newer` for what another release has written, `data-directory-damaged` for nonsense */
export function decodeRecord(bytes: Uint8Array): StoredRecord {
  try {
    return frequentRecordFrom(recordReader.begin(bytes), bytes.length) ?? recordFrom(decodeCbor(bytes, FRAME_DEPTH_MAX))
  } catch (cause) {
    if (!(cause instanceof FleetstepError)) throw cause
    if (cause instanceof NewerReleaseError) {
      const problem = `a stored record cannot be read: ${cause.message}; install the release that wrote it`
      throw new FleetstepError('data-directory-newer', problem, { cause })
    }
    throw new FleetstepError('data-directory-damaged', `a stored record cannot be read: ${cause.message}`, { cause })
  }
}

const recordReader = new CborReader()

/** Nearly every record is a batch or a floor, and a start reads thousands: a twentieth of the way through the library. */
function frequentRecordFrom(reader: CborReader, length: number): StoredRecord | null {
  if (reader.takeBeginning(BATCH_HEAD))
    return { kind: 'batch', batch: openBatch(reader.enter('batch', 0, length), reader) }
  if (!reader.takeBeginning(FLOOR_HEAD)) return null
  const floor = reader.uint('floor')
  reader.end('floor')
  return { kind: 'floor', floor }
}

function recordFrom(data: CborData): StoredRecord {
  if (!Array.isArray(data)) throw invalid('record', 'is not a list')
  switch (data[0]) {
    case KIND_START: {
      const [, member, start] = tupleOf(data, 'start', 3)
      return { kind: 'start', member: memberFrom(member, 'member'), start: uintOf(start, 'start') }
    }
    case KIND_RESOLVED: {
      const [, conflict] = tupleOf(data, 'resolved', 2)
      if (typeof conflict !== 'string') throw invalid('conflict', 'is not text')
      return { kind: 'resolved', conflict }
    }
    case KIND_EPOCH: {
      const [, retirement] = tupleOf(data, 'epoch', 2)
      return { kind: 'epoch', retirement: decodeRetirement(retirement) }
    }
    case KIND_CUTS: {
      const [, cuts] = tupleOf(data, 'cuts', 2)
      return { kind: 'cuts', cuts: decodeVector(cuts) }
    }
    case KIND_TRUNCATED: {
      const [, member, seq] = tupleOf(data, 'truncation', 3)
      return { kind: 'truncated', member: memberFrom(member, 'member'), seq: uintOf(seq, 'seq') }
    }
    case KIND_LIFE: {
      const [, life] = tupleOf(data, 'life', 2)
      return { kind: 'life', life: decodeLife(life) }
    }
    case KIND_DRAFT: {
      const [, draft] = tupleOf(data, 'draft', 2)
      return { kind: 'draft', draft: decodeDraft(bytesFrom(draft)) }
    }
    case KIND_SETTLED: {
      const [, count, batch, conflicts] = tupleOf(data, 'settled drafts', 4)
      return {
        kind: 'settled',
        count: uintOf(count, 'count'),
        batch: batch === null ? null : openBatch(bytesFrom(batch)),
        conflicts: listOf(conflicts, 'conflicts', CONFLICTS_MAX).map(decodeConflict),
      }
    }
    case KIND_PART: {
      const [, isCatchUp, index, count, bytes] = tupleOf(data, 'part', 5)
      const purpose = isCatchUp === true ? 'catch-up' : 'welcome'
      const part = { purpose, index: uintOf(index, 'index'), count: uintOf(count, 'count') } as const
      return { kind: 'part', part: { ...part, bytes: bytesFrom(bytes) } }
    }
    default:
      throw Number.isInteger(data[0]) ? unknownHere('kind of record') : invalid('record', 'has no kind')
  }
}

function bytesFrom(data: CborData | undefined): Uint8Array {
  if (!(data instanceof Uint8Array)) throw invalid('part of a record', 'is not bytes')
  return new Uint8Array(data)
}
