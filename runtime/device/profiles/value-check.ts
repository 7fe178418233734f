import { unreachable } from '../../base/errors.ts'
import { PATTERN_TEXT_LENGTH_MAX } from '../../base/limits.ts'
import { compilePattern } from './pattern.ts'
import { isReadable, isWritable, type DeviceResource, type NumberType, type ResourceProperties } from './profile.ts'
import { showValue } from './show-value.ts'
import { isNumberType, numberRange } from './value-type.ts'

/**
 * Whether `value` may be the value of `resource`, be it read or set: its type, its range, its enumeration, its
 * pattern and its length. Pure, so that every member of a fleet judges alike.
 *
 * Whole numbers outside ±2^53 are bigints; an array is a plain one; a binary is a Uint8Array.
 * @returns null, or one clear reason without the name of the resource
 */
export function checkValue(resource: DeviceResource, value: unknown): string | null {
  return checkType(resource.properties, value) ?? checkEnum(resource.properties, value)
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
  const type = properties.valueType
  if (isNumberType(type)) return checkNumber(properties, type, value)
  switch (type) {
    case 'Bool':
      return typeof value === 'boolean' ? null : `must be true or false (Bool), but is ${showValue(value)}`
    case 'String':
      return checkString(properties, value)
    case 'Binary':
      if (!(value instanceof Uint8Array)) return `must be bytes (Binary), but is ${showValue(value)}`
      return checkLength(properties, value.length, 'bytes')
    case 'Object':
      return isPlainObject(value) ? null : `must be an object (Object), but is ${showValue(value)}`
    case 'Int8Array':
    case 'Int16Array':
    case 'Int32Array':
    case 'Int64Array':
    case 'Uint8Array':
    case 'Uint16Array':
    case 'Uint32Array':
    case 'Uint64Array':
    case 'Float32Array':
    case 'Float64Array':
      return checkArray(properties, ELEMENT_TYPES[type], value)
    default:
      return unreachable(type)
  }
}

/** Equal as values of one resource: 5 and 5n are the same number. */
export function sameScalar(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left === 'bigint' && typeof right === 'number') return Number.isInteger(right) && left === BigInt(right)
  if (typeof left === 'number' && typeof right === 'bigint') return sameScalar(right, left)
  return false
}

const ELEMENT_TYPES = {
  Int8Array: 'Int8',
  Int16Array: 'Int16',
  Int32Array: 'Int32',
  Int64Array: 'Int64',
  Uint8Array: 'Uint8',
  Uint16Array: 'Uint16',
  Uint32Array: 'Uint32',
  Uint64Array: 'Uint64',
  Float32Array: 'Float32',
  Float64Array: 'Float64',
} as const

function checkNumber(properties: ResourceProperties, type: NumberType, value: unknown): string | null {
  const range = numberRange(type)
  const kind = range.whole ? 'whole number' : 'number'
  if (typeof value !== 'number' && typeof value !== 'bigint')
    return `must be a ${kind} (${type}), but is ${showValue(value)}`
  if (range.whole) {
    if (typeof value === 'number' && !Number.isInteger(value))
      return `must be a whole number (${type}), but is ${value}`
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      return `is beyond 2^53 and was rounded on the way; give it as a bigint, or as text in JSON (${type})`
    }
  } else {
    if (typeof value === 'bigint') return `must be a number with a fraction part (${type}), but is the bigint ${value}`
    if (!Number.isFinite(value)) return `must be a finite number (${type}), but is ${value}`
  }
  const minimum = properties.minimum ?? range.minimum
  const maximum = properties.maximum ?? range.maximum
  if (value >= minimum && value <= maximum) return null
  return `must be from ${minimum} to ${maximum}${unitsOf(properties)} (${type}), but is ${value}`
}

function checkString(properties: ResourceProperties, value: unknown): string | null {
  if (typeof value !== 'string') return `must be text (String), but is ${showValue(value)}`
  if (!value.isWellFormed()) return 'must be well-formed text, but holds a lone surrogate'
  const { pattern } = properties.optional
  const tooLong = checkLength(properties, countCharacters(value), 'characters')
  if (tooLong !== null || pattern === undefined) return tooLong
  if (value.length > PATTERN_TEXT_LENGTH_MAX) {
    return `must have at most ${PATTERN_TEXT_LENGTH_MAX} characters, since it has a pattern; it has ${value.length}`
  }
  return compilePattern(pattern).test(value) ? null : `must match the pattern ${pattern}, but is ${showValue(value)}`
}

function checkArray(properties: ResourceProperties, type: NumberType, value: unknown): string | null {
  if (!Array.isArray(value)) return `must be a list of numbers (${properties.valueType}), but is ${showValue(value)}`
  const tooLong = checkLength(properties, value.length, 'elements')
  if (tooLong !== null) return tooLong
  for (let index = 0; index < value.length; index++) {
    const problem = checkNumber(properties, type, value[index])
    if (problem !== null) return `element ${index} ${problem}`
  }
  return null
}

function checkEnum(properties: ResourceProperties, value: unknown): string | null {
  const allowed = properties.optional.enum
  if (allowed === undefined || allowed.some((one) => sameScalar(one, value))) return null
  return `must be one of ${allowed.map(showValue).join(', ')}, but is ${showValue(value)}`
}

function checkLength(properties: ResourceProperties, length: number, noun: string): string | null {
  const { maxLength } = properties.optional
  if (maxLength === undefined || length <= maxLength) return null
  return `must have at most ${maxLength} ${noun}, but has ${length}`
}

/** Code points, as people and JSON Schema count them. */
function countCharacters(text: string): number {
  let count = text.length
  for (let index = 0; index < text.length; index++) if (isLowSurrogate(text.charCodeAt(index))) count -= 1
  return count
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function unitsOf(properties: ResourceProperties): string {
  return properties.units === undefined ? '' : ` ${properties.units}`
}
