import { FleetstepError } from '../base/errors.ts'
import { reportedPath, sideOf } from '../device/profiles/points.ts'
import type { DeviceResource } from '../device/profiles/profile.ts'
import { parseValue } from '../device/profiles/value-text.ts'
import { isWritable } from '../state/rules/value-type.ts'
import type { Value } from '../state/value.ts'
import { valueToJson } from './control-protocol.ts'
import type { Gateway } from './gateway.ts'
import type { Receipt } from './receipt.ts'

/** A value that could not be written now; it was there before. */
export interface ProfileMisfit {
  readonly path: string
  readonly value: unknown
  readonly reason: string
}

/** What became of a misfit: the value that it has now, or why it stays; with neither it is gone. */
export interface CorrectedMisfit extends ProfileMisfit {
  readonly now?: unknown
  readonly problem?: string
}

/** Values of a device that could not be written now, by path. */
export function misfitsOf(gateway: Gateway, device: string = gateway.device): readonly ProfileMisfit[] {
  return gateway.profiles
    .misfits(device)
    .map(({ path, value, reason }) => ({ path, value: valueToJson(value), reason }))
}

/**
 * Gives each misfit of a device the `defaultValue` of the profile, where this gateway has the device and the profile names one, and
 * takes the others away.
 */
export function correctMisfits(gateway: Gateway, device: string): readonly CorrectedMisfit[] {
  return misfitsOf(gateway, device).map((misfit) => {
    const value = defaultValueAt(gateway, misfit.path)
    try {
      const receipt = correct(gateway, misfit.path, value)
      if (receipt.outcome !== 'applied') return { ...misfit, problem: receipt.reason ?? `it was ${receipt.outcome}` }
      return value === undefined ? misfit : { ...misfit, now: valueToJson(value) }
    } catch (error) {
      if (!(error instanceof FleetstepError)) throw error
      return { ...misfit, problem: error.message }
    }
  })
}

/**
 * The `defaultValue` of a point that people set, by the profile of this gateway: the value of a set that names none, as EdgeX
 * has it. Undefined if there is none.
 */
export function defaultValueAt(gateway: Gateway, path: string): Value | undefined {
  const resource = resourceAt(gateway, path)
  if (resource === undefined || path !== `${gateway.device}/${resource.name}`) return undefined
  const { defaultValue, readWrite, valueType } = resource.properties
  if (defaultValue === undefined || !isWritable(readWrite)) return undefined
  // The profile was checked: it is a value of the type.
  return parseValue(valueType, defaultValue) as Value
}

function correct(gateway: Gateway, path: string, value: Value | undefined): Receipt {
  if (value !== undefined) return gateway.state.set(path, value)
  const resource = resourceAt(gateway, path)
  const isReported = resource !== undefined && reportedPath(gateway.device, resource) === path
  return isReported && !isPeoples(path, resource, gateway) ? gateway.state.forget(path) : gateway.state.delete(path)
}

/** Whether people set the point itself, even if its device reports there too. */
function isPeoples(path: string, { name, properties }: DeviceResource, { device }: Gateway): boolean {
  return path === `${device}/${name}` && isWritable(properties.readWrite)
}

function resourceAt({ profile, device }: Gateway, path: string): DeviceResource | undefined {
  if (!path.startsWith(`${device}/`)) return undefined
  const { name } = sideOf(path.slice(device.length + 1))
  return profile?.deviceResources.find((resource) => resource.name === name)
}
