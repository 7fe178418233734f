import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCbor } from '../../runtime/base/cbor.ts'
import { VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from '../../runtime/base/limits.ts'
import { equalValues, isValue, ownValue, type Value, valueBytes, valueProblem } from '../../runtime/state/value.ts'

test('null, booleans, finite numbers, 64-bit whole numbers, text, bytes, lists and plain objects are values', () => {
  const values = [null, true, 0, -1.5, 2n ** 64n - 1n, -(2n ** 63n), '', '🌡', new Uint8Array(3), [], [[1]], { a: {} }]
  for (const value of values) assert.equal(valueProblem(value), null)
})

test('everything else is none, with a reason', () => {
  const sparse: unknown[] = []
  sparse[1] = 1
  const others: [unknown, RegExp][] = [
    [undefined, /undefined/],
    [Number.NaN, /finite/],
    [Infinity, /finite/],
    [2n ** 64n, /64 bits/],
    [-(2n ** 63n) - 1n, /64 bits/],
    ['\ud800', /surrogates/],
    [() => 1, /function/],
    [Symbol('x'), /symbol/],
    [new Date(0), /plain/],
    [new Map(), /plain/],
    [new Float32Array(1), /plain/],
    [{ a: undefined }, /undefined/],
    [sparse, /undefined/],
    [JSON.parse('{"__proto__":1}'), /__proto__/],
    [{ '\ud800': 1 }, /key/],
  ]
  for (const [value, reason] of others) assert.match(valueProblem(value) ?? 'no problem', reason)
})

test('a value is bounded in bytes and in depth', () => {
  assert.ok(isValue('x'.repeat(VALUE_BYTES_MAX - 5)))
  assert.match(valueProblem('x'.repeat(VALUE_BYTES_MAX)) ?? '', /at most 16384 bytes/)
  assert.match(valueProblem(Array.from({ length: 20_000 }, () => null)) ?? '', /at most 16384 bytes/)
  assert.ok(isValue(nested(VALUE_DEPTH_MAX)))
  assert.match(valueProblem(nested(VALUE_DEPTH_MAX + 1)) ?? '', /nested/)
  assert.match(valueProblem(nested(10_000)) ?? '', /nested/)
})

test('the size of a value is never below the bytes that it takes', () => {
  const value = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array(),
      fc.array(tie('value')),
      fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { noNullPrototype: true }),
    ),
  })).value
  fc.assert(fc.property(value, (one) => encodeCbor(one).length <= valueBytes(one)))
})

test('values are equal by type and content, whatever the order of keys', () => {
  assert.ok(equalValues({ a: [1, { b: 2 }], c: null }, { c: null, a: [1, { b: 2 }] }))
  assert.ok(equalValues(new Uint8Array([1, 2]), new Uint8Array([1, 2])))
  assert.ok(equalValues(undefined, undefined))
  const different: [Value | undefined, Value | undefined][] = [
    [1, '1'],
    [null, undefined],
    [[], {}],
    [[1], [1, 2]],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [new Uint8Array([1]), [1]],
    [new Uint8Array([1]), new Uint8Array([2])],
    [{ toString: 1 }, {}],
  ]
  for (const [left, right] of different) {
    assert.ok(!equalValues(left, right))
    assert.ok(!equalValues(right, left))
  }
})

test('an own value is equal, shares nothing, and has one form for each whole number', () => {
  const inner = [1]
  const bytes = new Uint8Array([1])
  const copy = ownValue({ inner, bytes, small: 5n, large: 2n ** 60n, zero: -0 }) as { [key: string]: Value }
  inner.push(2)
  bytes[0] = 9
  assert.deepEqual(copy, { inner: [1], bytes: new Uint8Array([1]), small: 5, large: 2n ** 60n, zero: 0 })
})

function nested(levels: number): Value {
  let value: Value = 0
  for (let level = 0; level < levels; level++) value = [value]
  return value
}
