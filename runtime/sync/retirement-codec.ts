import type { CborData } from '../base/cbor.ts'
import { MEMBER_IDS_MAX } from '../base/limits.ts'
import { listOf, tupleOf, uintOf } from './codec-fields.ts'
import type { RetirementRecord } from './cut.ts'
import { decodeEpoch, encodeEpoch } from './epoch.ts'
import { decodeVersionEntry, encodeVersionEntry } from './message-codec.ts'
import type { VersionVector } from './version-vector.ts'

/** How the newest epoch, the frozen entries and the cuts are stored, and carried in a snapshot. */
export function encodeRetirement(record: RetirementRecord): CborData {
  return [
    record.epoch === null ? null : encodeEpoch(record.epoch),
    record.before,
    encodeVector(record.frozen),
    record.cuts === null ? null : encodeVector(record.cuts),
  ]
}

/** @throws FleetstepError `message-invalid` */
export function decodeRetirement(data: CborData | undefined): RetirementRecord {
  const [epoch, before, frozen, cuts] = tupleOf(data, 'retirement', 4)
  return {
    epoch: epoch === null ? null : decodeEpoch(epoch),
    before: uintOf(before, 'epoch before'),
    frozen: decodeVector(frozen),
    cuts: cuts === null ? null : decodeVector(cuts),
  }
}

export function encodeVector(vector: VersionVector): CborData {
  return [...vector.values()].map(encodeVersionEntry)
}

export function decodeVector(data: CborData | undefined): VersionVector {
  return new Map(
    listOf(data, 'vector', MEMBER_IDS_MAX)
      .map(decodeVersionEntry)
      .map((entry) => [entry.member, entry]),
  )
}
