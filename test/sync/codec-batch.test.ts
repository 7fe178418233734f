import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { decodeCbor, encodeCbor } from '../../runtime/base/cbor.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { memberIdToBytes, type OperationId } from '../../runtime/base/ids.ts'
import { BATCH_BYTES_MAX, OPERATIONS_PER_BATCH_MAX } from '../../runtime/base/limits.ts'
import { openBatch, sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { SyncMessage } from '../../runtime/sync/message.ts'
import { idOf, operation, type OperationParts, set, write } from '../state/operations.ts'
import { batchOf } from './batches.ts'

const { member } = idOf('B', 1)

describe('a batch', () => {
  test('is opened as it was sealed, and its digest depends on what the origin issued before', () => {
    const batch = batchOf({ by: 'B', count: 3, writes: [set('x', [1, 'two', null], idOf('C', 4))] })
    assert.deepEqual(openBatch(batch.payload), { ...batch, payload: batch.payload })
    assert.notEqual(batchOf({ by: 'B', count: 3, link: batch.digest }).digest, batch.digest)
  })

  test('says what follows the message before in one item, and anything else in full', () => {
    const chained = batchOf({ by: 'B', count: 20 }).payload.length
    const first = batchOf({ by: 'B' }).payload.length
    assert.ok(chained - first <= 19 * 8, `${(chained - first) / 19} bytes for each that follows`)
    const other = messageOf({ seq: 2, stage: 6, floor: 3 }, idOf('A', 4))
    const batch = sealBatch(member, EMPTY_DIGEST, [messageOf({}), other])
    assert.deepEqual(openBatch(batch.payload).messages, batch.messages)
  })

  test('that is large is deflated, and says the same', () => {
    const batch = batchOf({ by: 'B', count: 100, writes: [set('line1/machine/speed', 'running')] })
    const plain = plainBytesOf(batch.payload)
    assert.ok(batch.payload.length * 3 < plain.length)
    assert.deepEqual(openBatch(batch.payload).messages, batch.messages)
    assert.deepEqual(openBatch(plain).messages, batch.messages)
  })

  test('that another release of zlib has deflated is opened all the same', () => {
    const payload = encodeCbor(new Uint8Array(deflateRawSync(batchOf({ by: 'B' }).payload, { level: 0 })))
    assert.deepEqual(openBatch(payload).messages, batchOf({ by: 'B' }).messages)
  })

  test('that inflates beyond what a frame could hold is refused, and so is what cannot be inflated', () => {
    const bomb = encodeCbor(new Uint8Array(deflateRawSync(new Uint8Array(BATCH_BYTES_MAX + 1))))
    assert.ok(bomb.length < 200)
    assert.throws(() => openBatch(bomb), /cannot be inflated to at most 65536 bytes/)
    assert.throws(() => openBatch(encodeCbor(new Uint8Array([1, 2, 3]))), /cannot be inflated/)
    const whole = batchOf({ by: 'B', count: 100 }).payload
    const nested = encodeCbor(new Uint8Array(deflateRawSync(whole)))
    assert.throws(() => openBatch(nested), /batch is not a list/)
  })

  test('whose stages do not grow is refused', () => {
    const back = messageOf({ seq: 2, stage: 1 }, null)
    assert.throws(() => openBatch(sealed([messageOf({}), back])), /stage does not grow/)
  })

  test('whose first message does not say what it follows is refused', () => {
    const bare = [[memberIdToBytes(member)], new Uint8Array(8), 1, 1, [[[['x', 1]]]]] as const
    assert.throws(() => openBatch(encodeCbor(bare)), /does not say what it follows/)
  })

  test('without operations, or with too many, is refused', () => {
    const empty = [[memberIdToBytes(member)], new Uint8Array(8), 1, 1, []] as const
    assert.throws(() => openBatch(encodeCbor(empty)), /messages is not a list of 1 to 256/)
    const count = OPERATIONS_PER_BATCH_MAX
    assert.equal(openBatch(batchOf({ by: 'B', count }).payload).messages.length, count)
    assert.throws(() => openBatch(batchOf({ by: 'B', count: count + 1 }).payload), /messages is not a list of 1 to 256/)
  })

  test('that lacks its last bytes is refused, also where a number was the last', () => {
    const first = messageOf({ by: 'B', seq: 1, stage: 1 })
    const toggled = messageOf({ by: 'B', seq: 2, stage: 2, writes: [write('x', 'toggle')] }, first.current.id)
    const payload = sealed([first, toggled])
    assert.deepEqual(openBatch(payload).messages[1]?.current.writes, toggled.current.writes)
    for (let length = 1; length < payload.length; length++)
      assert.throws(() => openBatch(payload.slice(0, length)), FleetstepError, `${length} of ${payload.length} bytes`)
  })

  test('keeps nothing of the frame that it came in: its values have bytes of their own', () => {
    const { payload } = batchOf({ by: 'B', writes: [set('x', { deep: [new Uint8Array([7, 7, 7])] })] })
    const copy = new Uint8Array(payload)
    const opened = openBatch(copy)
    copy.fill(0)
    assert.deepEqual(opened.messages[0]?.current.writes[0]?.argument, { deep: [new Uint8Array([7, 7, 7])] })
  })
})

function messageOf({ by = 'B', stage = 1, ...parts }: OperationParts, follows: OperationId | null = null): SyncMessage {
  return { current: operation({ by, stage, ...parts }), previous: { id: follows, stage: stage - 1 } }
}

function sealed(messages: readonly SyncMessage[]): Uint8Array {
  return sealBatch(member, EMPTY_DIGEST, messages).payload
}

function plainBytesOf(payload: Uint8Array): Uint8Array {
  const deflated = decodeCbor(payload, 1)
  assert.ok(deflated instanceof Uint8Array)
  return new Uint8Array(inflateRawSync(deflated))
}
