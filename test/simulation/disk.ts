import { fraction, type Random } from '../../runtime/base/random.ts'
import { STORAGE_PAGE_BYTES } from '../../runtime/base/limits.ts'
import { decodeBatch, encodeBatch } from '../../runtime/storage/batch.ts'
import { readPage } from '../../runtime/storage/page.ts'

interface StoredRecordBytes {
  readonly number: number
  readonly bytes: Uint8Array
}

/** What is on a medium: enough to make a card of the same content. */
export interface DiskImage {
  readonly snapshot: { readonly bytes: Uint8Array; readonly through: number } | null
  readonly records: readonly StoredRecordBytes[]
  readonly last: number
}

export const EMPTY_IMAGE: DiskImage = { snapshot: null, records: [], last: 0 }

/** How a commit ends that was in flight when the power failed. */
export type PowerLoss = 'kept' | 'lost' | 'torn'

/**
 * A disk under the rules of the port `Store`: it keeps what was synced when its node loses power; a commit in flight then is
 * kept whole or lost whole, also when its write was torn. A full disk takes nothing until there is room.
 */
export class SimulatedDisk {
  isFull = false
  #image: DiskImage
  /** Handed over, and not in a commit yet. */
  #written: StoredRecordBytes[] = []
  #committing: StoredRecordBytes[] = []

  constructor(image: DiskImage = EMPTY_IMAGE) {
    this.#image = image
  }

  get hasWritten(): boolean {
    return this.#written.length > 0
  }

  get isCommitting(): boolean {
    return this.#committing.length > 0
  }

  /** What a backup would hold now. */
  get image(): DiskImage {
    return this.#image
  }

  recover(): { snapshot: Uint8Array | null; records: readonly Uint8Array[]; last: number } {
    const { snapshot, records, last } = this.#image
    return { snapshot: snapshot?.bytes ?? null, records: records.map(({ bytes }) => bytes), last }
  }

  /** Another card is in the machine, which has no power. */
  replace(image: DiskImage): void {
    this.#image = image
    this.isFull = false
  }

  write(number: number, bytes: Uint8Array): void {
    this.#written.push({ number, bytes })
  }

  /** Group commit: all that was written goes into one commit, which takes its time. */
  startCommit(): void {
    this.#committing = this.#written
    this.#written = []
  }

  /** @returns the records that are on the medium now, and the number of the last one */
  finishCommit(): { readonly through: number; readonly records: readonly Uint8Array[] } {
    const committed = this.#committing
    this.#committing = []
    const { snapshot, records, last } = this.#image
    const through = committed.at(-1)?.number ?? last
    this.#image = { snapshot, records: [...records, ...committed], last: through }
    return { through, records: committed.map(({ bytes }) => bytes) }
  }

  /** Replaces the snapshot, once its bytes are on the medium. Without room the former one stays. */
  takeSnapshot(bytes: Uint8Array, through: number): void {
    const { snapshot, records, last } = this.#image
    if (this.isFull || through < (snapshot?.through ?? 0)) return
    this.#image = { snapshot: { bytes, through }, records: records.filter(({ number }) => number > through), last }
  }

  /** @returns what the commit in flight brought onto the medium */
  losePower(loss: PowerLoss, random: Random): readonly Uint8Array[] {
    this.#written = []
    const isKept = loss === 'kept' || (loss === 'torn' && this.#survivesTearing(random))
    if (isKept) return this.finishCommit().records
    this.#committing = []
    return []
  }

  /** Writes the commit as the store does, tears it anywhere, and reads it as the store does after a power cut. */
  #survivesTearing(random: Random): boolean {
    const [first] = this.#committing
    if (first === undefined) return false
    const records = this.#committing.map(({ bytes }) => bytes)
    const bytes = encodeBatch({ kind: 'records', number: 1, epoch: 1, firstSequence: first.number, records })
    bytes.fill(0xff, Math.floor((bytes.length + 1) * fraction(random)))
    const pages = Array.from({ length: bytes.length / STORAGE_PAGE_BYTES }, (_, index) =>
      readPage(bytes.subarray(index * STORAGE_PAGE_BYTES, (index + 1) * STORAGE_PAGE_BYTES)),
    )
    return decodeBatch(bytes, pages)?.records.length === records.length
  }
}
