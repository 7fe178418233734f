import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memberIdOf, nodeOf } from '../../runtime/base/ids.ts'
import { compareCanonically, type Positioned } from '../../runtime/state/operation.ts'
import { comparePriority } from '../../runtime/state/priority.ts'
import { idOf, operation } from './operations.ts'

test('canonical order is by stage, then by priority from high to low, then by nonce, then by seq', () => {
  const { priority } = operation({ by: 'B' })
  const later: Positioned = { id: { member: memberIdOf(nodeOf(idOf('B', 1).member), 7), seq: 1 }, stage: 2, priority }
  const inOrder: Positioned[] = [
    operation({ by: 'C', stage: 1 }),
    operation({ by: 'A', stage: 2 }),
    operation({ by: 'B', stage: 2 }),
    later,
    operation({ by: 'C', stage: 2 }),
    operation({ by: 'A', stage: 3, seq: 2 }),
  ]
  assert.deepEqual(inOrder.toReversed().toSorted(compareCanonically), inOrder)
  assert.equal(compareCanonically(later, later), 0)
})

test('operations of one stage and tier stand in the order of their node ids, the higher first', () => {
  const withTier = (by: 'A' | 'B'): Positioned => {
    const one = operation({ by })
    return { ...one, priority: { ...one.priority, tier: 1 } }
  }
  const [a, b] = [withTier('A'), withTier('B')]
  assert.ok(compareCanonically(b, a) < 0 && compareCanonically(a, b) > 0)
})

test('priority is the tier, then the node id', () => {
  const [a, b] = [operation({ by: 'A' }).priority, operation({ by: 'B' }).priority]
  assert.ok(comparePriority(a, b) > 0 && comparePriority(b, a) < 0)
  assert.ok(comparePriority({ ...a, tier: 1 }, { ...b, tier: 1 }) < 0, 'node a… is below node b…')
  assert.equal(comparePriority(a, { ...a }), 0)
})
