import { equalBytes, textBytes } from '../base/bytes.ts'
import { VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from '../base/limits.ts'

/** What a point holds. Whole numbers outside ±2^53 are bigints of at most 64 bits. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [key: string]: Value }

/** Null for a valid value within the limits, else one clear reason. */
export function valueProblem(value: unknown): string | null {
  const measured = measure(value, 1)
  if (typeof measured === 'string') return measured
  return measured > VALUE_BYTES_MAX ? `a value has at most ${VALUE_BYTES_MAX} bytes` : null
}

export function isValue(value: unknown): value is Value {
  return valueProblem(value) === null
}

/** Equal in type and content. The order of an object's keys does not matter. */
export function equalValues(left: Value | undefined, right: Value | undefined): boolean {
  return areEqual(left, right, false)
}

/** Equal to the last byte: objects also in the order of their keys, in which they are written and digested. */
export function identicalValues(left: Value | undefined, right: Value | undefined): boolean {
  return areEqual(left, right, true)
}

function areEqual(left: Value | undefined, right: Value | undefined, inOrder: boolean): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (left instanceof Uint8Array || right instanceof Uint8Array) {
    return left instanceof Uint8Array && right instanceof Uint8Array && equalBytes(left, right)
  }
  if (isList(left) || isList(right)) return isList(left) && isList(right) && equalLists(left, right, inOrder)
  const [keys, others] = [Object.keys(left), Object.keys(right)]
  if (keys.length !== others.length) return false
  return keys.every((key, index) => {
    const isThere = inOrder ? key === others[index] : Object.hasOwn(right, key)
    return isThere && areEqual(left[key], right[key], inOrder)
  })
}

/**
 * A copy that shares nothing with `value`, in the one form that every replica has: whole numbers within ±2^53 are numbers,
 * and there is no negative zero.
 */
export function ownValue(value: Value): Value {
  if (typeof value === 'bigint') return isSafe(value) ? Number(value) : value
  if (value === 0) return 0
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (isList(value)) return value.map(ownValue)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, ownValue(child)]))
  }
  return value
}

function isSafe(whole: bigint): boolean {
  return whole <= BigInt(Number.MAX_SAFE_INTEGER) && whole >= BigInt(Number.MIN_SAFE_INTEGER)
}

/** Bytes of `value` in CBOR, an upper bound by at most 8 bytes for each number. */
export function valueBytes(value: Value): number {
  const measured = measure(value, 1)
  return typeof measured === 'number' ? measured : Number.POSITIVE_INFINITY
}

/** The bytes by which {@link valueBytes} of a list grows with one more item; infinite for one that is nested too deep there. */
export function bytesAppended(item: Value): number {
  const measured = measure(item, 2)
  return typeof measured === 'number' ? measured : Number.POSITIVE_INFINITY
}

export function isList(value: unknown): value is readonly Value[] {
  return Array.isArray(value)
}

const HEAD_BYTES = 5
const INT64_MIN = -(2n ** 63n)
const UINT64_MAX = 2n ** 64n - 1n

/** Bytes, or the reason why `value` is none. */
function measure(value: unknown, depth: number): number | string {
  switch (typeof value) {
    case 'boolean':
      return 1
    case 'number':
      return Number.isFinite(value) ? 9 : 'a number is finite'
    case 'bigint':
      return value >= INT64_MIN && value <= UINT64_MAX ? 9 : 'a whole number has at most 64 bits'
    case 'string':
      return value.isWellFormed() ? HEAD_BYTES + textBytes(value) : 'a text has no lone surrogates'
    case 'object':
      break
    default:
      return `a value is not of type ${typeof value}`
  }
  if (value === null) return 1
  if (value instanceof Uint8Array) return HEAD_BYTES + value.length
  if (depth > VALUE_DEPTH_MAX) return `a value is nested at most ${VALUE_DEPTH_MAX} levels`
  return isList(value) ? measureAll(value, depth) : measureObject(value, depth)
}

function measureObject(value: object, depth: number): number | string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return 'an object is a plain one'
  let total = HEAD_BYTES
  for (const [key, child] of Object.entries(value)) {
    if (key === '__proto__' || !key.isWellFormed()) return 'a key is well-formed text and not __proto__'
    const measured = measure(child, depth + 1)
    if (typeof measured === 'string') return measured
    total += HEAD_BYTES + Buffer.byteLength(key) + measured
    if (total > VALUE_BYTES_MAX) return total
  }
  return total
}

function measureAll(values: readonly unknown[], depth: number): number | string {
  let total = HEAD_BYTES
  for (const child of values) {
    const measured = measure(child, depth + 1)
    if (typeof measured === 'string') return measured
    total += measured
    if (total > VALUE_BYTES_MAX) return total
  }
  return total
}

function equalLists(left: readonly Value[], right: readonly Value[], inOrder: boolean): boolean {
  return left.length === right.length && left.every((value, index) => areEqual(value, right[index], inOrder))
}
