import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { memberIdOf, type NodeId, nodeOf } from '../../runtime/base/ids.ts'
import { STAGE_LEAP_MAX } from '../../runtime/base/limits.ts'
import { judge, placeOf } from '../../runtime/sync/consistency.ts'
import { History } from '../../runtime/sync/history.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { idOf, type Name, operation, set } from '../state/operations.ts'
import { batchOf, chainOf } from './batches.ts'

const [B1, B2, B3] = chainOf('B', 3) as [Batch, Batch, Batch]

describe('the comparison of a batch with what is held (PROTOCOL section 4)', () => {
  test('what follows what is held is ready', () => {
    assert.deepEqual(judge(B1, holding()), { kind: 'ready' })
    assert.deepEqual(judge(B2, holding(B1)), { kind: 'ready' })
    assert.deepEqual(judge(batchOf({ by: 'C', stage: 2, previous: idOf('B', 1) }), holding(B1)), { kind: 'ready' })
  })

  test('what is held is known', () => {
    assert.deepEqual(judge(B1, holding(B1, B2)), { kind: 'known' })
    assert.deepEqual(judge(B1, folded(2, B1, B2)), { kind: 'known' })
  })

  test('it waits for the operation before it of its member, and then for the previous one', () => {
    assert.deepEqual(judge(B3, holding(B1)), { kind: 'wait', missing: idOf('B', 2) })
    assert.deepEqual(judge(batchOf({ by: 'C', stage: 3, previous: idOf('B', 2) }), holding(B1)), {
      kind: 'wait',
      missing: idOf('B', 2),
    })
  })

  test('it waits while its member is not known', () => {
    const member = memberIdOf(nodeOf(B1.origin), 77)
    const stranger = sealBatch(member, EMPTY_DIGEST, [
      { current: { ...operation(), id: { member, seq: 1 } }, previous: { id: null, stage: 0 } },
    ])
    assert.deepEqual(judge(stranger, holding()), { kind: 'wait', missing: { member, seq: 0 } })
  })

  test('a previous operation at or below the floor is covered, whatever its id', () => {
    const behindFloor = batchOf({ by: 'C', stage: 3, previous: idOf('A', 9) })
    assert.deepEqual(judge(behindFloor, holding(B1, B2)).kind, 'wait')
    assert.deepEqual(judge(behindFloor, folded(2, B1, B2)), { kind: 'ready' })
  })

  test('what stands at or below the floor and is not held is late', () => {
    assert.deepEqual(judge(batchOf({ by: 'C' }), folded(1, B1)), { kind: 'late' })
    assert.deepEqual(judge(batchOf({ by: 'C', count: 3 }), folded(1, B1)), { kind: 'late' })
  })

  test('another content of seqs that are held is a second life of its member', () => {
    const other = batchOf({ by: 'B', writes: [set('x', 'other')] })
    assert.deepEqual(judge(other, holding(B1)), { kind: 'used-twice' })
    const longer = batchOf({ by: 'B', count: 2 })
    assert.deepEqual(judge(longer, holding(B1)), { kind: 'used-twice' })
    const otherChain = batchOf({ by: 'B', seq: 2, stage: 2, previous: idOf('B', 1), link: other.digest })
    assert.deepEqual(judge(otherChain, holding(B1)), { kind: 'used-twice' })
  })

  test('what follows an operation that is held with another stage, kept or folded, is taken: of two lives the other one stands', () => {
    const follower = batchOf({ by: 'C', stage: 9, previous: idOf('B', 1) })
    assert.deepEqual(judge(follower, holding(B1)), { kind: 'ready' })
    assert.deepEqual(judge(follower, folded(1, B1)), { kind: 'ready' })
    const outOfReach = batchOf({ by: 'C', stage: STAGE_LEAP_MAX + 3, previous: idOf('B', 1) })
    assert.deepEqual(judge(outOfReach, holding(B1)), { kind: 'used-twice' })
    assert.deepEqual(judge(outOfReach, folded(1, B1)), { kind: 'used-twice' })
  })

  test('a batch that contradicts itself or its founder is refused', () => {
    const [{ current, previous }] = B1.messages as [Batch['messages'][0]]
    const promoted = { ...current, priority: { ...current.priority, tier: 9 } }
    const verdict = judge(sealBatch(B1.origin, EMPTY_DIGEST, [{ current: promoted, previous }]), holding())
    assert.equal(verdict.kind, 'refused')
    const two = batchOf({ by: 'B', count: 2 })
    const [first, second] = two.messages as [Batch['messages'][0], Batch['messages'][0]]
    const gap = { current: { ...second.current, stage: 5 }, previous: { ...second.previous, stage: 4 } }
    assert.equal(judge(sealBatch(two.origin, EMPTY_DIGEST, [first, gap]), holding()).kind, 'refused')
  })
})

test('an operation goes behind everything, right behind its stage, or in between', () => {
  const { journal } = holding(B1, B2)
  assert.equal(placeOf(operation({ by: 'C', stage: 3 }), journal), 'append')
  assert.equal(placeOf(operation({ by: 'C', stage: 2 }), journal), 'behind')
  assert.equal(placeOf(operation({ by: 'A', stage: 2 }), journal), 'insert')
  assert.equal(placeOf(operation({ by: 'C', stage: 1 }), journal), 'insert')
  assert.equal(placeOf(operation({ by: 'C', stage: 3 }), folded(2, B1, B2).journal), 'append')
})

function holding(...batches: readonly Batch[]): History {
  const node = (name: Name): NodeId => nodeOf(idOf(name, 1).member)
  const founders = (['A', 'B', 'C'] as const).map((name, index) => ({ node: node(name), tier: 3 - index }))
  const history = new History(new Membership({ name: 'consistency', founders }), 0, EMPTY_DIGEST)
  for (const batch of batches) assert.equal(history.receive(batch).verdict.kind, 'ready')
  return history
}

function folded(stage: number, ...batches: readonly Batch[]): History {
  const history = holding(...batches)
  history.fold(stage)
  return history
}
