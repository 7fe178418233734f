import type { Digest } from '../../runtime/base/digest.ts'
import { type Batch, lastOf } from '../../runtime/sync/message.ts'
import type { StoredRecord } from '../../runtime/sync/records.ts'
import { decodeSnapshot, type HistorySnapshot } from '../../runtime/sync/snapshot.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { nameOfOriginal } from '../sync/reference-model.ts'
import type { DiskImage } from './disk.ts'
import { batchOf, type Ledger } from './ledger.ts'

/** What a medium holds of the fleet, or held since its card was put in: an announcement may state this and nothing else. */
export class DiskFacts {
  /** The highest stage on it. */
  stage = 0
  readonly #entries = new Map<Digest, VersionEntry>()
  /** Names of the drafts on it. */
  readonly #drafts = new Set<string>()
  #parts: Uint8Array[] = []

  /** @param image read anew: another card was put in */
  constructor(image: DiskImage, ledger: Ledger) {
    if (image.snapshot !== null) {
      const snapshot = decodeSnapshot(image.snapshot.bytes)
      this.#noteSnapshot(snapshot)
      for (const { current } of snapshot.drafts) this.#drafts.add(nameOfOriginal(current.original))
    }
    for (const { bytes } of image.records) this.note(ledger.readRecord(bytes))
  }

  holds({ member, seq, digest }: VersionEntry): boolean {
    const entry = this.#entries.get(digest)
    return seq === 0 || (entry?.seq === seq && entry.member === member)
  }

  holdsBatch(digest: Digest): boolean {
    return this.#entries.has(digest)
  }

  holdsDraft(name: string): boolean {
    return this.#drafts.has(name)
  }

  note(record: StoredRecord): void {
    const batch = batchOf(record)
    if (batch !== null) this.#noteBatch(batch)
    if (record.kind === 'draft') this.#drafts.add(nameOfOriginal(record.draft.current.original))
    if (record.kind !== 'part') return
    const { index, count, bytes } = record.part
    if (index === 0) this.#parts = []
    this.#parts.push(bytes)
    if (index === count - 1) this.#noteSnapshot(decodeSnapshot(new Uint8Array(Buffer.concat(this.#parts))))
  }

  #noteSnapshot(snapshot: HistorySnapshot): void {
    for (const entry of snapshot.logs) this.#entries.set(entry.digest, entry)
    for (const batch of snapshot.batches) this.#noteBatch(batch)
    this.stage = Math.max(this.stage, snapshot.highWater.stage)
  }

  #noteBatch(batch: Batch): void {
    const { id, stage } = lastOf(batch).current
    this.#entries.set(batch.digest, { member: batch.origin, seq: id.seq, digest: batch.digest })
    this.stage = Math.max(this.stage, stage)
  }
}
