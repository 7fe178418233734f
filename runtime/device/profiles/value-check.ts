import type { Misfit, ValueRule } from '../../state/rules/value-check.ts'
import { typeMisfit, valueMisfit } from '../../state/rules/value-check.ts'
import { isReadable, isWritable } from '../../state/rules/value-type.ts'
import type { DeviceResource, ResourceProperties } from './profile.ts'

/**
 * Whether `value` may be the value of `resource`, be it read or set: its type, its range, its enumeration, its
 * pattern and its length.
 *
 * Whole numbers outside ±2^53 are bigints; an array is a plain one; a binary is a Uint8Array.
 * @returns null, or one clear reason without the name of the resource
 */
export function checkValue(resource: DeviceResource, value: unknown): string | null {
  return reasonOf(valueMisfit(valueRuleOf(resource.properties), value))
}

/** {@link checkValue} for a value that somebody sets: the point must be writable. */
export function checkSet(resource: DeviceResource, value: unknown): string | null {
  if (!isWritable(resource.properties.readWrite)) return 'can only be read (readWrite: R)'
  return checkValue(resource, value)
}

/** {@link checkValue} for a value that a device reports: the point must be readable. */
export function checkReading(resource: DeviceResource, value: unknown): string | null {
  if (!isReadable(resource.properties.readWrite)) return 'can only be set (readWrite: W)'
  return checkValue(resource, value)
}

/** {@link checkValue} but for the enumeration. */
export function checkType(properties: ResourceProperties, value: unknown): string | null {
  return reasonOf(typeMisfit(valueRuleOf(properties), value))
}

/** The part of a resource that judges its value; made once for each. */
function valueRuleOf(properties: ResourceProperties): ValueRule {
  const known = RULES.get(properties)
  if (known !== undefined) return known
  const { valueType, minimum, maximum, units, optional } = properties
  const { enum: allowed, pattern, maxLength } = optional
  const rule: ValueRule = {
    valueType,
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(units === undefined ? {} : { units }),
    ...(allowed === undefined ? {} : { enum: allowed }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(maxLength === undefined ? {} : { maxLength }),
  }
  RULES.set(properties, rule)
  return rule
}

const RULES = new WeakMap<ResourceProperties, ValueRule>()

function reasonOf(misfit: Misfit | null): string | null {
  return misfit?.reason ?? null
}
