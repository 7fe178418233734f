import { reportedPath } from '../device/profiles/points.ts'
import type { Quality } from '../sync/output.ts'
import type { Gateway } from './gateway.ts'
import { REPORTED_SIDE } from './remote-points.ts'

/** How far the value at a path can be relied on, and since when it was read; null: nobody says. */
export interface PathQuality {
  readonly quality: Quality
  readonly ageMs: number | null
}

/** Of every point that a device reports, whether it has a value or not; what only people set has none. */
export function qualitiesOf(gateway: Gateway): ReadonlyMap<string, PathQuality> {
  const qualities = new Map<string, PathQuality>()
  const add = (path: string, quality: Quality | undefined, ageMs: number | undefined): void => {
    if (quality !== undefined) qualities.set(path, { quality, ageMs: ageMs ?? null })
  }
  // Where no rules stand, as of a device whose profile nobody has applied.
  for (const { path, quality, ageMs } of gateway.telemetry.list()) add(path, quality, ageMs)
  for (const { device, rules } of gateway.profiles.list()) {
    if (device === gateway.device && gateway.profile !== null) continue
    const reported = new Set(rules.points.map(({ path }) => path).filter((path) => path.startsWith(REPORTED_SIDE)))
    for (const { path, quality, readAgoMs } of gateway.pointsOf(device)) {
      const side = `${REPORTED_SIDE}${path.slice(device.length + 1)}`
      add(reported.has(side) ? `${device}/${side}` : path, quality, readAgoMs)
    }
  }
  for (const [index, { quality, readAgoMs }] of gateway.points().entries()) {
    const resource = gateway.profile?.deviceResources[index]
    if (resource !== undefined) add(reportedPath(gateway.device, resource), quality, readAgoMs)
  }
  return qualities
}
