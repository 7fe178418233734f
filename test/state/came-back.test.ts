import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CAME_BACK_RANGES_MAX } from '../../runtime/base/limits.ts'
import { areRanges, hasComeBack, withComeBack } from '../../runtime/state/came-back.ts'
import type { Value } from '../../runtime/state/value.ts'

test('originals that came back are those that were added, in any order, in ranges that do not touch', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (seqs) => {
      let value: Value | undefined
      for (const seq of seqs) value = withComeBack(value, seq)
      for (let seq = 0; seq <= 41; seq++) assert.equal(hasComeBack(value, seq), seqs.includes(seq), `${seq}`)
      assert.ok(value === undefined || areRanges(value))
      const gaps = new Set(seqs.filter((seq) => !seqs.includes(seq + 1)))
      assert.equal((value as readonly Value[] | undefined)?.length ?? 0, 2 * gaps.size)
    }),
  )
})

test('a list of as many ranges as there may be is searched by halving', () => {
  let value: Value | undefined
  for (let seq = 2; seq <= 2 * CAME_BACK_RANGES_MAX; seq += 2) value = withComeBack(value, seq)
  const ends = value as readonly Value[]
  assert.equal(ends.length, 2 * CAME_BACK_RANGES_MAX)
  let reads = 0
  const counted = new Proxy(ends, {
    get: (target, key) => {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1
      return Reflect.get(target, key) as unknown
    },
  })
  assert.equal(hasComeBack(counted, 501), false)
  assert.equal(hasComeBack(counted, 502), true)
  assert.ok(reads < 40, `${reads} reads`)
})
