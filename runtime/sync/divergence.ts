import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import type { Announcement } from './message.ts'
import type { ReplicaCore } from './replica-core.ts'

/**
 * Whether the fleet stands against us (PROTOCOL section 7, divergence): more than half of the counting members of the newest
 * epoch, or half of them with the highest priority among them, announce one other digest at a floor that we have had too.
 * Then we are the one to give way; otherwise we stay, and the alarm stands.
 * @param digest ours
 * @param digestIn what another member announces at the same floor, or null if it announces none of that
 */
export function isOutvoted(
  core: ReplicaCore,
  digest: Digest,
  digestIn: (announcement: Announcement) => Digest | null,
): boolean {
  const counting = countingMembers(core)
  const votes = new Map<Digest, MemberId[]>()
  for (const member of counting) {
    const announcement = core.peers.get(member)?.announcement
    const other = announcement === undefined ? null : digestIn(announcement)
    if (other !== null && other !== digest) votes.set(other, [...(votes.get(other) ?? []), member])
  }
  const highest = counting[0]
  return [...votes.values()].some((voters) => {
    const isHalf = 2 * voters.length === counting.length
    return 2 * voters.length > counting.length || (isHalf && highest !== undefined && voters.includes(highest))
  })
}

/** Highest priority first. Before the first epoch all settled members count. */
function countingMembers({ history }: ReplicaCore): MemberId[] {
  const { membership, retirement, floor } = history
  const counts = ({ id, since }: { readonly id: MemberId; readonly since: number }): boolean =>
    retirement.epoch?.counting.includes(id) ?? since <= floor
  return membership
    .list()
    .filter(counts)
    .map(({ id }) => id)
}
