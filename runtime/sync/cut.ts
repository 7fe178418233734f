import { type Digest, EMPTY_DIGEST } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import { CUT_JOINS_BYTES_MAX, MEMBER_IDS_MAX } from '../base/limits.ts'
import { type Epoch, epochDigest } from './epoch.ts'
import type { Batch } from './message.ts'
import { type VersionEntry, type VersionVector, versionVector } from './version-vector.ts'

/** What is on record of the newest epoch. */
export interface RetirementRecord {
  readonly epoch: Epoch | null
  /** The epoch that was announced before this one. */
  readonly before: number
  /** What we held of each retired member when we learned the epoch. */
  readonly frozen: VersionVector
  /** What stands of each retired member, or null while a counting member has not said what it holds. */
  readonly cuts: VersionVector | null
}

/**
 * Frozen entries and cuts of the newest epoch (PROTOCOL section 6). cut(r) is the highest frozen entry of r among the
 * counting members; it is known once all of them have announced theirs. Until then nothing of r is taken beyond what some
 * counting member has frozen. Only what is on our disk counts as frozen by us.
 */
export class Retirement {
  #record: RetirementRecord = { epoch: null, before: 0, frozen: new Map(), cuts: null }
  #retired: ReadonlySet<MemberId> = new Set()
  #isStored = true
  #digest: Digest = EMPTY_DIGEST
  /** The frozen entries of each counting member that has announced them. */
  readonly #stated = new Map<MemberId, VersionVector>()
  /** Who has said last that it does not know the cuts. */
  readonly #unknowing = new Set<MemberId>()
  /**
   * Of each retired member the first batch that came late and yet lies within the cut: some who count had taken it when they froze,
   * so that others ask for it, and find out only by it that it is late.
   */
  readonly late: Map<MemberId, Batch> = new Map()
  /** Batches with joins that were cut, by the member that hung on the join: evidence for those who wait for it. */
  readonly evidence: Map<MemberId, Batch> = new Map()
  #evidenceBytes = 0
  /** A node that we do not know has said that it does not know the cuts: its join may have been cut. */
  #isAsked = false
  #revision = 0

  /** Grows with each change of what the floor asks for. */
  get revision(): number {
    return this.#revision
  }

  get record(): RetirementRecord {
    return this.#record
  }

  get epoch(): Epoch | null {
    return this.#record.epoch
  }

  /** Number of the newest epoch document. */
  get number(): number {
    return this.#record.epoch?.number ?? 0
  }

  /** Digest of the newest epoch document. */
  get digest(): Digest {
    return this.#digest
  }

  get cuts(): VersionVector | null {
    return this.#record.epoch === null ? NO_CUTS : this.#record.cuts
  }

  get retired(): ReadonlySet<MemberId> {
    return this.#retired
  }

  /** The newest epoch is on our disk. */
  get isStored(): boolean {
    return this.#isStored
  }

  isRetired(member: MemberId): boolean {
    return this.#retired.has(member)
  }

  /** The epoch that `self` may announce: one in which it does not count only once it knows the cuts. */
  announced(self: MemberId): number {
    const { epoch, before, cuts } = this.#record
    if (epoch === null) return 0
    return this.#isStored && (cuts !== null || epoch.counting.includes(self)) ? epoch.number : before
  }

  /**
   * The frozen entries that `self` announces, or null if it has none to announce. Once the cuts are known nothing less than those: a
   * member that was set back to before it froze would come to lower ones by what the others had frozen.
   */
  announcedEntries(self: MemberId): readonly VersionEntry[] | null {
    const { epoch, frozen, cuts } = this.#record
    if (!this.#isStored || epoch?.counting.includes(self) !== true) return null
    return cuts === null ? [...frozen.values()] : [...highestOf([frozen, cuts]).values()]
  }

  /** Somebody does not know the cuts yet, perhaps we ourselves: our frozen entries have to be announced. */
  get isEntriesWanted(): boolean {
    return this.#record.cuts === null || this.#unknowing.size > 0 || this.#isAsked
  }

  /** A node that is no member has said this, unproven: we tell it once each time, so that it learns whether it is one. */
  noteStranger(newestEpoch: number, knowsCuts: boolean): void {
    if (newestEpoch === this.number && !knowsCuts) this.#isAsked = true
  }

  /** We have announced our frozen entries. */
  noteTold(): void {
    this.#isAsked = false
  }

  /** What `member` has said of the newest epoch. */
  noteKnowledge(member: MemberId, epoch: number, knowsCuts: boolean): void {
    if (epoch >= this.number && knowsCuts) this.#unknowing.delete(member)
    else if (this.#unknowing.size < MEMBER_IDS_MAX) this.#unknowing.add(member)
  }

  /**
   * A batch with the join of `member`, which was cut. A retired member can sponsor without end, and one batch stands in a snapshot as
   * often as it holds joins: as many are kept as there may be members, and CUT_JOINS_BYTES_MAX of what nothing here has needed.
   * @param isNeeded something has hung on the join here, or waits for it
   * @returns true if there was none of that member
   */
  noteEvidence(member: MemberId, batch: Batch, isNeeded: boolean): boolean {
    const before = this.evidence.get(member)
    if (before === undefined && this.evidence.size >= MEMBER_IDS_MAX) return false
    const bytes = this.#evidenceBytes + batch.payload.length - (before?.payload.length ?? 0)
    if (bytes > (isNeeded ? 2 : 1) * CUT_JOINS_BYTES_MAX) return false
    this.evidence.set(member, batch)
    this.#evidenceBytes = bytes
    return before === undefined
  }

  /**
   * Who alone counts has made the cuts by its own word, and all that stands of the retired is what it froze: whoever knows the cuts
   * and holds more heard another word of it. What was found late since lies beyond a cut that was lowered, and is no sign; nor is
   * what others have settled of it where the operator has forced the epoch.
   * @returns a retired member of whom somebody with `vector` holds more, or null
   */
  memberBeyondOwnWord(self: MemberId, vector: VersionVector): MemberId | null {
    const { epoch, frozen, cuts } = this.#record
    if (cuts === null || epoch?.counting.length !== 1 || epoch.counting[0] !== self || epoch.isForced) return null
    for (const member of epoch.retired) {
      const seq = cuts.get(member)?.seq ?? 0
      const isLowered = seq < (frozen.get(member)?.seq ?? 0)
      if (!isLowered && (vector.get(member)?.seq ?? 0) > seq) return member
    }
    return null
  }

  /** The highest seq that may be taken of a retired member; null for any other. */
  bound(member: MemberId): number | null {
    if (!this.#retired.has(member)) return null
    const { cuts, frozen } = this.#record
    if (cuts !== null) return cuts.get(member)?.seq ?? 0
    let bound = frozen.get(member)?.seq ?? 0
    for (const stated of this.#stated.values()) bound = Math.max(bound, stated.get(member)?.seq ?? 0)
    return bound
  }

  /** True if `seq` of `member` will never stand. */
  isCut(member: MemberId, seq: number): boolean {
    const { cuts } = this.#record
    return cuts !== null && this.#retired.has(member) && seq > (cuts.get(member)?.seq ?? 0)
  }

  /** A new epoch holds from now on; it counts once it is on the disk. */
  begin(record: RetirementRecord): void {
    this.restore(record)
    this.#isStored = false
  }

  /** Takes back what was on the disk. */
  restore(record: RetirementRecord): void {
    this.#revision += 1
    this.#record = record
    this.#digest = epochDigest(record.epoch)
    this.#retired = new Set(record.epoch?.retired)
    this.#stated.clear()
    this.#unknowing.clear()
    this.late.clear()
    this.#isStored = true
  }

  /** The epoch and our frozen entries are on the disk. */
  noteStored(): void {
    this.#revision += 1
    this.#isStored = true
  }

  noteCuts(cuts: VersionVector): void {
    this.#revision += 1
    this.#record = { ...this.#record, cuts }
  }

  /** What comes behind `entry` of a retired member is late. @returns the cuts if they were higher before, or null */
  lowerCut(entry: VersionEntry, late: Batch | undefined): VersionVector | null {
    const { cuts } = this.#record
    if (cuts === null || entry.seq >= (cuts.get(entry.member)?.seq ?? 0)) return null
    if (late !== undefined) this.late.set(entry.member, late)
    const others = [...cuts.values()].filter(({ member }) => member !== entry.member)
    this.noteCuts(versionVector([...others, entry]))
    return this.cuts
  }

  /** @returns true if that was new */
  noteStated(member: MemberId, epoch: number, frozen: readonly VersionEntry[]): boolean {
    if (epoch !== this.number || this.#stated.has(member) || !this.#record.epoch?.counting.includes(member))
      return false
    this.#stated.set(member, new Map(frozen.map((entry) => [entry.member, entry])))
    return true
  }

  /** Counting members whose frozen entries are not known here. */
  unstated(self: MemberId): MemberId[] {
    const isOwnKnown = this.#isStored
    return (this.#record.epoch?.counting ?? []).filter((member) =>
      member === self ? !isOwnKnown : !this.#stated.has(member),
    )
  }

  /** The cuts, once every counting member has stated what it holds; null before. */
  computeCuts(self: MemberId): VersionVector | null {
    const { epoch, frozen } = this.#record
    if (epoch === null || this.unstated(self).length > 0) return null
    const vectors = epoch.counting.map((member) => (member === self ? frozen : (this.#stated.get(member) ?? NO_CUTS)))
    const highest = highestOf(vectors)
    for (const member of highest.keys()) if (!this.#retired.has(member)) highest.delete(member)
    return highest
  }
}

function highestOf(vectors: readonly VersionVector[]): Map<MemberId, VersionEntry> {
  const highest = new Map<MemberId, VersionEntry>()
  for (const vector of vectors)
    for (const entry of vector.values())
      if (entry.seq > (highest.get(entry.member)?.seq ?? 0)) highest.set(entry.member, entry)
  return highest
}

const NO_CUTS: VersionVector = new Map()
