import { EMPTY_DIGEST } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import { History } from './history.ts'
import { type Genesis, Membership } from './membership.ts'
import { type Batch, lastOf } from './message.ts'
import { decodeRecord } from './records.ts'
import { decodeSnapshot, type Snapshot } from './snapshot.ts'

/** What the store gave back. */
export interface Recovered {
  readonly snapshot: Uint8Array | null
  /** The records behind the snapshot, in order. */
  readonly records: readonly Uint8Array[]
  /** Number of the last record ever stored, 0 if there was none. */
  readonly last: number
}

export interface Recovery {
  readonly history: History
  /** The count of the last start. */
  readonly start: number
  /** Highest stage on the disk. */
  readonly storedStage: number
}

/** Builds the history anew from what the disk holds. @throws FleetstepError `data-directory-*` */
export function recoverHistory(self: MemberId, genesis: Genesis, recovered: Recovered): Recovery {
  const snapshot = recovered.snapshot === null ? null : decodeSnapshot(recovered.snapshot)
  const history = historyFrom(genesis, snapshot)
  let start = snapshot?.start ?? 0
  let storedStage = snapshot?.highWater.stage ?? 0
  const restore = (batch: Batch): void => {
    history.restore(batch)
    const { seq } = lastOf(batch).current.id
    history.log(batch.origin).markStored({ member: batch.origin, seq, digest: batch.digest })
    storedStage = Math.max(storedStage, lastOf(batch).current.stage)
  }
  for (const batch of snapshot?.batches ?? []) restore(batch)
  for (const bytes of recovered.records) {
    const record = decodeRecord(bytes)
    switch (record.kind) {
      case 'start':
        checkOwner(record.member, self)
        start = record.start
        break
      case 'batch':
        restore(record.batch)
        break
      case 'floor':
        if (record.floor > history.floor) history.fold(record.floor)
        break
      case 'resolved':
        history.conflicts.resolve(record.conflict)
        break
    }
  }
  return { history, start, storedStage }
}

function historyFrom(genesis: Genesis, snapshot: Snapshot | null): History {
  const membership = new Membership(genesis)
  if (snapshot === null) return new History(membership, 0, EMPTY_DIGEST)
  const history = new History(membership, snapshot.floor, snapshot.floorDigests.get(snapshot.floor) ?? EMPTY_DIGEST)
  for (const [floor, digest] of snapshot.floorDigests) history.floorDigests.set(floor, digest)
  for (const [path, cell] of snapshot.cells) history.restoreCell(path, cell)
  for (const log of snapshot.logs) history.restoreLog(log)
  history.restoreHighWater(snapshot.highWater)
  history.conflicts.restore(snapshot.conflicts, snapshot.conflictsForgotten, snapshot.conflictsResolved)
  return history
}

function checkOwner(member: MemberId, self: MemberId): void {
  if (member === self) return
  throw new FleetstepError(
    'data-directory-foreign',
    `the data directory belongs to member ${member}, and this is ${self}`,
  )
}
