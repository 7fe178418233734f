import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { WAITING_BYTES_MAX } from '../../runtime/base/limits.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { type Waiting, WaitingList } from '../../runtime/sync/waiting-list.ts'
import { idOf, set } from '../state/operations.ts'
import { batchOf } from './batches.ts'

const MISSING = idOf('A', 7)
const PLACE = { stage: 9, previous: MISSING }

describe('the waiting list and the deferred queue', () => {
  test('one place for each stage and previous operation: the claim of highest priority holds it, others are deferred', () => {
    const list = new WaitingList()
    const [a, b, c] = [batchOf({ by: 'A', ...PLACE }), batchOf({ by: 'B', ...PLACE }), batchOf({ by: 'C', ...PLACE })]
    assert.equal(list.add(b, MISSING), 'waiting')
    assert.equal(list.add(c, MISSING), 'deferred')
    assert.equal(list.add(a, MISSING), 'waiting')
    assert.deepEqual(list.waiting().map(batchIn), [a])
    assert.deepEqual(list.deferred().map(batchIn), [b, c])
  })

  test('another stage or another previous operation is another place', () => {
    const list = new WaitingList()
    assert.equal(list.add(batchOf({ by: 'A', ...PLACE }), MISSING), 'waiting')
    assert.equal(list.add(batchOf({ by: 'B', stage: 8, previous: MISSING }), MISSING), 'waiting')
    assert.equal(list.add(batchOf({ by: 'C', stage: 9, previous: idOf('A', 8) }), MISSING), 'waiting')
    assert.deepEqual(
      list.waiting().map(({ batch }) => batch.messages[0]?.current.stage),
      [8, 9, 9],
    )
  })

  test('what waits is released by what it waits for itself, beaten or not', () => {
    const list = new WaitingList()
    const [a, b] = [batchOf({ by: 'A', ...PLACE }), batchOf({ by: 'B', ...PLACE })]
    list.add(a, idOf('C', 3))
    list.add(b, MISSING)
    assert.deepEqual(list.release(MISSING.member, 6), [])
    assert.deepEqual(list.release(MISSING.member, 7), [b])
    assert.deepEqual([list.waiting().map(batchIn), list.deferred(), list.length], [[a], [], 1])
  })

  test('when the best claim leaves, the next one holds the place', () => {
    const list = new WaitingList()
    const [a, b] = [batchOf({ by: 'A', ...PLACE }), batchOf({ by: 'B', ...PLACE })]
    list.add(a, idOf('C', 3))
    list.add(b, MISSING)
    list.release(idOf('C', 3).member, 3)
    assert.deepEqual([list.waiting().map(batchIn), list.deferred()], [[b], []])
  })

  test('it tells what is missing of each member, up to the highest that anything waits for', () => {
    const list = new WaitingList()
    list.add(batchOf({ by: 'A', ...PLACE }), idOf('C', 3))
    list.add(batchOf({ by: 'B', ...PLACE }), idOf('C', 5))
    const { member } = idOf('C', 3)
    assert.deepEqual(
      list.missing(() => 2),
      [{ member, after: 2, through: 5 }],
    )
    assert.deepEqual(
      list.missing(() => 5),
      [],
    )
  })

  test('it knows what it holds by content: two contents of one id are both kept', () => {
    const list = new WaitingList()
    const [one, other] = [batchOf({ by: 'A', ...PLACE }), batchOf({ by: 'A', ...PLACE, writes: [set('x', 2)] })]
    list.add(one, MISSING)
    assert.deepEqual([list.has(one), list.has(other)], [true, false])
    list.release(MISSING.member, 7)
    assert.ok(!list.has(one))
  })

  test('it is bounded in messages and in bytes; what does not fit is not taken', () => {
    const list = new WaitingList()
    let taken = 0
    const value = 'x'.repeat(16_000)
    for (let seq = 1; seq <= 600; seq++) {
      if (
        list.add(batchOf({ by: 'A', seq, stage: seq + 1, previous: MISSING, writes: [set('x', value)] }), MISSING) !==
        'full'
      )
        taken += 1
    }
    assert.equal(
      taken,
      Math.floor(
        WAITING_BYTES_MAX /
          batchOf({ by: 'A', previous: MISSING, stage: 300, seq: 299, writes: [set('x', value)] }).plainBytes,
      ),
    )
  })

  test('cleared, it holds nothing and returns what it held', () => {
    const list = new WaitingList()
    const batch = batchOf({ by: 'A', ...PLACE })
    list.add(batch, MISSING)
    assert.deepEqual(list.clear(), [batch])
    assert.deepEqual([list.length, list.waiting(), list.has(batch), list.missing(() => 0)], [0, [], false, []])
  })
})

function batchIn({ batch }: Waiting): Batch {
  return batch
}
