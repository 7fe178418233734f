import { unreachable } from '../base/errors.ts'
import type { Guard } from './operation.ts'
import { showValue } from './rules/show-value.ts'
import { equalValues, type Value } from './value.ts'

/**
 * Whether the guard holds for `value`; undefined is an absent point. An absent point equals nothing, and only two numbers
 * or two texts have an order: any other comparison of order is false.
 */
export function guardHolds(guard: Guard, value: Value | undefined): boolean {
  switch (guard.comparison) {
    case '==':
      return equalValues(value, guard.value)
    case '!=':
      return !equalValues(value, guard.value)
    case 'exists':
      return (value !== undefined) === guard.value
    case '<':
    case '<=':
    case '>':
    case '>=':
      return ordered(guard.comparison, value, guard.value)
    default:
      return unreachable(guard.comparison)
  }
}

/** In one line for people: what was wanted of a point, and what it is instead. */
export function showFailed({ path, comparison, value: wanted }: Guard, value: Value | undefined): string {
  const is = value === undefined ? 'it is not there' : `it is ${showValue(value)}`
  if (comparison === 'exists')
    return `the guard that ${path} ${wanted === true ? 'is' : 'is not'} there does not hold: ${is}`
  return `the guard ${path} ${comparison} ${showValue(wanted)} does not hold: ${is}`
}

function ordered(comparison: '<' | '<=' | '>' | '>=', left: Value | undefined, right: Value): boolean {
  const numbers = isNumeric(left) && isNumeric(right)
  const texts = typeof left === 'string' && typeof right === 'string'
  if (!numbers && !texts) return false
  switch (comparison) {
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
    default:
      return unreachable(comparison)
  }
}

function isNumeric(value: Value | undefined): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}
