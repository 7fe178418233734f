import { EMPTY_DIGEST, type Digest } from '../base/digest.ts'
import { assert } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import { batchMemoryBytes } from './memory-bound.ts'
import { type Batch, firstOf, lastOf, type SyncMessage } from './message.ts'
import type { VersionEntry } from './version-vector.ts'

/** What is held of one member without a gap: a chain of its batches, of which those above the floor are kept. */
export class MemberLog {
  readonly member: MemberId
  #held: VersionEntry
  #stored: VersionEntry
  #batches: Batch[] = []
  /** Bytes of memory that all take that were ever held up to each of them, and those before the first. */
  readonly #memoryBytesThrough: number[] = []
  #memoryBytesBefore = 0

  constructor(member: MemberId, settled: VersionEntry = { member, seq: 0, digest: EMPTY_DIGEST }) {
    this.member = member
    this.#held = settled
    this.#stored = settled
  }

  /** Highest seq that is held, and the chain digest up to it. */
  get held(): VersionEntry {
    return this.#held
  }

  /** The same of what is on the disk: only this may be announced. */
  get stored(): VersionEntry {
    return this.#stored
  }

  /** How far the log is folded: the end of the last batch that is not kept any more. */
  get settled(): VersionEntry {
    const first = this.#batches[0]
    if (first === undefined) return this.#held
    return { member: this.member, seq: firstOf(first).current.id.seq - 1, digest: first.link }
  }

  get batches(): readonly Batch[] {
    return this.#batches
  }

  extend(batch: Batch): void {
    assert(firstOf(batch).current.id.seq === this.#held.seq + 1, 'a log has no gap')
    assert(batch.link === this.#held.digest, 'a log is a chain')
    this.#batches.push(batch)
    this.#memoryBytesThrough.push(this.#memoryBytes + batchMemoryBytes(batch))
    this.#held = { member: this.member, seq: lastOf(batch).current.id.seq, digest: batch.digest }
  }

  /** `entry` is on the disk. What has left the log meanwhile is not stored any more. */
  markStored(entry: VersionEntry): void {
    if (entry.seq <= this.#stored.seq || entry.seq > this.#held.seq) return
    if (entry === this.#held || !this.contradicts(entry.seq, entry.digest)) this.#stored = entry
  }

  /** Lets go of the batches that end behind `seq`, and returns them. What is folded stays. */
  truncate(seq: number): readonly Batch[] {
    const first = this.#batches.findIndex((batch) => lastOf(batch).current.id.seq > seq)
    if (first < 0) return []
    const removed = this.#batches.splice(first)
    this.#memoryBytesThrough.length = first
    const start = removed[0] as Batch
    this.#held = { member: this.member, seq: firstOf(start).current.id.seq - 1, digest: start.link }
    if (this.#stored.seq > this.#held.seq) this.#stored = this.#held
    return removed
  }

  /** The message of `seq`, or null if it is not held or folded. */
  messageAt(seq: number): SyncMessage | null {
    const batch = this.#batches[this.#indexOf(seq)]
    return batch?.messages[seq - firstOf(batch).current.id.seq] ?? null
  }

  /** The chain digest up to `seq`, or null if no batch that is kept ends or begins there. */
  digestAt(seq: number): Digest | null {
    if (seq === this.#held.seq) return this.#held.digest
    const next = this.#batches[this.#indexOf(seq + 1)]
    return next !== undefined && firstOf(next).current.id.seq === seq + 1 ? next.link : null
  }

  /**
   * True if whoever states `digest` at `seq` holds another life of this member. A seq inside a batch that is kept is none
   * that anybody with the same batches can state; of what is folded, or not held, nothing is known.
   */
  contradicts(seq: number, digest: Digest): boolean {
    if (seq < this.settled.seq || seq > this.#held.seq) return false
    return this.digestAt(seq) !== digest
  }

  /** The kept batches with operations behind `after` up to `through`, or the first `countMax` of them. */
  between(after: number, through: number, countMax: number = Infinity): readonly Batch[] {
    const start = this.#indexOf(after + 1)
    const batches: Batch[] = []
    for (let index = start; index < this.#batches.length; index++) {
      const batch = this.#batches[index] as Batch
      if (firstOf(batch).current.id.seq > through || batches.length >= countMax) break
      batches.push(batch)
    }
    return batches
  }

  /** Lets go of the batches that lie at or below `stage` as a whole. */
  fold(stage: number): void {
    const kept = this.#batches.findIndex((batch) => lastOf(batch).current.stage > stage)
    const count = kept < 0 ? this.#batches.length : kept
    this.#memoryBytesBefore = this.#memoryBytesThrough[count - 1] ?? this.#memoryBytesBefore
    this.#batches.splice(0, count)
    this.#memoryBytesThrough.splice(0, count)
  }

  /** Bytes of memory that the kept batches take that end behind `seq`. */
  memoryBytesAfter(seq: number): number {
    const start = this.#indexOf(Math.max(seq, this.settled.seq) + 1)
    return this.#memoryBytes - (this.#memoryBytesThrough[start - 1] ?? this.#memoryBytesBefore)
  }

  get #memoryBytes(): number {
    return this.#memoryBytesThrough.at(-1) ?? this.#memoryBytesBefore
  }

  /** Index of the first kept batch that ends at or behind `seq`. */
  #indexOf(seq: number): number {
    // Mostly the newest is asked for; the search through 20,000 batches took an eighth of an integration.
    const last = this.#batches[this.#batches.length - 1]
    if (last === undefined || seq > this.#held.seq) return this.#batches.length
    if (firstOf(last).current.id.seq <= seq) return this.#batches.length - 1
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (lastOf(this.#batches[middle] as Batch).current.id.seq < seq) low = middle + 1
      else high = middle
    }
    const batch = this.#batches[low]
    return batch !== undefined && firstOf(batch).current.id.seq <= seq ? low : this.#batches.length
  }
}
