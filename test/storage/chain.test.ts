import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeBatch } from '../../runtime/storage/batch.ts'
import type { Batch } from '../../runtime/storage/batch.ts'
import { followChain, judgeTail } from '../../runtime/storage/chain.ts'
import { scanSegment } from '../../runtime/storage/segment.ts'
import { record, texts } from '../support/store-acceptance.ts'

describe('The chain of batches', () => {
  it('begins right after the snapshot and leaves out what the snapshot stands for', () => {
    const batches = [opening(1, 1, 1), records(2, 1, 1, 'a', 'b'), records(3, 1, 3, 'c'), records(4, 1, 4, 'd')]
    assert.deepEqual(read(batches, 0), { found: ['a', 'b', 'c', 'd'], last: 4, healed: 0, kind: 'clean' })
    assert.deepEqual(read(batches, 1), { found: ['b', 'c', 'd'], last: 4, healed: 0, kind: 'clean' })
    assert.deepEqual(read(batches, 3), { found: ['d'], last: 4, healed: 0, kind: 'clean' })
    assert.deepEqual(read(batches, 4), { found: [], last: 4, healed: 0, kind: 'clean' })
  })

  it('does not depend on where the batches stand', () => {
    const batches = [records(4, 1, 4, 'd'), records(2, 1, 1, 'a', 'b'), opening(1, 1, 1), records(3, 1, 3, 'c')]
    assert.deepEqual(read(batches, 0), { found: ['a', 'b', 'c', 'd'], last: 4, healed: 0, kind: 'clean' })
  })

  it('counts the records of an opening batch once', () => {
    const batches = [opening(1, 1, 1), records(2, 1, 1, 'a', 'b'), opening(3, 2, 1, 'a', 'b'), records(4, 2, 3, 'c')]
    assert.deepEqual(read(batches, 0), { found: ['a', 'b', 'c'], last: 3, healed: 0, kind: 'clean' })
  })

  it('takes the records of an opening batch for those of the batch before it if that one is lost', () => {
    const batches = [opening(1, 1, 1), opening(3, 2, 1, 'a', 'b'), records(4, 2, 3, 'c')]
    assert.deepEqual(read(batches, 1), { found: ['b', 'c'], last: 3, healed: 0, kind: 'clean' })
    const later = [opening(1, 1, 1), records(2, 1, 1, 'a'), opening(4, 2, 2, 'b'), records(5, 2, 3, 'c')]
    assert.deepEqual(read(later, 0), { found: ['a', 'b', 'c'], last: 3, healed: 1, kind: 'clean' })
  })

  it('does not go on with a batch of an earlier epoch, which is a remnant and no damage', () => {
    const batches = [opening(1, 1, 1), records(2, 1, 1, 'a'), opening(3, 2, 1, 'a'), records(4, 1, 2, 'old')]
    assert.deepEqual(read(batches, 0), { found: ['a'], last: 1, healed: 0, kind: 'clean' })
    const reopened = [opening(1, 2, 1), records(2, 2, 1, 'a'), opening(3, 1, 2, 'old')]
    assert.deepEqual(read(reopened, 0), { found: ['a'], last: 1, healed: 0, kind: 'clean' })
  })

  it('does not go on with a batch of a later epoch that is no opening', () => {
    const batches = [opening(1, 1, 1), records(2, 1, 1, 'a'), records(3, 2, 2, 'b')]
    assert.deepEqual(read(batches, 0), { found: ['a'], last: 1, healed: 0, kind: 'damaged' })
  })

  it('does not leave out a record', () => {
    const batches = [opening(1, 1, 1), records(2, 1, 1, 'a'), records(3, 1, 3, 'c')]
    assert.deepEqual(read(batches, 0), { found: ['a'], last: 1, healed: 0, kind: 'damaged' })
  })

  it('is not begun by a batch that does not reach the snapshot', () => {
    const batches = [opening(7, 1, 5), records(8, 1, 5, 'e')]
    assert.deepEqual(read(batches, 2), { found: [], last: 2, healed: 0, kind: 'damaged' })
  })
})

function opening(number: number, epoch: number, firstSequence: number, ...held: string[]): Batch {
  return { kind: 'opening', number, epoch, firstSequence, records: held.map(record) }
}

function records(number: number, epoch: number, firstSequence: number, ...held: string[]): Batch {
  return { kind: 'records', number, epoch, firstSequence, records: held.map(record) }
}

function read(
  batches: readonly Batch[],
  through: number,
): { found: readonly string[]; last: number; healed: number; kind: string } {
  const segment = scanSegment('journal-0001', Buffer.concat(batches.map(encodeBatch)))
  const chain = followChain(segment.batches, through)
  const { kind } = judgeTail([segment], chain, through)
  return { found: texts(chain.records), last: chain.last, healed: chain.healed, kind }
}
