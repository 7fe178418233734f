import type { WrittenSoFar } from './wear-file.ts'

/**
 * The port behind which a node's records survive a power cut. A record is an opaque byte string; the replica writes its
 * meaning. Records have a sequence number 1, 2, 3 … given in the order of `commit`.
 */
export interface Store {
  /**
   * Takes the lock of the data directory, recovers, and returns what had survived. Call once.
   * @throws FleetstepError `data-directory-*`, `disk-full`, `storage-failed`; nothing is held then
   */
  open(): Promise<Recovered>
  /**
   * Writes `records` as one atomic batch and resolves with the sequence number of the last once they are on the medium.
   * One batch is in flight at a time; the caller waits (group commit is the caller's) and leaves the bytes as they are.
   * At least one record, each at most RECORD_BYTES_MAX; all of them, with STORED_RECORD_HEADER_BYTES each, at most
   * STORED_BATCH_BYTES_MAX.
   * @throws FleetstepError `disk-full` (nothing of the batch was kept; the store goes on and may be tried again),
   *   `storage-failed` (the medium failed; the batch is kept or not, which the next opening shows; the store takes
   *   nothing more and waits for `close`)
   */
  commit(records: readonly Uint8Array[]): Promise<number>
  /**
   * Replaces the snapshot by `bytes`, which stands for all records up to and including `through`, and then frees what is
   * older. Resolves once it is on the medium. Does not stop `commit` calls that are made meanwhile. One at a time; at most
   * SNAPSHOT_BYTES_MAX, which the caller leaves as they are until then; `through` never goes back.
   * @throws FleetstepError `disk-full`, `limit-reached` (the former snapshot stays; may be tried again), `storage-failed`
   */
  snapshot(bytes: Uint8Array, through: number): Promise<void>
  /**
   * Keeps `bytes` for people, beside the data and never read again; of too many the oldest goes. Resolves with the name of
   * the file, or null if there was no room. One at a time.
   * @throws FleetstepError `storage-failed`
   */
  keepEvidence(name: string, bytes: Uint8Array): Promise<string | null>
  info(): StoreInfo
  /** Looks how much room there is; `info().space` tells afterwards. @throws FleetstepError `storage-failed` */
  checkSpace(): Promise<SpaceLevel>
  /**
   * Sees whether the data directory is the one that was opened; every commit and snapshot does that too.
   * @throws FleetstepError `storage-failed`: it was removed, moved or replaced, or the store has failed before
   */
  checkPlace(): void
  /**
   * Finishes what is in flight and releases the lock.
   * @throws FleetstepError `storage-failed`: as `checkPlace`, if that is new; all is let go of nevertheless
   */
  close(): Promise<void>
}

/** What a data directory belongs to. Another one is refused. */
export interface StoreOwner {
  /** 8 bytes as hex, of the fleet and its genesis. */
  readonly fleet: string
  readonly node: string
}

export interface Recovered {
  /** The newest whole snapshot, or null. */
  readonly snapshot: { readonly bytes: Uint8Array; readonly through: number } | null
  /** The records after the snapshot, in order, without gaps. */
  readonly records: readonly Uint8Array[]
  /** Sequence number of the last record, 0 if there has never been one. */
  readonly last: number
  /** One clear line for each thing that was not as it should be (a torn tail, a damaged snapshot set aside). */
  readonly findings: readonly string[]
  /** Records that had been acknowledged are missing after `last`: an alarm, and a reason to catch up before anything else. */
  readonly damaged: boolean
}

/**
 * How much room there is for the journal.
 * - `low`: warn people.
 * - `refusing`: no new local changes; what is left is for what others send and for what was taken already.
 */
export type SpaceLevel = 'enough' | 'low' | 'refusing'

export interface StoreInfo {
  readonly directory: string
  readonly formatVersion: number
  readonly lastSequence: number
  readonly snapshotThrough: number
  readonly segments: number
  readonly diskBytes: number
  readonly bytesWritten: number
  /** By this and all earlier openings of the directory, and how long they ran; null where nobody counts it. */
  readonly lifetime: WrittenSoFar | null
  readonly commits: number
  /** As of the last look. */
  readonly space: SpaceLevel
  /** Bytes free on the file system at the last look. */
  readonly freeBytes: number
  /** How often the medium refused a batch, which then went into another segment: replace the card soon. */
  readonly mediumErrors: number
  /** The journal has reached the size at which it is cheaper to cut a snapshot. */
  readonly snapshotDue: boolean
}
