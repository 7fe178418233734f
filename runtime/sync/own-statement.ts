import type { Operation } from '../state/operation.ts'
import type { OwnStatement } from './anti-entropy.ts'
import type { History } from './history.ts'
import type { RecordWriter } from './record-writer.ts'

/**
 * What may be announced now, or null: only what is on the disk, and nothing that an operation of our own would contradict
 * which is still to come. It must not be at or below the stage, nor have been issued below the floor.
 * @param coming the first operation of our own that is not on the disk, sealed or not; stages and floors grow from there
 */
export function ownStatement(
  start: number,
  writer: RecordWriter,
  coming: Operation | null,
  history: History,
): OwnStatement | null {
  if (!writer.hasStarted) return null
  const stage = announcedStage(writer, coming)
  if (coming === null || writer.floor.stage <= coming.floor) return { start, stage, floor: writer.floor }
  const digest = history.floorDigests.get(coming.floor)
  // A commit that takes so long that even its floor is forgotten: silence until it is done.
  return digest === undefined ? null : { start, stage, floor: { stage: coming.floor, digest } }
}

/** The highest stage on the disk, but below every operation of our own that is not there yet: that one is still sent. */
export function announcedStage(writer: RecordWriter, coming: Operation | null): number {
  return coming === null ? writer.stage : Math.min(writer.stage, coming.stage - 1)
}
