import { TRANSFER_CHUNK_BYTES } from '../base/limits.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import { encodeRecord, type SnapshotPart, type StoredRecord } from './records.ts'
import type { Recovered } from './recovery.ts'
import { type Snapshot, snapshotPieces } from './snapshot.ts'
import { type FloorMark, StoredFloor } from './stored-floor.ts'
import { type Stored, StoredMark } from './stored-mark.ts'

/** Hands records to the store, and follows what of them is on the disk and when a snapshot is cheaper than they are. */
export class RecordWriter {
  readonly #mark: StoredMark
  readonly #floor: StoredFloor
  readonly #snapshotJournalBytes: number
  #journalBytes = 0
  #isSnapshotDue = false
  #waiting: { readonly pieces: Iterable<Uint8Array>; readonly through: number } | null = null

  /**
   * @param storedStage highest stage of what was recovered; @param floor the one that was recovered
   * @param snapshotJournalBytes handed over bytes at which a snapshot is due without being asked for
   */
  constructor(recovered: Recovered, storedStage: number, floor: FloorMark, snapshotJournalBytes: number = Infinity) {
    this.#mark = new StoredMark(recovered.last, storedStage)
    this.#floor = new StoredFloor(floor)
    this.#snapshotJournalBytes = snapshotJournalBytes
  }

  /** Highest stage on the disk. */
  get stage(): number {
    return this.#mark.stage
  }

  /** The stage up to which nothing waits for the disk. */
  get wholeStage(): number {
    return this.#mark.wholeStage
  }

  /** The floor on the disk. */
  get floor(): FloorMark {
    return this.#floor.mark
  }

  get hasStarted(): boolean {
    return this.#mark.hasStarted
  }

  /** A snapshot of another node, in records that the store takes; with the last one it holds. */
  storeParts(purpose: SnapshotPart['purpose'], bytes: Uint8Array): Output[] {
    const count = Math.ceil(bytes.length / TRANSFER_CHUNK_BYTES)
    return Array.from({ length: count }, (_, index) => {
      const start = index * TRANSFER_CHUNK_BYTES
      const part = { purpose, index, count, bytes: bytes.subarray(start, start + TRANSFER_CHUNK_BYTES) }
      return this.store({ kind: 'part', part })
    })
  }

  /** What was adopted is on the disk: its highest stage, and its floor. */
  noteAdopted(stage: number, floor: FloorMark): void {
    this.#mark.rebase(stage)
    this.#floor.raise(floor)
  }

  /** All that was handed over is on the disk. */
  get isComplete(): boolean {
    return this.#mark.isComplete
  }

  /** Number of the last record that was handed over. */
  get lastNumber(): number {
    return this.#mark.expected
  }

  store(record: StoredRecord): Output {
    const bytes = encodeRecord(record)
    this.#journalBytes += bytes.length
    const number = this.#mark.expect(record.kind === 'batch' || record.kind === 'settled' ? record.batch : null)
    return { kind: 'store', record: bytes, number }
  }

  /** Whether the disk was not given `stage` as a floor yet. */
  lacksFloor(stage: number): boolean {
    return this.#floor.isBehind(stage)
  }

  storeFloor(floor: FloorMark): Output {
    const output = this.store({ kind: 'floor', floor: floor.stage })
    this.#floor.expect(this.#mark.expected, floor)
    return output
  }

  /** @returns the batches that are on the disk now and were not before, in order */
  advance(through: number): readonly Stored[] {
    this.#floor.advance(through)
    return this.#mark.advance(through)
  }

  noteSnapshotDue(): void {
    this.#isSnapshotDue = true
  }

  /**
   * Takes a snapshot if one is due, of all that was handed over so far, because under load something is always on its way
   * to the disk; gives it out once all of that is on the disk.
   * @param take null while records are on their way that count only once they are on the disk
   */
  snapshotIfDue(take: (() => Snapshot) | null): readonly Output[] {
    const isDue = this.#isSnapshotDue || this.#journalBytes >= this.#snapshotJournalBytes
    if (isDue && take !== null && this.#waiting === null) {
      this.#waiting = { pieces: snapshotPieces(take()), through: this.#mark.expected }
      this.#isSnapshotDue = false
      this.#journalBytes = 0
    }
    if (this.#waiting === null || this.#waiting.through > this.#mark.through) return NO_OUTPUTS
    const { pieces, through } = this.#waiting
    this.#waiting = null
    return [{ kind: 'snapshot', pieces, through }]
  }
}
