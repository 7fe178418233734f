import type { MemberId, OperationId } from '../base/ids.ts'
import { isOfOriginal } from './conflict.ts'
import type { History } from './history.ts'
import { compareByFirst, type Previous } from './message.ts'
import type { HistorySnapshot } from './snapshot.ts'

/**
 * All that is held, for the disk. It may be written once every batch that is held now is on the disk.
 * @param unsealedFollow what the first operation of `member` that stands in no batch yet follows, or null if all do
 */
export function snapshotOf(history: History, member: MemberId, unsealedFollow: Previous | null): HistorySnapshot {
  const { conflicts, local, retirement } = history
  const logs = [...history.logs()]
  const { seq } = history.log(member).held
  const isSealed = (id: OperationId): boolean => id.member !== member || id.seq <= seq
  return {
    floor: history.floor,
    floorDigests: history.floorDigests.last,
    highWater: highWaterOf(history, isSealed, unsealedFollow),
    cells: local.settledCells(),
    logs: logs.map((log) => log.settled),
    conflicts: conflicts
      .list()
      .filter((one) => isOfOriginal(one) || (isSealed(one.winner.operation) && isSealed(one.loser.operation))),
    conflictsForgotten: conflicts.forgotten,
    conflictsResolved: conflicts.resolved(),
    batches: logs.flatMap((log) => log.batches).sort(compareByFirst),
    retirement: retirement.record,
    evidence: [...retirement.evidence],
  }
}

/** The high-water mark of the sealed operations: only they are on the disk, and the seqs of the others are used again. */
function highWaterOf(
  history: History,
  isSealed: (id: OperationId) => boolean,
  unsealedFollow: Previous | null,
): Previous {
  if (unsealedFollow === null) return history.highWater
  let highest = unsealedFollow
  for (const { operation } of history.journal.entries(unsealedFollow.stage)) {
    if (isSealed(operation.id)) highest = { id: operation.id, stage: operation.stage }
  }
  return highest
}
