import { assert } from '../../base/errors.ts'
import { READING_INTERVAL_DEFAULT_MS } from '../../base/limits.ts'
import { isReadable, isWritable } from '../../state/rules/value-type.ts'
import type { OutputRules } from '../outputs/rules.ts'
import { type Binding, bindingOf } from '../profiles/attributes.ts'
import { parseInterval } from '../profiles/interval.ts'
import type { DeviceProfile, DeviceResource } from '../profiles/profile.ts'

/** A resource and what it is wired to, as a driver takes it. */
export interface Bound<Wiring> {
  readonly resource: DeviceResource
  readonly wiring: Wiring
  readonly isRead: boolean
  /** Time between two readings. */
  readonly intervalMs: number
  /** Null for what is only read. */
  readonly output: OutputRules | null
}

type Wired = Exclude<Binding, { readonly driver: 'system' }>

/** The resources of a profile that have a driver for devices. @param profile has passed the checks of `loadProfile` */
export function bindAll(profile: DeviceProfile): Bound<Wired>[] {
  return profile.deviceResources.flatMap((resource) => {
    const wiring = bindingOf(resource)
    return wiring === null || wiring.driver === 'system' ? [] : [bind(resource, wiring)]
  })
}

/** Those of one driver. */
export function boundTo<Name extends Wired['driver']>(
  all: readonly Bound<Wired>[],
  driver: Name,
): Bound<Extract<Wired, { driver: Name }>>[] {
  const isWanted = (bound: Bound<Wired>): bound is Bound<Extract<Wired, { driver: Name }>> =>
    bound.wiring.driver === driver
  return all.filter(isWanted)
}

/** The resources on each port: one driver holds a port. */
export function byPort<Wiring extends { readonly port: string }>(
  bound: readonly Bound<Wiring>[],
): [Bound<Wiring>, ...Bound<Wiring>[]][] {
  const groups = new Map<string, [Bound<Wiring>, ...Bound<Wiring>[]]>()
  for (const one of bound) {
    const group = groups.get(one.wiring.port)
    if (group === undefined) groups.set(one.wiring.port, [one])
    else group.push(one)
  }
  return [...groups.values()]
}

function bind(resource: DeviceResource, wiring: Wired): Bound<Wired> {
  const { readWrite, optional } = resource.properties
  return {
    resource,
    wiring,
    isRead: isReadable(readWrite) && (wiring.driver !== 'serial' || wiring.response !== undefined),
    intervalMs: optional.interval === undefined ? READING_INTERVAL_DEFAULT_MS : millisecondsOf(optional.interval),
    output: isWritable(readWrite)
      ? {
          drive: wiring.drive,
          dwellMs: millisecondsOf(wiring.dwell),
          safeAfterMs: wiring.safeAfter === undefined ? null : millisecondsOf(wiring.safeAfter),
          safeValue: optional.safeValue,
        }
      : null,
  }
}

function millisecondsOf(text: string): number {
  const milliseconds = parseInterval(text)
  assert(milliseconds !== null, 'the profile was checked')
  return milliseconds
}
