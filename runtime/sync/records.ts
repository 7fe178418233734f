import { type CborData, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { FleetstepError } from '../base/errors.ts'
import { type MemberId, memberIdToBytes } from '../base/ids.ts'
import { FRAME_DEPTH_MAX } from '../base/limits.ts'
import { openBatch } from './batch-codec.ts'
import { invalid, memberFrom, tupleOf, uintOf } from './codec-fields.ts'
import type { Batch } from './message.ts'

/**
 * What the replica stores between snapshots, in the order in which it happened.
 * - `start`: the daemon started for the `start`-th time; announcements are ordered by it.
 * - `batch`: operations were integrated, or issued here.
 * - `floor`: everything at or below it is settled; the batches before this record hold all of it.
 * - `resolved`: a conflict was re-applied or dismissed by a person.
 */
export type StoredRecord =
  | { readonly kind: 'start'; readonly member: MemberId; readonly start: number }
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'floor'; readonly floor: number }
  | { readonly kind: 'resolved'; readonly conflict: string }

const KIND_START = 0
const KIND_BATCH = 1
const KIND_RESOLVED = 2
const KIND_FLOOR = 3

export function encodeRecord(record: StoredRecord): Uint8Array {
  switch (record.kind) {
    case 'start':
      return encodeCbor([KIND_START, memberIdToBytes(record.member), record.start])
    case 'batch':
      return encodeCbor([KIND_BATCH, record.batch.payload])
    case 'floor':
      return encodeCbor([KIND_FLOOR, record.floor])
    case 'resolved':
      return encodeCbor([KIND_RESOLVED, record.conflict])
  }
}

/** @throws FleetstepError `data-directory-damaged`: the bytes are whole but mean nothing to this version */
export function decodeRecord(bytes: Uint8Array): StoredRecord {
  try {
    return recordFrom(decodeCbor(bytes, FRAME_DEPTH_MAX))
  } catch (cause) {
    if (!(cause instanceof FleetstepError)) throw cause
    throw new FleetstepError('data-directory-damaged', `a stored record cannot be read: ${cause.message}`, { cause })
  }
}

function recordFrom(data: CborData): StoredRecord {
  if (!Array.isArray(data)) throw invalid('record', 'is not a list')
  switch (data[0]) {
    case KIND_START: {
      const [, member, start] = tupleOf(data, 'start', 3)
      return { kind: 'start', member: memberFrom(member, 'member'), start: uintOf(start, 'start') }
    }
    case KIND_BATCH: {
      const [, payload] = tupleOf(data, 'batch', 2)
      if (!(payload instanceof Uint8Array)) throw invalid('batch', 'is not bytes')
      return { kind: 'batch', batch: openBatch(new Uint8Array(payload)) }
    }
    case KIND_FLOOR: {
      const [, floor] = tupleOf(data, 'floor', 2)
      return { kind: 'floor', floor: uintOf(floor, 'floor') }
    }
    case KIND_RESOLVED: {
      const [, conflict] = tupleOf(data, 'resolved', 2)
      if (typeof conflict !== 'string') throw invalid('conflict', 'is not text')
      return { kind: 'resolved', conflict }
    }
    default:
      throw invalid('kind of record', 'is not known to this version')
  }
}
