import { STORED_BATCH_BYTES_MAX, STORED_RECORD_HEADER_BYTES } from '../base/limits.ts'
import { withFile, writeFully } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { Journal } from './journal.ts'
import { writeMark } from './owner.ts'
import { emptyJournal } from './recovery.ts'
import { SegmentFiles } from './segment-files.ts'
import { Snapshots } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'
import type { StoreOwner } from './store.ts'

/** All that a data directory holds. */
export interface StoreContent {
  readonly owner: StoreOwner
  readonly snapshot: Snapshot | null
  /** Behind the snapshot, in order, without gaps. */
  readonly records: readonly Uint8Array[]
  /** Files that others keep beside the journal, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** Writes a data directory where there is none; durable on return, the names after the directory is synced. */
export async function writeContent(
  fileSystem: FileSystem,
  directory: string,
  segmentBytes: number,
  { owner, snapshot, records, files }: StoreContent,
): Promise<void> {
  for (const [name, bytes] of files) {
    await withFile(fileSystem, `${directory}/${name}`, 'create', async (file) => {
      await writeFully(file, bytes, 0)
      await file.sync()
    })
  }
  if (snapshot !== null) await new Snapshots(fileSystem, directory).write(snapshot.bytes, snapshot.through)
  const segments = new SegmentFiles(fileSystem, directory, segmentBytes)
  const journal = new Journal(segments, emptyJournal(snapshot?.through ?? 0))
  try {
    // Even without records there is an opening batch: it proves that the journal reaches the snapshot.
    await journal.begin()
    for (const batch of batchesOf(records)) await journal.append(batch)
    await journal.end()
  } finally {
    await journal.settled()
    await journal.close()
  }
  await writeMark(fileSystem, directory, owner)
}

function* batchesOf(records: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = []
  let bytes = 0
  for (const record of records) {
    const length = record.length + STORED_RECORD_HEADER_BYTES
    if (bytes + length > STORED_BATCH_BYTES_MAX) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(record)
    bytes += length
  }
  if (batch.length > 0) yield batch
}
