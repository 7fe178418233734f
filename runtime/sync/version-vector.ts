import { type Digest, EMPTY_DIGEST } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import { VECTOR_CHANGES_MAX } from '../base/limits.ts'

/** The highest seq of `member` that is held without a gap, and the chain digest up to it. */
export interface VersionEntry {
  readonly member: MemberId
  readonly seq: number
  readonly digest: Digest
}

/** What somebody holds of everybody. Members of which nothing is held do not appear. */
export interface VersionVector {
  readonly size: number
  get(member: MemberId): VersionEntry | undefined
  values(): Iterable<VersionEntry>
}

export function versionVector(entries: Iterable<VersionEntry>): ReadonlyMap<MemberId, VersionEntry> {
  return new Map([...entries].filter((entry) => entry.seq > 0).map((entry) => [entry.member, entry]))
}

/** In the order of member ids, so that equal vectors have equal bytes. */
export function sortedEntries(vector: VersionVector): VersionEntry[] {
  return [...vector.values()].sort((left, right) => (left.member < right.member ? -1 : 1))
}

/**
 * Equal for equal vectors and for no others that occur by accident: the sum of the chain digests, each of which is of a batch
 * that names its member, and of the seqs, modulo 2^64. So a change of one entry costs the same in a fleet of any size.
 */
export function vectorDigest(vector: VersionVector): Digest {
  SUM.begin(EMPTY_DIGEST)
  for (const entry of vector.values()) SUM.add(entry, 1)
  return SUM.digest
}

/** The digest of a vector in which `entry` takes the place of `before`. */
export function vectorDigestAfter(digest: Digest, before: VersionEntry | undefined, entry: VersionEntry): Digest {
  SUM.begin(digest)
  if (before !== undefined) SUM.add(before, -1)
  SUM.add(entry, 1)
  return SUM.digest
}

/**
 * `vector` with another entry in it. Both share what they have in common, so that many versions of a large vector, one for
 * each peer, take little memory.
 */
export function withEntry(vector: VersionVector, entry: VersionEntry): VersionVector {
  const isShared = vector instanceof ChangedVector
  const changes = new Map(isShared ? vector.changes : [])
  const base = isShared ? vector.base : vector
  changes.set(entry.member, entry)
  if (changes.size <= VECTOR_CHANGES_MAX) return new ChangedVector(base, changes)
  return versionVector(new ChangedVector(base, changes).values())
}

class ChangedVector implements VersionVector {
  readonly base: VersionVector
  readonly changes: ReadonlyMap<MemberId, VersionEntry>
  readonly size: number

  constructor(base: VersionVector, changes: ReadonlyMap<MemberId, VersionEntry>) {
    this.base = base
    this.changes = changes
    let { size } = base
    for (const member of changes.keys()) if (base.get(member) === undefined) size += 1
    this.size = size
  }

  get(member: MemberId): VersionEntry | undefined {
    return this.changes.get(member) ?? this.base.get(member)
  }

  *values(): Generator<VersionEntry> {
    for (const entry of this.base.values()) if (!this.changes.has(entry.member)) yield entry
    yield* this.changes.values()
  }
}

class Sum {
  /** Each stands for itself modulo 2^32. */
  #low = 0
  #high = 0

  begin(digest: Digest): void {
    this.#low = lowOf(digest)
    this.#high = highOf(digest)
  }

  get digest(): Digest {
    return `${hexOf(this.#high)}${hexOf(this.#low)}` as Digest
  }

  add({ digest, seq }: VersionEntry, sign: 1 | -1): void {
    const low = this.#low + sign * (lowOf(digest) + (Math.imul(seq, SEQ_FACTOR) >>> 0))
    this.#high = (this.#high + sign * highOf(digest) + Math.floor(low / 0x1_0000_0000)) >>> 0
    this.#low = low >>> 0
  }
}

const SUM = new Sum()

/** The golden ratio of 2^32: neighbouring seqs differ in half of the bits, so that a wrong one shows (Knuth, section 6.4). */
const SEQ_FACTOR = 0x9e37_79b1

function highOf(digest: Digest): number {
  return Number.parseInt(digest.slice(0, 8), 16)
}

function lowOf(digest: Digest): number {
  return Number.parseInt(digest.slice(8), 16)
}

function hexOf(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
