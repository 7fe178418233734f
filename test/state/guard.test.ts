import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guardHolds } from '../../runtime/state/guard.ts'
import type { Comparison } from '../../runtime/state/operation.ts'
import type { Value } from '../../runtime/state/value.ts'
import { guard } from './operations.ts'

const CASES: readonly (readonly [Value | undefined, Comparison, Value, boolean])[] = [
  ['open', '==', 'open', true],
  ['open', '==', 'shut', false],
  [{ a: [1], b: null }, '==', { b: null, a: [1] }, true],
  [new Uint8Array([1]), '==', new Uint8Array([1]), true],
  [1, '==', '1', false],
  [undefined, '==', null, false],
  [undefined, '!=', null, true],
  [0, '!=', false, true],
  [2, '<', 3, true],
  [3, '<', 3, false],
  [3, '<=', 3, true],
  [4, '>', 3, true],
  [3, '>', 3, false],
  [3, '>=', 3, true],
  [2n ** 60n, '>', 3, true],
  [3, '<', 2n ** 60n, true],
  ['b', '>', 'a', true],
  ['10', '<', '9', true],
  ['10', '<', 9, false],
  [true, '>', false, false],
  [undefined, '<', 1, false],
  [undefined, '>=', 0, false],
  [null, '<=', 1, false],
  [[2], '>', [1], false],
  [0, 'exists', true, true],
  [null, 'exists', true, true],
  [undefined, 'exists', true, false],
  [undefined, 'exists', false, true],
  [1, 'exists', false, false],
]

for (const [value, comparison, wanted, holds] of CASES) {
  const text = value === undefined ? 'an absent point' : shown(value)
  test(`${text} ${comparison} ${shown(wanted)} ${holds ? 'holds' : 'does not hold'}`, () => {
    assert.equal(guardHolds(guard('x', comparison, wanted), value), holds)
  })
}

function shown(value: Value): string {
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value)
}
