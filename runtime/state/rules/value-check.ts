import { unreachable } from '../../base/errors.ts'
import { PATTERN_TEXT_LENGTH_MAX } from '../../base/limits.ts'
import { compilePattern } from './pattern.ts'
import { showValue } from './show-value.ts'
import { isNumberType, type NumberType, numberRange, type ValueType } from './value-type.ts'

/** What the value of one point must be. Numbers outside ±2^53 are bigints. */
export interface ValueRule {
  readonly valueType: ValueType
  /** Inclusive; of an array for each element. */
  readonly minimum?: number | bigint
  readonly maximum?: number | bigint
  readonly enum?: readonly (string | number | bigint)[]
  /** Regular expression without a `patternProblem`; the whole text matches it. */
  readonly pattern?: string
  /** Characters of a text, bytes of a binary, elements of an array. */
  readonly maxLength?: number
  /** Only for people. */
  readonly units?: string
}

/** Why a value does not fit its rule. */
export interface Misfit {
  readonly code: 'type' | 'range' | 'enum' | 'pattern' | 'length'
  /** One clear reason without the name of the point. */
  readonly reason: string
}

/**
 * Null if `value` may be the value of a point with this rule: its type, its range, its enumeration, its pattern and its length.
 * Pure, total and bounded by the size of the value, so that every member of a fleet judges alike and none can be held up.
 *
 * Whole numbers outside ±2^53 are bigints; an array is a plain one; a binary is a Uint8Array.
 */
export function valueMisfit(rule: ValueRule, value: unknown): Misfit | null {
  return typeMisfit(rule, value) ?? enumMisfit(rule, value)
}

/** {@link valueMisfit} but for the enumeration. */
export function typeMisfit(rule: ValueRule, value: unknown): Misfit | null {
  const type = rule.valueType
  if (isNumberType(type)) return numberMisfit(rule, type, value)
  switch (type) {
    case 'Bool':
      return typeof value === 'boolean' ? null : ofType(`must be true or false (Bool), but is ${showValue(value)}`)
    case 'String':
      return textMisfit(rule, value)
    case 'Binary':
      if (!(value instanceof Uint8Array)) return ofType(`must be bytes (Binary), but is ${showValue(value)}`)
      return lengthMisfit(rule, value.length, 'bytes')
    case 'Object':
      return isPlainObject(value) ? null : ofType(`must be an object (Object), but is ${showValue(value)}`)
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
      return arrayMisfit(rule, ELEMENT_TYPES[type], value)
    default:
      return unreachable(type)
  }
}

/** Of one element that is to be appended to an array. */
export function elementMisfit(rule: ValueRule, element: unknown): Misfit | null {
  const type = rule.valueType
  if (!(type in ELEMENT_TYPES)) return ofType(`takes no element (${type})`)
  return numberMisfit(rule, ELEMENT_TYPES[type as keyof typeof ELEMENT_TYPES], element)
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

function numberMisfit(rule: ValueRule, type: NumberType, value: unknown): Misfit | null {
  const range = numberRange(type)
  const kind = range.whole ? 'whole number' : 'number'
  if (typeof value !== 'number' && typeof value !== 'bigint')
    return ofType(`must be a ${kind} (${type}), but is ${showValue(value)}`)
  if (range.whole) {
    if (typeof value === 'number' && !Number.isInteger(value))
      return ofType(`must be a whole number (${type}), but is ${value}`)
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      return ofType(`is beyond 2^53 and was rounded on the way; give it as a bigint, or as text in JSON (${type})`)
    }
  } else {
    if (typeof value === 'bigint')
      return ofType(`must be a number with a fraction part (${type}), but is the bigint ${value}`)
    if (!Number.isFinite(value)) return ofType(`must be a finite number (${type}), but is ${value}`)
  }
  const minimum = rule.minimum ?? range.minimum
  const maximum = rule.maximum ?? range.maximum
  if (value >= minimum && value <= maximum) return null
  const units = rule.units === undefined ? '' : ` ${rule.units}`
  return { code: 'range', reason: `must be from ${minimum} to ${maximum}${units} (${type}), but is ${value}` }
}

function textMisfit(rule: ValueRule, value: unknown): Misfit | null {
  if (typeof value !== 'string') return ofType(`must be text (String), but is ${showValue(value)}`)
  if (!value.isWellFormed()) return ofType('must be well-formed text, but holds a lone surrogate')
  const { pattern } = rule
  const tooLong = lengthMisfit(rule, countCharacters(value), 'characters')
  if (tooLong !== null || pattern === undefined) return tooLong
  if (value.length > PATTERN_TEXT_LENGTH_MAX) {
    const bound = `must have at most ${PATTERN_TEXT_LENGTH_MAX} characters, since it has a pattern`
    return { code: 'length', reason: `${bound}; it has ${value.length}` }
  }
  if (compilePattern(pattern).test(value)) return null
  return { code: 'pattern', reason: `must match the pattern ${pattern}, but is ${showValue(value)}` }
}

function arrayMisfit(rule: ValueRule, type: NumberType, value: unknown): Misfit | null {
  if (!Array.isArray(value)) return ofType(`must be a list of numbers (${rule.valueType}), but is ${showValue(value)}`)
  const tooLong = lengthMisfit(rule, value.length, 'elements')
  if (tooLong !== null) return tooLong
  for (let index = 0; index < value.length; index++) {
    const misfit = numberMisfit(rule, type, value[index])
    if (misfit !== null) return { code: misfit.code, reason: `element ${index} ${misfit.reason}` }
  }
  return null
}

function enumMisfit({ enum: allowed }: ValueRule, value: unknown): Misfit | null {
  if (allowed === undefined || allowed.some((one) => sameScalar(one, value))) return null
  return { code: 'enum', reason: `must be one of ${allowed.map(showValue).join(', ')}, but is ${showValue(value)}` }
}

function lengthMisfit({ maxLength }: ValueRule, length: number, noun: string): Misfit | null {
  if (maxLength === undefined || length <= maxLength) return null
  return { code: 'length', reason: `must have at most ${maxLength} ${noun}, but has ${length}` }
}

function ofType(reason: string): Misfit {
  return { code: 'type', reason }
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
