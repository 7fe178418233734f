import type { Clock } from '../base/clock.ts'
import { FleetstepError } from '../base/errors.ts'
import { DISK_RETRY_MS, STORED_BATCH_BYTES_MAX, STORED_RECORD_HEADER_BYTES } from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import type { Store } from '../storage/store.ts'

export interface CommitQueueOptions {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  /** For how long a change of our own may wait for those behind it, since the links are busy; 0 for not at all. */
  readonly gatherMs: () => number
  /** The records up to this number are on the disk. */
  readonly onStored: (through: number) => void
  /** Nothing can be stored at present; null once it can again. */
  readonly onProblem: (problem: FleetstepError | null) => void
  /** The store has failed for good. */
  readonly onFatal: (error: unknown) => void
}

/**
 * The records between the replica and its disk: one commit at a time, and what comes meanwhile goes into the next (group
 * commit). A full disk is tried again until it has room.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions
  #records: Uint8Array[] = []
  #bytes = 0
  #commit: Promise<void> | null = null
  #problem: FleetstepError | null = null
  /** Something that is not from others waits for the disk. */
  #hasOwn = false
  /** The same waits for a link that is busy. */
  #isGatheringOwn = false
  #cancelGathering: (() => void) | null = null
  #endPause: () => void = () => undefined
  #isClosed = false

  constructor(options: CommitQueueOptions) {
    this.#options = options
  }

  /** Records that are not on the disk, and their bytes. */
  get length(): number {
    return this.#records.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Why nothing can be stored at present, or null. */
  get problem(): FleetstepError | null {
    return this.#problem
  }

  add(record: Uint8Array): void {
    this.#records.push(record)
    this.#bytes += record.length
  }

  /** Somebody here waits for what is in the queue, or is about to be. */
  noteOwn(): void {
    this.#hasOwn = true
  }

  /** Nothing waits in the links any more. */
  noteWritable(): void {
    if (this.#isGatheringOwn) this.#commitNext()
  }

  /**
   * A change of our own goes at once while no link is busy with the frame before; else it would wait behind that, and a disk
   * that is faster than the network gathers for a moment what comes next, and where frames wait in a link already until they
   * have gone: one large frame for many small ones is what a slow link needs. What others have changed waits for the end of this
   * turn: nobody waits for our disk then, while a change that answers it would wait for that commit before its own.
   */
  commitSoon(): void {
    if (this.#isClosed || this.#commit !== null || this.#records.length === 0 || this.#isGatheringOwn) return
    if (!this.#hasOwn) {
      this.#cancelGathering ??= afterThisTurn(() => this.#commitNext())
      return
    }
    const gatherMs = this.#options.gatherMs()
    if (gatherMs === 0) return this.#commitNext()
    this.#cancelGathering?.()
    this.#isGatheringOwn = true
    const { clock } = this.#options
    this.#cancelGathering = clock.schedule(clock.now() + gatherMs, () => this.#commitNext())
  }

  /** Resolves when all is on the disk, or nothing can be stored at present. */
  async flush(): Promise<void> {
    for (this.#commitNext(); this.#commit !== null && this.#problem === null; this.#commitNext()) await this.#commit
  }

  /** Begins no further commit. */
  close(): void {
    this.#isClosed = true
    this.#cancelGathering?.()
    this.#endPause()
  }

  #commitNext(): void {
    this.#cancelGathering?.()
    this.#cancelGathering = null
    this.#isGatheringOwn = false
    if (this.#commit !== null || this.#records.length === 0 || this.#isClosed) return
    const portion = this.#nextPortion()
    this.#hasOwn = portion.length < this.#records.length
    this.#commit = this.#commitPortion(portion).finally(() => {
      this.#commit = null
      this.commitSoon()
    })
  }

  #nextPortion(): Uint8Array[] {
    let bytes = 0
    let count = 0
    for (const record of this.#records) {
      bytes += record.length + STORED_RECORD_HEADER_BYTES
      if (count > 0 && bytes > STORED_BATCH_BYTES_MAX) break
      count += 1
    }
    return this.#records.slice(0, count)
  }

  async #commitPortion(portion: readonly Uint8Array[]): Promise<void> {
    try {
      const through = await this.#options.store.commit(portion)
      if (this.#problem !== null) this.#noteRecovered()
      this.#records = this.#records.slice(portion.length)
      for (const record of portion) this.#bytes -= record.length
      this.#options.onStored(through)
    } catch (error) {
      await this.#noteProblem(error)
    }
  }

  async #noteProblem(error: unknown): Promise<void> {
    if (!(error instanceof FleetstepError) || error.code !== 'disk-full') {
      this.close()
      this.#options.onFatal(error)
      return
    }
    if (this.#problem === null) this.#options.logger.error(error.message)
    this.#problem = error
    this.#options.onProblem(error)
    await this.#pauseBeforeRetry()
  }

  async #pauseBeforeRetry(): Promise<void> {
    const { clock } = this.#options
    await new Promise<void>((resolve) => {
      const cancel = clock.schedule(clock.now() + DISK_RETRY_MS, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }

  #noteRecovered(): void {
    this.#problem = null
    this.#options.logger.info('storage: writing works again')
    this.#options.onProblem(null)
  }
}

function afterThisTurn(work: () => void): () => void {
  const immediate = setImmediate(work)
  return () => clearImmediate(immediate)
}
