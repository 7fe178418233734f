import { MEMBERS_MAX } from '../base/limits.ts'
import { type MemberId, type NodeId, nodeOf } from '../base/ids.ts'

/** Unique in the fleet: the tier of the profile (0 to 255), then the hardware-derived node id. The higher one stands. */
export interface Priority {
  readonly tier: number
  readonly node: NodeId
}

export const TIER_MAX = 255

/** The same object for the same arguments, mostly: each operation carries one, and they are compared all the time. */
export function priorityOf(member: MemberId, tier: number): Priority {
  const known = recent.get(member)
  if (known?.tier === tier) return known
  // Whoever sends ids that nobody has must not cost memory.
  if (recent.size >= MEMBERS_MAX) recent.clear()
  const priority: Priority = { tier, node: nodeOf(member) }
  recent.set(member, priority)
  return priority
}

const recent = new Map<MemberId, Priority>()

/** Positive if `left` is higher. */
export function comparePriority(left: Priority, right: Priority): number {
  if (left.tier !== right.tier) return left.tier - right.tier
  return left.node === right.node ? 0 : left.node > right.node ? 1 : -1
}
