import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BinaryHeap } from '../../runtime/base/binary-heap.ts'

const ascending = (left: number, right: number): number => left - right

test('a heap gives the first of what it holds, whatever was added and taken in between', () => {
  const step = fc.oneof(fc.integer(), fc.constant('take' as const))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new BinaryHeap(ascending)
      let held: number[] = []
      for (const one of steps) {
        if (one === 'take') {
          held = held.toSorted(ascending)
          assert.equal(heap.take(), held.shift())
        } else {
          heap.add(one)
          held.push(one)
        }
        assert.equal(heap.length, held.length)
      }
    }),
  )
})

test('a heap of many items compares few of them', () => {
  let compared = 0
  const heap = new BinaryHeap<number>((left, right) => {
    compared += 1
    return left - right
  })
  const count = 10_000
  for (let index = 0; index < count; index++) heap.add((index * 7919) % count)
  for (let index = 0; index < count; index++) assert.equal(heap.take(), index)
  assert.ok(compared < 3 * count * Math.log2(count), `${compared} comparisons`)
})
