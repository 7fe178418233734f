import { HEALTH_ERROR_LENGTH_MAX } from '../../base/limits.ts'
import { isReadable, isWritable } from '../../state/rules/value-type.ts'
import type { DeviceResource } from './profile.ts'

/*
 * Where the values of a device are. A point that people set and a device has is two: what is wished for at
 * `<device>/<resource>`, and what the device has at `<device>/reported/<resource>`. Every other one is at
 * `<device>/<resource>` alone. How its hardware fares is at `<device>/health/<resource>`.
 */

/** Names below `<device>/`; no resource has a `/` in its name, so neither is ever one of them. */
export const REPORTED_BRANCH = 'reported'
export const HEALTH_BRANCH = 'health'

/** Whether what is wished for and what the device has are two points. */
export function hasTwoSides({ attributes, properties }: DeviceResource): boolean {
  const { readWrite, optional } = properties
  return (
    attributes['driver'] !== undefined &&
    isReadable(readWrite) &&
    isWritable(readWrite) &&
    optional.owner !== 'reported'
  )
}

/** What people set, or read where there is nothing to set. */
export function pointPath(device: string, resource: DeviceResource): string {
  return `${device}/${resource.name}`
}

/** Where the device says what it has. */
export function reportedPath(device: string, resource: DeviceResource): string {
  return hasTwoSides(resource) ? `${device}/${REPORTED_BRANCH}/${resource.name}` : pointPath(device, resource)
}

/** Holds `{ state: 'up' }`, or `{ state: 'down', error }` with one line of what is wrong. */
export function healthPath(device: string, resource: DeviceResource): string {
  return `${device}/${HEALTH_BRANCH}/${resource.name}`
}

/** Whose turn a path below `<device>/` is, by the name of its resource. */
export type PointSide = 'point' | 'reported' | 'health'

/** @param rest of a path, behind `<device>/` */
export function sideOf(rest: string): { readonly side: PointSide; readonly name: string } {
  const at = rest.indexOf('/')
  const branch = rest.slice(0, Math.max(at, 0))
  if (branch === REPORTED_BRANCH) return { side: 'reported', name: rest.slice(at + 1) }
  if (branch === HEALTH_BRANCH) return { side: 'health', name: rest.slice(at + 1) }
  return { side: 'point', name: rest }
}

/** Null for what may stand at a {@link healthPath}, else one clear reason. */
export function healthProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return HEALTH_FORM
  const { state, error, ...others } = value as { state?: unknown; error?: unknown }
  const isError = error === undefined || (typeof error === 'string' && error.length <= HEALTH_ERROR_LENGTH_MAX)
  return (state === 'up' || state === 'down') && isError && Object.keys(others).length === 0 ? null : HEALTH_FORM
}

const HEALTH_FORM = `must be { state: up or down, error: at most ${HEALTH_ERROR_LENGTH_MAX} characters }`
