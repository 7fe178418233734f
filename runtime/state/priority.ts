import { type MemberId, type NodeId, nodeOf } from '../base/ids.ts'

/** Unique in the fleet: the tier of the profile (0 to 255), then the hardware-derived node id. The higher one stands. */
export interface Priority {
  readonly tier: number
  readonly node: NodeId
}

export const TIER_MAX = 255

export function priorityOf(member: MemberId, tier: number): Priority {
  return { tier, node: nodeOf(member) }
}

/** Positive if `left` is higher. */
export function comparePriority(left: Priority, right: Priority): number {
  if (left.tier !== right.tier) return left.tier - right.tier
  return left.node === right.node ? 0 : left.node > right.node ? 1 : -1
}
