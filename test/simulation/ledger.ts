import { type Digest, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import { fleetIdOf, type Genesis } from '../../runtime/sync/membership.ts'
import type { Batch, Message } from '../../runtime/sync/message.ts'
import { decodeFrame } from '../../runtime/sync/message-codec.ts'
import { decodeRecord, type StoredRecord } from '../../runtime/sync/records.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { executeAll, type ReferenceResult } from '../sync/reference-model.ts'

/** What was done to the operations by the reference, and the operations. */
export interface ReferenceRun extends ReferenceResult {
  readonly operations: readonly Operation[]
}

/** Every batch that was ever handed to a disk, by its chain digest; and whatever costs time to read, read once. */
export class Ledger {
  readonly #genesis: Genesis
  readonly #fleet: Digest
  readonly #batches = new Map<Digest, Batch>()
  readonly #records = new Map<string, StoredRecord>()
  readonly #messages = new WeakMap<Uint8Array, Message>()
  readonly #runs = new Map<string, ReferenceRun>()

  constructor(genesis: Genesis) {
    this.#genesis = genesis
    this.#fleet = fleetIdOf(genesis)
  }

  get batches(): number {
    return this.#batches.size
  }

  readRecord(bytes: Uint8Array): StoredRecord {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    let record = this.#records.get(key)
    if (record === undefined) {
      record = decodeRecord(bytes)
      this.#records.set(key, record)
      const batch = batchOf(record)
      if (batch !== null) this.#batches.set(batch.digest, batch)
    }
    return record
  }

  readFrame(bytes: Uint8Array): Message {
    let message = this.#messages.get(bytes)
    if (message === undefined) {
      message = decodeFrame(this.#fleet, bytes)
      this.#messages.set(bytes, message)
    }
    return message
  }

  /** All operations of a member up to an entry of a version vector; null if nobody ever stored one of the batches. */
  operationsUpTo({ digest }: VersionEntry): Operation[] | null {
    const batches: Batch[] = []
    for (let at = digest; at !== EMPTY_DIGEST;) {
      const batch = this.#batches.get(at)
      if (batch === undefined) return null
      batches.push(batch)
      at = batch.link
    }
    return batches.toReversed().flatMap(({ messages }) => messages.map(({ current }) => current))
  }

  /** What the reference makes of all that a vector states; the member of an entry that nobody stored if there is one. */
  run(vector: readonly VersionEntry[]): ReferenceRun | MemberId {
    const key = vector.map(({ digest }) => digest).join()
    const known = this.#runs.get(key)
    if (known !== undefined) return known
    const operations: Operation[] = []
    for (const entry of vector) {
      const ofMember = this.operationsUpTo(entry)
      if (ofMember === null) return entry.member
      operations.push(...ofMember)
    }
    const run = { ...executeAll(operations, this.#genesis), operations }
    this.#runs.set(key, run)
    return run
  }
}

export function batchOf(record: StoredRecord): Batch | null {
  return record.kind === 'batch' || record.kind === 'settled' ? record.batch : null
}
