import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { sortedEntries, vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import type { DrivenReplica } from '../support/driven-replica.ts'

let running = 0

/** What `member` says if it holds just what `node` holds, but for `parts`. Each is newer than the one before. */
export function announcementOf(
  node: DrivenReplica,
  member: MemberId,
  parts: Partial<Omit<Announcement, 'member' | 'vectorDigest'>> = {},
): Announcement {
  const { vector, last } = node.inspect()
  running += 1
  const entries = parts.vector === undefined || parts.vector === null ? vector : parts.vector
  const stated = versionVector(entries)
  return {
    member,
    start: 1,
    number: running,
    epoch: 0,
    newestEpoch: 0,
    epochDigest: EMPTY_DIGEST,
    knowsCuts: true,
    frozen: null,
    stage: last.stage,
    ownSeq: stated.get(member)?.seq ?? 0,
    floor: 0,
    floorDigest: EMPTY_DIGEST,
    ...parts,
    vectorDigest: vectorDigest(stated),
    vector: parts.vector === null ? null : sortedEntries(stated),
  }
}
