import type { Operation } from '../state/operation.ts'
import type { OwnStatement } from './anti-entropy.ts'
import type { RecordWriter } from './record-writer.ts'
import type { ReplicaCore } from './replica-core.ts'
import type { FloorMark } from './stored-floor.ts'

/**
 * What may be announced now, or null: only what is on the disk, and nothing that an operation of our own would contradict
 * which is still to come. It must not be at or below the stage, nor have been issued below the floor.
 * @param coming the first operation of our own that is not on the disk, sealed or not; stages and floors grow from there
 */
export function ownStatement(core: ReplicaCore, coming: Operation | null): OwnStatement | null {
  const { writer, self, start } = core
  const { retirement } = core.history
  const floor = announcedFloor(core, coming)
  if (!writer.hasStarted || floor === null) return null
  return {
    start,
    stage: announcedStage(writer, coming),
    floor,
    epoch: retirement.announced(self),
    newestEpoch: retirement.number,
    epochDigest: retirement.digest,
    knowsCuts: retirement.cuts !== null,
    frozen: retirement.isEntriesWanted ? retirement.announcedEntries(self) : null,
    state: core.states.mark(core.history),
  }
}

/** The highest stage on the disk, but below every operation of our own that is not there yet: that one is still sent. */
export function announcedStage(writer: RecordWriter, coming: Operation | null): number {
  return coming === null ? writer.stage : Math.min(writer.stage, coming.stage - 1)
}

function announcedFloor({ writer, history }: ReplicaCore, coming: Operation | null): FloorMark | null {
  if (coming === null || writer.floor.stage <= coming.floor) return writer.floor
  const digest = history.floorDigests.last.get(coming.floor)
  // A commit that takes so long that even its floor is forgotten: silence until it is done.
  return digest === undefined ? null : { stage: coming.floor, digest }
}
