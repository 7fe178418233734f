import { FleetstepError, assert } from '../base/errors.ts'
import { EVIDENCE_FILES_MAX, SNAPSHOT_JOURNAL_BYTES, STORED_RECORD_HEADER_BYTES } from '../base/limits.ts'
import { assertBatchBounds } from './batch.ts'
import type { Recovered, SpaceLevel, Store, StoreInfo } from './store.ts'

/** Stands for the disk: it outlives the stores that are opened on it. For tests and simulations. */
export class MemoryMedium {
  snapshot: Recovered['snapshot'] = null
  records: Uint8Array[] = []
  /** Bytes of the records with what a store adds to them. */
  recordBytes = 0
  last = 0
  holder: MemoryStore | null = null
  readonly evidence: { readonly name: string; readonly bytes: Uint8Array }[] = []

  /** The process is gone: its lock falls, and what it had acknowledged stays. The old store must not be used again. */
  cutPower(): void {
    this.holder = null
  }
}

/** Keeps records in memory under the same rules as the real store. What is committed is on the medium at once. */
export class MemoryStore implements Store {
  readonly #medium: MemoryMedium
  #opened = false
  #committing = false
  #commits = 0
  #bytesWritten = 0

  constructor(medium: MemoryMedium = new MemoryMedium()) {
    this.#medium = medium
  }

  open(): Promise<Recovered> {
    return settle(() => {
      assert(!this.#opened, 'a store is opened once')
      if (this.#medium.holder !== null) {
        throw new FleetstepError('data-directory-locked', 'the memory is in use by another store; close that one first')
      }
      this.#opened = true
      this.#medium.holder = this
      const { snapshot, records, last } = this.#medium
      return { snapshot, records: records.slice(), last, findings: [], damaged: false }
    })
  }

  commit(records: readonly Uint8Array[]): Promise<number> {
    return settle(() => {
      this.#assertOpen()
      assertBatchBounds(records)
      assert(!this.#committing, 'one commit is in flight at a time')
      this.#committing = true
      // Before whoever waits for it goes on, and without a step of its own on that way.
      queueMicrotask(() => {
        this.#committing = false
      })
      for (const record of records) this.#medium.records.push(record.slice())
      const bytes = sizeOf(records)
      this.#medium.last += records.length
      this.#commits += 1
      this.#medium.recordBytes += bytes
      this.#bytesWritten += bytes
      return this.#medium.last
    })
  }

  snapshot(bytes: Uint8Array, through: number): Promise<void> {
    return settle(() => {
      this.#assertOpen()
      const before = this.#medium.snapshot?.through ?? 0
      assert(through <= this.#medium.last, 'a snapshot stands for committed records alone')
      assert(through >= before, 'a snapshot is not older than the one before it')
      this.#medium.records = this.#medium.records.slice(through - before)
      this.#medium.recordBytes = sizeOf(this.#medium.records)
      this.#medium.snapshot = { bytes: bytes.slice(), through }
      this.#bytesWritten += bytes.length
    })
  }

  keepEvidence(name: string, bytes: Uint8Array): Promise<string | null> {
    this.#medium.evidence.push({ name, bytes: bytes.slice() })
    if (this.#medium.evidence.length > EVIDENCE_FILES_MAX) this.#medium.evidence.shift()
    return Promise.resolve(name)
  }

  info(): StoreInfo {
    this.#assertOpen()
    const { snapshot, recordBytes: journalBytes, last } = this.#medium
    const snapshotBytes = snapshot?.bytes.length ?? 0
    return {
      directory: 'memory',
      formatVersion: 1,
      lastSequence: last,
      snapshotThrough: snapshot?.through ?? 0,
      segments: 0,
      diskBytes: journalBytes + snapshotBytes,
      bytesWritten: this.#bytesWritten,
      lifetime: null,
      commits: this.#commits,
      space: 'enough',
      freeBytes: Number.MAX_SAFE_INTEGER,
      mediumErrors: 0,
      snapshotDue: journalBytes >= Math.max(SNAPSHOT_JOURNAL_BYTES, 2 * snapshotBytes),
    }
  }

  checkSpace(): Promise<SpaceLevel> {
    return Promise.resolve('enough')
  }

  checkPlace(): void {
    this.#assertOpen()
  }

  close(): Promise<void> {
    if (this.#medium.holder === this) this.#medium.holder = null
    return Promise.resolve()
  }

  #assertOpen(): void {
    assert(this.#medium.holder === this, 'the store is open')
  }
}

function sizeOf(records: readonly Uint8Array[]): number {
  return records.reduce((sum, record) => sum + STORED_RECORD_HEADER_BYTES + record.length, 0)
}

/** Runs at once; what it throws becomes a rejection. */
function settle<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(work())
  })
}
