import type { MemberId } from '../base/ids.ts'
import { MEMBER_BYTES_MAX, MEMBER_OPERATIONS_MAX } from '../base/limits.ts'
import { seqUpTo } from './fulfilled.ts'
import type { History } from './history.ts'
import type { Peers } from './peers.ts'

/**
 * Whether so many operations of another member are open here, or such long ones, that nothing more is taken of it until it is heard.
 * A member refuses its own changes while its journal is full, so above the floor that it announces there are never as many. Somebody whose
 * operations come and whose announcements do not settles what we cannot settle, and would go on for ever; so would somebody whose
 * announcements claim a high floor and operations that never come.
 *
 * It is as if the rest were still under way: its next announcement, or our floor, makes room. What stands of a retired member is
 * bounded by its cut, and is needed.
 */
export function isFullOf(member: MemberId, history: History, peers: Peers): boolean {
  const { journal, retirement } = history
  // Asked for at every batch, and nearly always the journal is short.
  const isShort = journal.length < MEMBER_OPERATIONS_MAX && journal.memoryBytes < MEMBER_BYTES_MAX
  if (isShort || retirement.isRetired(member)) return false
  const log = history.log(member)
  const settledSeq = Math.max(seqUpTo(journal.floor, log), peers.wordsOf(log)?.settledSeq ?? 0)
  return log.held.seq - settledSeq >= MEMBER_OPERATIONS_MAX || log.memoryBytesAfter(settledSeq) >= MEMBER_BYTES_MAX
}
