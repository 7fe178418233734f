import { type Digest, digestOf } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'

/** The highest seq of `member` that is held without a gap, and the chain digest up to it. */
export interface VersionEntry {
  readonly member: MemberId
  readonly seq: number
  readonly digest: Digest
}

/** What somebody holds of everybody. Members of which nothing is held do not appear. */
export type VersionVector = ReadonlyMap<MemberId, VersionEntry>

export function versionVector(entries: Iterable<VersionEntry>): VersionVector {
  return new Map([...entries].filter((entry) => entry.seq > 0).map((entry) => [entry.member, entry]))
}

/** In the order of member ids, so that equal vectors have equal bytes. */
export function sortedEntries(vector: VersionVector): VersionEntry[] {
  return [...vector.values()].sort((left, right) => (left.member < right.member ? -1 : 1))
}

/** Equal for equal vectors and for no others that occur by accident. */
export function vectorDigest(vector: VersionVector): Digest {
  return digestOf(
    sortedEntries(vector)
      .map((entry) => `${entry.member}:${entry.seq}:${entry.digest};`)
      .join(''),
  )
}
