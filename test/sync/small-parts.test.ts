import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { BATCH_BYTES_TARGET, OPERATIONS_PER_BATCH_MAX } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { DropCounter } from '../../runtime/sync/drop-counter.ts'
import { MemberLog } from '../../runtime/sync/member-log.ts'
import { batchMemoryBytes } from '../../runtime/sync/memory-bound.ts'
import { firstOf, lastOf, type SyncMessage } from '../../runtime/sync/message.ts'
import { Outbox } from '../../runtime/sync/outbox.ts'
import { StoredMark } from '../../runtime/sync/stored-mark.ts'
import { sortedEntries, vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import { idOf, set } from '../state/operations.ts'
import { batchOf, chainOf } from './batches.ts'

const { member } = idOf('A', 1)

describe('the log of a member', () => {
  test('is a chain without gaps', () => {
    const [first, second, third] = chainOf('A', 3) as [
      ReturnType<typeof batchOf>,
      ReturnType<typeof batchOf>,
      ReturnType<typeof batchOf>,
    ]
    const log = new MemberLog(member)
    assert.throws(() => log.extend(second), /no gap/)
    log.extend(first)
    assert.throws(() => log.extend(third), /no gap/)
    assert.throws(() => log.extend(batchOf({ by: 'A', seq: 2, stage: 2, previous: idOf('A', 1) })), /a chain/)
    log.extend(second)
    assert.deepEqual(log.held, { member, seq: 2, digest: second.digest })
  })

  test('finds messages, digests and ranges by seq', () => {
    const log = logOf(5)
    const digests = [EMPTY_DIGEST, ...log.batches.map((batch) => batch.digest)]
    for (const [seq, digest] of digests.entries()) assert.equal(log.digestAt(seq), digest)
    assert.equal(log.messageAt(3)?.current.id.seq, 3)
    assert.deepEqual([log.messageAt(0), log.messageAt(6), log.digestAt(6)], [null, null, null])
    assert.deepEqual(log.between(1, 3).map(seqOf), [2, 3])
    assert.deepEqual(log.between(4, 99).map(seqOf), [5])
    assert.deepEqual(log.between(5, 99), [])
  })

  test('lets go of whole batches that are folded, and still knows what it holds', () => {
    const log = logOf(4)
    const { held } = log
    log.fold(2)
    assert.deepEqual([log.batches.map(seqOf), log.settled.seq, log.messageAt(2)], [[3, 4], 2, null])
    assert.equal(log.digestAt(2), firstBatch(log).link)
    log.fold(9)
    assert.deepEqual([log.batches, log.settled, log.held], [[], held, held])
    const next = batchOf({ by: 'A', seq: 5, stage: 10, previous: idOf('B', 1), link: held.digest })
    log.extend(next)
    assert.equal(log.messageAt(5)?.current.stage, 10)
  })

  test('knows what it takes in memory behind any seq, whatever was folded or has left', () => {
    const log = new MemberLog(member)
    const random = seededRandom(7)
    const below = (bound: number): number => random.uint32() % bound
    for (let step = 1; step < 400; step++) {
      const { seq, digest } = log.held
      const [writes, count] = [[set('x', 'y'.repeat(below(99)))], 1 + below(3)]
      const next = { seq: seq + 1, stage: seq + 1, previous: idOf('A', seq), link: digest }
      if (step % 9 === 0) log.truncate(seq - below(5))
      else if (step % 7 === 0) log.fold(seq - below(9))
      else log.extend(batchOf({ by: 'A', ...next, count, writes }))
      for (const after of [0, log.held.seq - 4, log.held.seq - 1, log.held.seq]) {
        const open = log.batches.filter((batch) => lastOf(batch).current.id.seq > after)
        const bytes = open.reduce((sum, batch) => sum + batchMemoryBytes(batch), 0)
        assert.equal(log.memoryBytesAfter(after), bytes, `step ${step}, behind ${after} of ${log.held.seq}`)
      }
    }
  })

  test('keeps a batch that is folded in part', () => {
    const log = new MemberLog(member)
    log.extend(batchOf({ by: 'A', count: 3 }))
    log.fold(2)
    assert.deepEqual([log.settled.seq, log.messageAt(1)?.current.stage], [0, 1])
  })

  test('tells another life by its chain, also at a seq that lies inside a batch, and not by what is folded', () => {
    const log = new MemberLog(member)
    const first = batchOf({ by: 'A', count: 3 })
    const second = batchOf({ by: 'A', seq: 4, stage: 4, previous: idOf('A', 3), link: first.digest, count: 2 })
    for (const batch of [first, second]) log.extend(batch)
    const stated = [1, 2, 3, 4, 5, 6].map((seq) => log.contradicts(seq, first.digest))
    assert.deepEqual(stated, [true, true, false, true, true, false])
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((seq) => log.digestAt(seq)),
      [null, null, first.digest, null, second.digest],
    )
    log.fold(3)
    assert.deepEqual(
      [2, 3, 4].map((seq) => log.contradicts(seq, EMPTY_DIGEST)),
      [false, true, true],
    )
  })

  test('what is stored only grows', () => {
    const log = logOf(3)
    log.markStored({ member, seq: 2, digest: log.digestAt(2) ?? EMPTY_DIGEST })
    log.markStored({ member, seq: 1, digest: log.digestAt(1) ?? EMPTY_DIGEST })
    assert.deepEqual([log.stored.seq, log.held.seq], [2, 3])
  })
})

describe('the stored mark', () => {
  test('follows what is on the disk, in order', () => {
    const [one, two] = chainOf('A', 2) as [ReturnType<typeof batchOf>, ReturnType<typeof batchOf>]
    const mark = new StoredMark(10, 0)
    assert.deepEqual([mark.expect(null), mark.expect(one), mark.expect(two)], [11, 12, 13])
    assert.deepEqual([mark.hasStarted, mark.isComplete], [false, false])
    assert.deepEqual(mark.advance(11), [])
    assert.ok(mark.hasStarted)
    assert.deepEqual([mark.advance(12), mark.stage], [[{ number: 12, batch: one }], 1])
    assert.deepEqual(
      [mark.advance(13), mark.stage, mark.through, mark.isComplete],
      [[{ number: 13, batch: two }], 2, 13, true],
    )
  })

  test('a stage on the disk never goes back', () => {
    const mark = new StoredMark(0, 9)
    mark.expect(batchOf({ by: 'A', stage: 2, previous: idOf('B', 1) }))
    mark.advance(1)
    assert.equal(mark.stage, 9)
  })

  test('a store that confirms what it was not given, or goes back, is a bug', () => {
    const mark = new StoredMark(5, 0)
    assert.throws(() => mark.advance(6), /invariant/)
    mark.expect(null)
    mark.advance(6)
    assert.throws(() => mark.advance(5), /invariant/)
  })
})

describe('the outbox', () => {
  const messages = (count: number, bytes = 1): SyncMessage[] => [
    ...batchOf({ by: 'A', count, writes: [set('p', 'x'.repeat(bytes))] }).messages,
  ]

  test('makes one chained batch of all that waits, and nothing more while a commit is under way', () => {
    const outbox = new Outbox()
    const [first, second, third] = messages(3) as [SyncMessage, SyncMessage, SyncMessage]
    outbox.add(first, 50)
    outbox.add(second, 20)
    assert.deepEqual([outbox.sealAt, outbox.length], [20, 2])
    const [batch, ...others] = outbox.seal(member, EMPTY_DIGEST)
    assert.deepEqual([batch?.messages, others, outbox.isEmpty], [[first, second], [], true])
    outbox.add(third, 60)
    assert.equal(outbox.sealAt, null)
    assert.ok(batch && outbox.noteStored(batch))
    assert.equal(outbox.noteStored(batch), false)
    assert.equal(outbox.sealAt, 60)
    assert.equal(outbox.firstPrevious?.id?.seq, 2)
  })

  test('closes a batch at its size in bytes and at its number of operations', () => {
    const outbox = new Outbox()
    for (const message of messages(4, BATCH_BYTES_TARGET / 2 - 100)) outbox.add(message, 0)
    const batches = outbox.seal(member, EMPTY_DIGEST)
    assert.deepEqual(batches.map(seqOf), [2, 4])
    assert.equal(batches[1]?.link, batches[0]?.digest)
    for (const message of messages(OPERATIONS_PER_BATCH_MAX + 1)) outbox.add(message, 0)
    assert.deepEqual(
      outbox.seal(member, EMPTY_DIGEST).map((batch) => batch.messages.length),
      [OPERATIONS_PER_BATCH_MAX, 1],
    )
  })

  test('an operation that is larger than the target has a batch of its own', () => {
    const outbox = new Outbox()
    for (const message of messages(3, 2 * BATCH_BYTES_TARGET)) outbox.add(message, 0)
    assert.deepEqual(outbox.seal(member, EMPTY_DIGEST).map(seqOf), [1, 2, 3])
  })
})

describe('a version vector', () => {
  const entries = chainOf('A', 2).map((batch) => ({ member: batch.origin, seq: seqOf(batch), digest: batch.digest }))
  const [one, two] = entries as [(typeof entries)[0], (typeof entries)[0]]
  const b = { ...one, member: idOf('B', 1).member }

  test('leaves out members of which nothing is held', () => {
    assert.deepEqual([...versionVector([one, { ...b, seq: 0 }]).keys()], [one.member])
  })

  test('has one digest, whatever the order of its entries', () => {
    assert.equal(vectorDigest(versionVector([one, b])), vectorDigest(versionVector([b, one])))
    assert.deepEqual(sortedEntries(versionVector([b, one])), [one, b])
    const others = [versionVector([two, b]), versionVector([one]), versionVector([{ ...one, digest: two.digest }, b])]
    for (const other of others) assert.notEqual(vectorDigest(versionVector([one, b])), vectorDigest(other))
  })
})

test('dropped frames are counted by reason; a flood of new reasons only raises the last one', () => {
  const counter = new DropCounter()
  counter.add('known')
  for (let index = 0; index < 1000; index++) counter.add(`made up ${index}`)
  counter.add('known')
  const counts = counter.toJSON()
  assert.equal(counts['known'], 2)
  assert.equal(Object.keys(counts).length, 65)
  assert.equal(
    Object.values(counts).reduce((sum, count) => sum + count),
    1002,
  )
})

function logOf(length: number): MemberLog {
  const log = new MemberLog(member)
  for (const batch of chainOf('A', length)) log.extend(batch)
  return log
}

function seqOf(batch: ReturnType<typeof batchOf>): number {
  return lastOf(batch).current.id.seq
}

function firstBatch(log: MemberLog): ReturnType<typeof batchOf> {
  const [batch] = log.batches
  assert.ok(batch && firstOf(batch))
  return batch
}
