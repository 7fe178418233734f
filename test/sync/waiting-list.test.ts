import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  WAITING_BYTES_MAX,
  WAITING_STRANGER_BYTES_MAX,
  WAITING_STRANGER_MESSAGES_MAX,
  WAITING_STRANGERS_MESSAGES_MAX,
} from '../../runtime/base/limits.ts'
import { batchMemoryBytes } from '../../runtime/sync/memory-bound.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { type Waiting, WaitingList } from '../../runtime/sync/waiting-list.ts'
import { idOf, set } from '../state/operations.ts'
import { HandIssuer, life } from '../support/handmade.ts'
import { batchOf } from './batches.ts'

const MISSING = idOf('A', 7)
const PLACE = { stage: 9, previous: MISSING }

describe('the waiting list and the deferred queue', () => {
  test('one place for each stage and previous operation: the claim of highest priority holds it, others are deferred', () => {
    const list = new WaitingList()
    const [a, b, c] = [batchOf({ by: 'A', ...PLACE }), batchOf({ by: 'B', ...PLACE }), batchOf({ by: 'C', ...PLACE })]
    for (const batch of [b, c, a]) assert.equal(list.add(batch, MISSING), 'waiting')
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
          batchMemoryBytes(batchOf({ by: 'A', previous: MISSING, stage: 300, seq: 299, writes: [set('x', value)] })),
      ),
    )
  })

  test('those whose join is not known have a bound of their own, each and together, and room again when they go', () => {
    const list = new WaitingList()
    const strangers = Array.from({ length: 6 }, (_, nonce) => new HandIssuer(life('n', nonce + 1), 1))
    const wait = (index: number, count: number): string[] => {
      const stranger = strangers[index] as HandIssuer
      return Array.from({ length: count }, () => {
        stranger.issue({ set: ['x', 1] })
        return list.add(stranger.batches.at(-1) as Batch, { member: stranger.member, seq: 0 })
      })
    }
    assert.ok(!wait(0, WAITING_STRANGER_MESSAGES_MAX).includes('full of strangers'))
    assert.deepEqual(wait(0, 1), ['full of strangers'])
    for (const index of [1, 2, 3]) assert.ok(!wait(index, WAITING_STRANGER_MESSAGES_MAX).includes('full of strangers'))
    assert.equal(list.length, WAITING_STRANGERS_MESSAGES_MAX)
    assert.deepEqual(wait(4, 1), ['full of strangers'])
    assert.equal(list.add(batchOf({ by: 'B', ...PLACE }), MISSING), 'waiting', 'a member is no stranger')
    assert.equal(list.release(life('n', 1), 0).length, WAITING_STRANGER_MESSAGES_MAX)
    assert.notDeepEqual(wait(4, 1), ['full of strangers'])
    list.clear()
    assert.ok(!wait(5, WAITING_STRANGER_MESSAGES_MAX).includes('full of strangers'))
  })

  test('the bytes of one that is not known are bounded too', () => {
    const list = new WaitingList()
    const value = 'x'.repeat(16_000)
    let bytes = 0
    for (let seq = 1; seq <= 100; seq++) {
      const batch = batchOf({ by: 'A', seq, stage: seq + 1, previous: MISSING, writes: [set('x', value)] })
      if (list.add(batch, { ...idOf('A', 1), seq: 0 }) === 'full of strangers') break
      bytes += batchMemoryBytes(batch)
    }
    assert.ok(bytes <= WAITING_STRANGER_BYTES_MAX && bytes > WAITING_STRANGER_BYTES_MAX - 33_000)
  })

  test('empty lists, maps and byte strings count as the memory that they take', () => {
    const list = new WaitingList()
    for (const [seq, empty] of [[], {}, new Uint8Array()].entries()) {
      const value = Array.from({ length: 1200 }, () => empty)
      const batch = batchOf({ by: 'A', seq: seq + 1, stage: 2, previous: MISSING, writes: [set('x', value)] })
      assert.ok(batch.payload.length < 1300)
      assert.equal(list.add(batch, { ...idOf('A', 1), seq: 0 }), seq === 0 ? 'waiting' : 'full of strangers')
    }
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
