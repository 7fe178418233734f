import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import type { ReplicaCore } from './replica-core.ts'

/**
 * Whether the fleet stands against us (PROTOCOL section 7, divergence): more than half of the counting members of the newest
 * epoch, or half of them with the highest priority among them, announce one other digest at a floor that we have had too.
 * Then we are the one to give way; otherwise we stay, and the alarm stands.
 * @param digest ours at `floor`
 */
export function isOutvoted(core: ReplicaCore, floor: number, digest: Digest): boolean {
  const counting = countingMembers(core)
  const votes = new Map<Digest, MemberId[]>()
  for (const member of counting) {
    const announcement = core.peers.get(member)?.announcement
    if (announcement?.floor !== floor || announcement.floorDigest === digest) continue
    votes.set(announcement.floorDigest, [...(votes.get(announcement.floorDigest) ?? []), member])
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
