import type { DeviceProfile, DeviceResource } from '../device/profiles/profile.ts'
import { hasTwoSides, healthPath, pointPath, reportedPath } from '../device/profiles/points.ts'
import { equalValues, type Value } from '../state/value.ts'
import { valueToJson } from './control-protocol.ts'

/** One point with both its sides, in JSON. What is not there is left out. */
export interface PointView {
  readonly path: string
  /** What people wish for, or, of a point that nobody sets, what the device reports. */
  readonly value?: unknown
  /** What the device has, where that is a point of its own. */
  readonly reported?: unknown
  /** Reported less wished for; of what is no number, true while they differ. */
  readonly delta?: number | boolean
  readonly units?: string
  /** Milliseconds since this gateway saw the reported side change, or the only one; left out if that was before its start. */
  readonly changedAgoMs?: number
  readonly health?: unknown
  readonly description?: string
}

/** What a view is made of. */
export interface PointSource {
  readonly device: string
  readonly profile: DeviceProfile | null
  get(path: string): Value | undefined
  /** Null: it has not changed since the start. */
  changedAgoMs(path: string): number | null
}

/** Every point of the profile, whether it has a value or not, in the order of the profile. */
export function viewPoints(source: PointSource): readonly PointView[] {
  return (source.profile?.deviceResources ?? []).map((resource) => viewPoint(resource, source))
}

function viewPoint(resource: DeviceResource, source: PointSource): PointView {
  const path = pointPath(source.device, resource)
  const other = hasTwoSides(resource) ? reportedPath(source.device, resource) : null
  const value = source.get(path)
  const reported = other === null ? undefined : source.get(other)
  const delta = deltaOf(value, reported)
  const age = source.changedAgoMs(reported === undefined || other === null ? path : other)
  const health = source.get(healthPath(source.device, resource))
  const { units } = resource.properties
  return {
    path,
    ...(value !== undefined && { value: valueToJson(value) }),
    ...(reported !== undefined && { reported: valueToJson(reported) }),
    ...(delta !== null && { delta }),
    ...(units !== undefined && { units }),
    ...(age !== null && { changedAgoMs: age }),
    ...(health !== undefined && { health: valueToJson(health) }),
    ...(resource.description !== undefined && { description: resource.description }),
  }
}

/** Null while one side is not there, or both are the same. */
function deltaOf(value: Value | undefined, reported: Value | undefined): number | boolean | null {
  if (value === undefined || reported === undefined || equalValues(value, reported)) return null
  if (typeof value !== 'number' || typeof reported !== 'number') return true
  // Differences of decimal fractions are not exact: 0.3 - 0.1 has sixteen digits of which two mean something.
  return Number((reported - value).toPrecision(DELTA_DIGITS))
}

const DELTA_DIGITS = 12
