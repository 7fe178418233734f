import { unreachable } from '../base/errors.ts'
import type { Guard } from './operation.ts'
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
