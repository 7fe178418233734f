import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { OPERATIONS_PER_BATCH_MAX } from '../../runtime/base/limits.ts'
import { openBatch, sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { SyncMessage } from '../../runtime/sync/message.ts'
import { idOf, operation, type OperationParts, set } from '../state/operations.ts'
import { batchOf } from './batches.ts'

const { member } = idOf('B', 1)

describe('a batch', () => {
  test('is opened as it was sealed, and its digest depends on what the origin issued before', () => {
    const batch = batchOf({ by: 'B', count: 3, writes: [set('x', [1, 'two', null], idOf('C', 4))] })
    assert.deepEqual(openBatch(batch.payload), { ...batch, payload: batch.payload })
    assert.notEqual(batchOf({ by: 'B', count: 3, link: batch.digest }).digest, batch.digest)
  })

  const contradictions: readonly (readonly [what: string, second: OperationParts, reason: RegExp])[] = [
    ['a gap in its seqs', { seq: 3, stage: 2 }, /seq does not follow/],
    ['one seq twice', { seq: 1, stage: 2 }, /seq does not follow/],
    ['one stage twice', { seq: 2, stage: 1 }, /stage does not grow/],
    ['an operation of another member', { by: 'C', seq: 2, stage: 2 }, /not of the origin/],
  ]
  for (const [what, second, reason] of contradictions) {
    test(`with ${what} is refused`, () => {
      assert.throws(() => openBatch(sealed([messageOf({}), messageOf(second)])), reason)
    })
  }

  test('whose priority changes is refused', () => {
    const [first, second] = [messageOf({}), messageOf({ seq: 2, stage: 2 })]
    const promoted = { ...second.current, priority: { ...second.current.priority, tier: 9 } }
    assert.throws(() => openBatch(sealed([first, { ...second, current: promoted }])), /priority changes/)
  })

  test('without operations, or with too many, is refused', () => {
    assert.throws(() => openBatch(sealed([])), /messages are none/)
    const count = OPERATIONS_PER_BATCH_MAX
    assert.equal(openBatch(batchOf({ by: 'B', count }).payload).messages.length, count)
    assert.throws(() => openBatch(batchOf({ by: 'B', count: count + 1 }).payload), /more than 256/)
  })

  test('keeps nothing of the frame that it came in: its values have bytes of their own', () => {
    const { payload } = batchOf({ by: 'B', writes: [set('x', { deep: [new Uint8Array([7, 7, 7])] })] })
    const copy = new Uint8Array(payload)
    const opened = openBatch(copy)
    copy.fill(0)
    assert.deepEqual(opened.messages[0]?.current.writes[0]?.argument, { deep: [new Uint8Array([7, 7, 7])] })
  })
})

function messageOf({ by = 'B', stage = 1, ...parts }: OperationParts): SyncMessage {
  const previous = { id: stage === 1 ? null : idOf('A', 1), stage: stage - 1 }
  return { current: operation({ by, stage, ...parts }), previous }
}

function sealed(messages: readonly SyncMessage[]): Uint8Array {
  return sealBatch(member, EMPTY_DIGEST, messages).payload
}
