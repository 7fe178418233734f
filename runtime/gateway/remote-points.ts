import { FleetstepError } from '../base/errors.ts'
import { HEALTH_BRANCH, REPORTED_BRANCH } from '../device/profiles/points.ts'
import type { DeviceRules, PointRule } from '../state/rules/rules.ts'
import type { Value } from '../state/value.ts'
import { valueToJson } from './control-protocol.ts'
import { deltaOf, type Freshness, isDown, type PointView } from './point-view.ts'

/** What a gateway knows of the device of another one: its rules in the state, and what is said of its age. */
export interface RemoteDevice {
  readonly device: string
  readonly rules: DeviceRules
  get(path: string): Value | undefined
  /** Null: it has not changed since the start of this gateway. */
  changedAgoMs(path: string): number | null
  /** Of the value that stands there; null: nobody says how old it is. */
  freshness(path: string): Freshness | null
}

/** Every point of the device, in the order of its rules. */
export function viewRemotePoints(source: RemoteDevice): readonly PointView[] {
  const reported = new Set(source.rules.points.map(({ path }) => path).filter((path) => path.startsWith(REPORTED_SIDE)))
  return source.rules.points
    .filter(({ path }) => !path.includes('*') && !path.startsWith(REPORTED_SIDE) && !path.startsWith(HEALTH))
    .map((rule) => viewPoint(rule, reported.has(`${REPORTED_SIDE}${rule.path}`), source))
}

/** @throws FleetstepError `path-unknown` */
export function noSuchDevice(device: string, known: readonly string[]): FleetstepError {
  const names =
    known.length === 0 ? 'no device has its profile in the state' : `those with a profile are ${known.join(', ')}`
  return new FleetstepError('path-unknown', `nothing says which points ${device} has: ${names}`)
}

/** How the paths of the reported side begin, below the device. */
export const REPORTED_SIDE: string = `${REPORTED_BRANCH}/`
const HEALTH = `${HEALTH_BRANCH}/`

function viewPoint(rule: PointRule, hasTwoSides: boolean, source: RemoteDevice): PointView {
  const below = (name: string): string => `${source.device}/${name}`
  const told = hasTwoSides ? below(`${REPORTED_SIDE}${rule.path}`) : below(rule.path)
  const value = source.get(below(rule.path))
  const reported = hasTwoSides ? source.get(told) : undefined
  const delta = deltaOf(value, reported)
  const age = source.changedAgoMs(told)
  const health = source.get(below(`${HEALTH}${rule.path}`))
  const isReported = hasTwoSides || rule.access === 'R' || rule.owner === 'reported'
  const fresh = isReported ? source.freshness(told) : null
  return {
    path: below(rule.path),
    ...(value !== undefined && { value: valueToJson(value) }),
    ...(reported !== undefined && { reported: valueToJson(reported) }),
    ...(delta !== null && { delta }),
    ...(rule.units !== undefined && { units: rule.units }),
    ...(age !== null && { changedAgoMs: age }),
    ...(health !== undefined && { health: valueToJson(health) }),
    ...(isReported && { quality: isDown(health) ? 'bad' : (fresh?.quality ?? 'uncertain') }),
    ...(fresh !== null && { readAgoMs: fresh.ageMs }),
  }
}
