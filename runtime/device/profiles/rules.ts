import type { Digest } from '../../base/digest.ts'
import type { NodeId } from '../../base/ids.ts'
import type { DeviceRules, PointRule } from '../../state/rules/rules.ts'
import { hasTwoSides, HEALTH_BRANCH, REPORTED_BRANCH } from './points.ts'
import type { DeviceProfile, DeviceResource } from './profile.ts'

/**
 * The part of a profile by which the whole fleet judges what is written to the device.
 * @param node that has the device: it alone writes what is read only or reported
 * @param digest of the profile, as a name of this version of it
 * @param more points that the gateway keeps beside those of `points.ts`
 */
export function rulesOfProfile(
  { name, deviceResources }: DeviceProfile,
  node: NodeId,
  digest: Digest,
  more: readonly PointRule[] = [],
): DeviceRules {
  const points = deviceResources.map(pointRuleOf)
  const reported = deviceResources.filter(hasTwoSides).map(reportedRuleOf)
  const isWired = deviceResources.some(({ attributes }) => attributes['driver'] !== undefined)
  return { node, profile: { name, digest }, points: [...points, ...reported, ...(isWired ? [HEALTH] : []), ...more] }
}

/** How what is wired fares. */
const HEALTH: PointRule = { path: `${HEALTH_BRANCH}/*`, valueType: 'Object', access: 'R' }

/** What the device has, beside what is wished for. */
function reportedRuleOf(resource: DeviceResource): PointRule {
  const { owner: _owner, merge: _merge, ...rule } = pointRuleOf(resource)
  return { ...rule, path: `${REPORTED_BRANCH}/${resource.name}`, access: 'R' }
}

function pointRuleOf({ name, properties }: DeviceResource): PointRule {
  const { valueType, readWrite, minimum, maximum, units, optional } = properties
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
    ...(units === undefined ? {} : { units }),
  }
}
