import type { MemberId } from '../base/ids.ts'
import type { History } from './history.ts'
import type { MemberLog } from './member-log.ts'
import type { Announcement } from './message.ts'
import type { VersionEntry } from './version-vector.ts'

/** The operations of `member` behind `seq`. */
export interface LateOperations {
  readonly member: MemberId
  readonly seq: number
  /** The first of them stands before the join of its member that counts: a join was cut, and nobody was set back. */
  readonly isVoid: boolean
}

/**
 * What we hold at or below the floor that another member of our epoch has announced, and what it did not hold then: whoever
 * issued that had been set back, and since it is late at one it is late everywhere (PROTOCOL section 5), also if it was retired
 * since: the floor of the announcer had waited for it. What is settled here too is left to the comparison of the digests.
 */
export function lateOperations(announcement: Announcement, history: History): LateOperations[] {
  const { vector, epoch, floor } = announcement
  const { retirement } = history
  // Without the cuts it is not known yet what of the retired stands at all.
  if (vector === null || epoch !== retirement.number || retirement.cuts === null || floor <= history.floor) return []
  const covered = new Map(vector.map((entry) => [entry.member, entry]))
  const late: LateOperations[] = []
  for (const log of history.logs()) {
    const seq = coveredSeq(log, covered.get(log.member))
    const next = seq < log.held.seq ? log.messageAt(seq + 1) : null
    if (next === null || next.current.stage > floor) continue
    const since = history.membership.get(log.member)?.since ?? 0
    late.push({ member: log.member, seq, isVoid: next.current.stage <= since })
  }
  return late
}

/** Up to where it holds the same as we; where it holds another life of the member, nothing shows where the two part. */
function coveredSeq(log: MemberLog, stated: VersionEntry | undefined): number {
  if (stated === undefined) return 0
  return log.contradicts(stated.seq, stated.digest) ? log.settled.seq : stated.seq
}
