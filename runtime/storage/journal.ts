import { AssertionError, FleetstepError } from '../base/errors.ts'
import { STORAGE_PAGE_BYTES } from '../base/limits.ts'
import { encodeBatch } from './batch.ts'
import type { Batch } from './batch.ts'
import { displaced } from './failure.ts'
import { errorCode, isFull, writeFully } from './file-system.ts'
import type { File } from './file-system.ts'
import type { LiveSegment, RecoveredJournal } from './recovery.ts'
import type { SegmentFiles } from './segment-files.ts'

/**
 * The journal after recovery: a batch is one write and one flush into a segment that has its full size already.
 * Segments are used in turn and never truncated; those that the snapshots cover are used again.
 * One call of `append` or `begin` at a time.
 */
export class Journal {
  readonly #files: SegmentFiles
  #epoch: number
  #opening: Pick<Batch, 'firstSequence' | 'records'> | null
  #nextBatch: number
  #last: number
  #live: readonly LiveSegment[]
  #spare: readonly string[]
  /** Nothing was acknowledged since the journal was opened or ended. */
  #isProven = true
  /** The last live segment, opened for writing, once something has been written. */
  #file: File | null = null
  #nextPage: number | null
  #bytes: number
  #bytesWritten = 0
  #mediumErrors: number
  /** Segments whose medium failed: what they hold stays readable, nothing more is written to them. */
  readonly #failed: Set<string>
  #retired: readonly string[]
  #preparing: Promise<void> | null = null

  constructor(files: SegmentFiles, recovered: RecoveredJournal) {
    this.#files = files
    this.#epoch = recovered.nextEpoch
    this.#nextBatch = recovered.nextBatch
    this.#last = recovered.last
    this.#opening = recovered.lastBatch ?? { firstSequence: recovered.last + 1, records: [] }
    this.#live = recovered.live
    this.#spare = recovered.spare
    this.#failed = new Set(recovered.failed)
    this.#retired = recovered.retired
    this.#mediumErrors = recovered.failed.length + recovered.retired.length
    this.#nextPage = recovered.nextPage
    this.#bytes = recovered.bytes
  }

  /** Sequence number of the last record that is on the medium. */
  get last(): number {
    return this.#last
  }

  get segments(): number {
    return this.#live.length + this.#spare.length
  }

  /** Bytes of batches since the newest snapshot. */
  get bytes(): number {
    return this.#bytes
  }

  /** How often a write or a flush met EIO and went on in another segment. */
  get mediumErrors(): number {
    return this.#mediumErrors
  }

  /** A segment whose medium failed is still needed. */
  get hasFailed(): boolean {
    return this.#failed.size > 0
  }

  /** Segments that had failed and that nothing needs any more, handed over once. */
  takeRetired(): readonly string[] {
    const retired = this.#retired
    this.#retired = []
    return retired
  }

  /** Bytes handed to the file system since the journal was opened, segments of zeros included. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /**
   * Begins a new epoch with an opening batch. It repeats the last batch, because a process that was killed, or that saw
   * its flush fail, may have left that one readable and yet not on the medium.
   * @throws FleetstepError `disk-full`: `append` tries again
   */
  async begin(): Promise<void> {
    if (this.#opening === null) return
    const { firstSequence, records } = this.#opening
    await this.#write({ kind: 'opening', ...this.#next(), firstSequence, records })
    this.#opening = null
  }

  /**
   * Writes one batch. Returns the sequence number of its last record once it is on the medium.
   * @throws FleetstepError `disk-full` before anything was written; any other error leaves the journal unusable
   */
  async append(records: readonly Uint8Array[]): Promise<number> {
    await this.begin()
    await this.#write({ kind: 'records', ...this.#next(), firstSequence: this.#last + 1, records })
    this.#last += records.length
    this.#isProven = false
    this.prepareSpare()
    return this.#last
  }

  /**
   * Ends with an empty batch, which proves that the one before it had been acknowledged: if that one decays later, it is
   * not mistaken for one that was being written. Only where there is room for it; what fails here costs nothing.
   */
  async end(): Promise<void> {
    await this.#preparing
    const hasRoom = this.#nextPage !== null && this.#nextPage < this.#files.pages
    if (this.#isProven || this.#opening !== null || !hasRoom) return
    await this.#write({ kind: 'records', ...this.#next(), firstSequence: this.#last + 1, records: [] })
    this.#isProven = true
  }

  /** Makes the next segment beside the commits, so that none of them has to wait for it. */
  prepareSpare(): void {
    if (this.#spare.length > 0 || this.#preparing !== null) return
    this.#preparing = this.#createSegment()
      .then(
        (name) => {
          this.#spare = [...this.#spare, name]
        },
        (error: unknown) => {
          // Whoever needs the segment tries again and says what is wrong.
          if (error instanceof AssertionError) throw error
        },
      )
      .finally(() => {
        this.#preparing = null
      })
  }

  /** Resolves when no segment is being made. */
  async settled(): Promise<void> {
    await this.#preparing
  }

  /** Lets every segment be used again whose records are all at or below `sequence`; never the one that is written to. */
  free(sequence: number): void {
    const needed = this.#live.findIndex((_, index) => {
      const following = this.#live[index + 1]
      return following === undefined || following.firstSequence - 1 > sequence
    })
    const freed = this.#live.slice(0, Math.max(0, needed))
    this.#live = this.#live.slice(freed.length)
    const names = freed.map(({ name }) => name)
    this.#spare = [...this.#spare, ...names.filter((name) => !this.#failed.has(name))]
    this.#retired = [...this.#retired, ...names.filter((name) => this.#failed.delete(name))]
  }

  /** @param bytes of batches that the newest snapshot does not stand for */
  restartCount(bytes: number): void {
    this.#bytes = bytes
  }

  /** Brings what was found on the medium, for an opening batch that has to wait. */
  async sync(): Promise<void> {
    const last = this.#live.at(-1)
    if (last === undefined) return
    this.#file ??= await this.#files.open(last.name)
    await this.#file.sync()
  }

  /**
   * The path leads to the segment in use still, as far as one is.
   * @throws FleetstepError `storage-failed`; an error of errno(3) if it cannot be told
   */
  checkPlace(): void {
    if (this.#file?.isInPlace() === false) throw displaced(this.#files.directory)
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  #next(): Pick<Batch, 'number' | 'epoch'> {
    return { number: this.#nextBatch, epoch: this.#epoch }
  }

  /**
   * Where the medium fails, the batch goes into another segment, under the same number and as the opening batch of a later
   * epoch: whichever of the two copies recovery finds, it is taken once. A later failure is the end.
   */
  async #write(batch: Batch): Promise<void> {
    try {
      await this.#writeOnce(batch)
    } catch (error) {
      if (!(error instanceof JournalBroken) || errorCode(error.cause) !== 'EIO') throw error
      await this.#leaveSegment()
      await this.#writeOnce({ ...batch, kind: 'opening', epoch: this.#epoch }).catch((again: unknown) => {
        throw again instanceof JournalBroken ? again : new JournalBroken(again)
      })
    }
    this.#nextBatch += 1
  }

  async #writeOnce(batch: Batch): Promise<void> {
    const bytes = encodeBatch(batch)
    const pages = bytes.length / STORAGE_PAGE_BYTES
    const { file, page } = await this.#placeFor(pages, batch.firstSequence)
    try {
      await writeFully(file, bytes, page * STORAGE_PAGE_BYTES)
      await file.sync()
    } catch (error) {
      // Even a full disk (a file system that copies on write) ends it here: a part of the batch may be on the medium, and
      // other records under the same number could mix with it.
      throw new JournalBroken(error)
    }
    this.checkPlace()
    this.#nextPage = page + pages
    this.#bytes += bytes.length
    this.#bytesWritten += bytes.length
  }

  /** Nothing more is written into the segment in use; the next batch begins another and a new epoch. */
  async #leaveSegment(): Promise<void> {
    // A disk that is gone leaves the directory below it, in which another segment could be made.
    this.checkPlace()
    const failed = this.#live.at(-1)
    if (failed !== undefined) this.#failed.add(failed.name)
    this.#mediumErrors += 1
    this.#epoch += 1
    this.#nextPage = null
    // Closing may report the same failure once more.
    await this.close().catch(() => undefined)
  }

  async #placeFor(pages: number, firstSequence: number): Promise<{ file: File; page: number }> {
    const last = this.#live.at(-1)
    if (last !== undefined && this.#nextPage !== null && this.#nextPage + pages <= this.#files.pages) {
      this.#file ??= await this.#files.open(last.name)
      return { file: this.#file, page: this.#nextPage }
    }
    await this.#preparing
    this.checkPlace()
    const name = this.#spare[0] ?? (await this.#createSegment())
    await this.close()
    this.#file = await this.#files.open(name)
    this.#spare = this.#spare.filter((one) => one !== name)
    this.#live = [...this.#live, { name, firstSequence }]
    this.#nextPage = 0
    return { file: this.#file, page: 0 }
  }

  async #createSegment(): Promise<string> {
    try {
      const name = await this.#files.create([...this.#live.map((one) => one.name), ...this.#spare])
      this.#bytesWritten += this.#files.segmentBytes
      return name
    } catch (error) {
      if (!isFull(error)) throw error
      throw new FleetstepError(
        'disk-full',
        `${this.#files.directory}: no room for ${this.#files.segmentBytes} more bytes of journal; free some space, it goes on by itself`,
        { cause: error },
      )
    }
  }
}

/** A batch may be on the medium in part. Only recovery can tell, so nothing more is written. */
class JournalBroken extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'JournalBroken'
  }
}
