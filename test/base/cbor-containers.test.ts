import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CborData, encodeCbor } from '../../runtime/base/cbor.ts'
import { countContainers } from '../../runtime/base/cbor-containers.ts'

for (const [what, data, count] of [
  ['an integer', 1, 0],
  ['a text that looks like lists', '\u0000'.repeat(300), 0],
  ['integers and numbers of all lengths', [1, 30, 300, 70_000, 2 ** 40, -1, -300, 0.5, true, null], 1],
  ['lists in lists', [[], [[]], [1, []]], 6],
  ['a map', { a: {}, b: [] }, 3],
  ['bytes, whatever stands in them', [new Uint8Array(300).fill(0x80), new Uint8Array(70_000).fill(0x80)], 3],
] satisfies readonly (readonly [string, CborData, number])[])
  test(`containers are counted: ${what}`, () => {
    assert.equal(countContainers(encodeCbor(data), Infinity), count)
  })

test('no more containers are counted than asked for, and what is no CBOR ends the count', () => {
  assert.equal(countContainers(new Uint8Array(1000).fill(0x80), 10), 11)
  assert.equal(countContainers(Uint8Array.of(0x80, 0x80, 0xff, 0x80), Infinity), 2)
  assert.equal(
    countContainers(Uint8Array.of(0x80, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80), Infinity),
    2,
  )
})
