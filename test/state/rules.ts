import type { Digest } from '../../runtime/base/digest.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import type { DeviceRules, PointRule } from '../../runtime/state/rules/rules.ts'

/** The nodes of members A, B and C, see `idOf`. */
export const NODE_A: NodeId = 'a000000000000000' as NodeId
export const NODE_B: NodeId = 'b000000000000000' as NodeId
export const NODE_C: NodeId = 'c000000000000000' as NodeId

/** Rules of a device that node A has. */
export function rulesOf(...points: readonly PointRule[]): DeviceRules {
  return { node: NODE_A, profile: { name: 'pump', digest: '00112233445566aa' as Digest }, points }
}

/** A point that everybody may write. */
export function point(path: string, valueType: PointRule['valueType'], more: Partial<PointRule> = {}): PointRule {
  return { path, valueType, access: 'RW', ...more }
}
