import type { Digest } from '../../base/digest.ts'
import type { NodeId } from '../../base/ids.ts'
import type { DeviceRules, PointRule } from '../../state/rules/rules.ts'
import type { DeviceProfile, DeviceResource } from './profile.ts'

/**
 * The part of a profile by which the whole fleet judges what is written to the device.
 * @param node that has the device: it alone writes what is read only or reported
 * @param digest of the profile, as a name of this version of it
 * @param more points that the gateway keeps beside the resources, as their health
 */
export function rulesOfProfile(
  { name, deviceResources }: DeviceProfile,
  node: NodeId,
  digest: Digest,
  more: readonly PointRule[] = [],
): DeviceRules {
  return { node, profile: { name, digest }, points: [...deviceResources.map(pointRuleOf), ...more] }
}

function pointRuleOf({ name, properties }: DeviceResource): PointRule {
  const { valueType, readWrite, minimum, maximum, optional } = properties
  const { merge, owner, enum: allowed, pattern, maxLength } = optional
  return {
    path: name,
    valueType,
    access: readWrite,
    ...(owner === undefined ? {} : { owner }),
    ...(merge === undefined ? {} : { merge }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(allowed === undefined ? {} : { enum: allowed }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(maxLength === undefined ? {} : { maxLength }),
  }
}
