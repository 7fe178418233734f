import type { DeviceProfile, DeviceResource } from '../device/profiles/profile.ts'
import { hasTwoSides, healthPath, pointPath, reportedPath } from '../device/profiles/points.ts'
import { READING_INTERVAL_DEFAULT_MS } from '../base/limits.ts'
import { parseInterval } from '../device/profiles/interval.ts'
import { isReadable, isWritable } from '../state/rules/value-type.ts'
import { equalValues, type Value } from '../state/value.ts'
import type { Quality } from '../sync/output.ts'
import type { ShownReading } from '../sync/shown-readings.ts'
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
  /** How far what the device reports can be relied on; only of points that a driver reads. */
  readonly quality?: Quality
  /**
   * Milliseconds since what is reported was read, as the gateway says that reads it; left out where it has not said so since
   * its start, or of another value.
   */
  readonly readAgoMs?: number
  readonly description?: string
}

/**
 * How far a value can be relied on. `good`: read well, and lately. `uncertain`: of unknown age, as before it is read for the first
 * time, or older than its driver should let it become. `stale`: its gateway has not been heard for a while, or does not confirm
 * it any more. `bad`: the device is down, or not healthy.
 */
export type { Quality } from '../sync/output.ts'

export type Freshness = Pick<ShownReading, 'quality' | 'ageMs'>

/** What a view is made of. */
export interface PointSource {
  readonly device: string
  readonly profile: DeviceProfile | null
  get(path: string): Value | undefined
  /** Null: it has not changed since the start. */
  changedAgoMs(path: string): number | null
  /** Of the value that stands there; null: nobody says how old it is. */
  freshness(path: string): Freshness | null
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
  const fresh = source.freshness(other ?? path)
  const hasDriver = resource.attributes['driver'] !== undefined && isReadable(resource.properties.readWrite)
  return {
    path,
    ...(value !== undefined && { value: valueToJson(value) }),
    ...(reported !== undefined && { reported: valueToJson(reported) }),
    ...(delta !== null && { delta }),
    ...(units !== undefined && { units }),
    ...(age !== null && { changedAgoMs: age }),
    ...(health !== undefined && { health: valueToJson(health) }),
    ...((hasDriver || fresh !== null) && { quality: qualityOf(resource, health, fresh) }),
    ...(fresh !== null && { readAgoMs: fresh.ageMs }),
    ...(resource.description !== undefined && { description: resource.description }),
  }
}

/** Whether a device says that it does not work. */
export function isDown(health: Value | undefined): boolean {
  return typeof health === 'object' && health !== null && 'state' in health && health.state === 'down'
}

function qualityOf({ properties }: DeviceResource, health: Value | undefined, fresh: Freshness | null): Quality {
  if (isDown(health)) return 'bad'
  if (fresh === null) return 'uncertain'
  // What is only set is confirmed when it is set, not at an interval.
  if (isWritable(properties.readWrite) || fresh.quality !== 'good') return fresh.quality
  const intervalMs = parseInterval(properties.optional.interval ?? '') ?? READING_INTERVAL_DEFAULT_MS
  return fresh.ageMs > LATE_INTERVALS * intervalMs + LATE_GRACE_MS ? 'uncertain' : 'good'
}

/** Intervals without a reading after which one is late, and the time that its retries may take. */
const LATE_INTERVALS = 3
const LATE_GRACE_MS = 10_000

/** Null while one side is not there, or both are the same. */
export function deltaOf(value: Value | undefined, reported: Value | undefined): number | boolean | null {
  if (value === undefined || reported === undefined || equalValues(value, reported)) return null
  if (typeof value !== 'number' || typeof reported !== 'number') return true
  // Differences of decimal fractions are not exact: 0.3 - 0.1 has sixteen digits of which two mean something.
  return Number((reported - value).toPrecision(DELTA_DIGITS))
}

const DELTA_DIGITS = 12
