import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { nodeOf } from '../../runtime/base/ids.ts'
import { possibleFloor, stageSeenByAll } from '../../runtime/sync/floor.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Announcement, Batch } from '../../runtime/sync/message.ts'
import { Peers } from '../../runtime/sync/peers.ts'
import { type VersionEntry, versionVector } from '../../runtime/sync/version-vector.ts'
import { idOf, type Name } from '../state/operations.ts'
import { batchOf, chainOf } from './batches.ts'

const SELF = idOf('A', 1).member
const FAR = 1_000_000

/** Node A, which holds four operations of B, and one of C that B has not seen. */
function setUp(): { history: History; b: Batch[]; c: Batch } {
  const node = (name: Name): NodeId => nodeOf(idOf(name, 1).member)
  const founders = (['A', 'B', 'C'] as const).map((name, index) => ({ node: node(name), tier: 3 - index }))
  const history = new History(new Membership({ name: 'floor', founders }), 0, EMPTY_DIGEST)
  const b = chainOf('B', 4)
  const c = batchOf({ by: 'C', stage: 3, previous: idOf('B', 2) })
  for (const batch of [...b, c]) history.receive(batch)
  return { history, b, c }
}

describe('the floor (PROTOCOL section 7)', () => {
  test('stays while a member has not been heard', () => {
    const { history, b, c } = setUp()
    const view = floorOf(history, [says('B', { stage: 4, holds: [entryOf(b[3]), entryOf(c)] })])
    assert.deepEqual(view, { stage: 0, hold: { member: idOf('C', 1).member, reason: 'not heard yet' } })
  })

  test('goes to the lowest stage that anybody states, the own disk included', () => {
    const { history, b, c } = setUp()
    const holds = [entryOf(b[3]), entryOf(c)]
    const heard = [says('B', { stage: 4, holds }), says('C', { stage: 3, holds })]
    assert.deepEqual(floorOf(history, heard), { stage: 3, hold: { member: idOf('C', 1).member, reason: 'its stage' } })
    assert.deepEqual(floorOf(history, heard, 2), { stage: 2, hold: null })
  })

  test('stays below an operation that somebody lacks', () => {
    const { history, b, c } = setUp()
    const heard = [
      says('B', { stage: 4, holds: [entryOf(b[3])] }),
      says('C', { stage: 4, holds: [entryOf(b[3]), entryOf(c)] }),
    ]
    const { stage, hold } = floorOf(history, heard)
    assert.deepEqual([stage, hold?.reason], [2, 'it lacks operations that we hold'])
  })

  test('stays while we lack operations that their own member states', () => {
    const { history, b, c } = setUp()
    const holds = [entryOf(b[3]), entryOf(c)]
    const heard = [says('B', { stage: 9, holds, ownSeq: 5 }), says('C', { stage: 9, holds })]
    assert.equal(floorOf(history, heard).hold?.reason, 'we lack operations of it')
  })

  test('stays while a member is of another life than the one that we hold', () => {
    const { history, b, c } = setUp()
    const other = { ...entryOf(b[3]), digest: entryOf(b[2]).digest }
    const heard = [
      says('B', { stage: 9, holds: [other, entryOf(c)] }),
      says('C', { stage: 9, holds: [entryOf(b[3]), entryOf(c)] }),
    ]
    const { stage, hold } = floorOf(history, heard)
    assert.deepEqual([stage, hold?.reason], [0, 'we lack operations of it'])
  })

  test('stays while somebody holds another life of a third member', () => {
    const { history, b, c } = setUp()
    const other = { ...entryOf(b[3]), digest: entryOf(b[2]).digest }
    const heard = [
      says('B', { stage: 9, holds: [entryOf(b[3]), entryOf(c)] }),
      says('C', { stage: 9, holds: [other, entryOf(c)] }),
    ]
    const { stage, hold } = floorOf(history, heard)
    assert.deepEqual([stage, hold?.reason], [0, 'it lacks operations that we hold'])
  })

  test('stays while a cut is not known, not held, or its epoch is not on the disk, or not that of all', () => {
    const { history, b, c } = setUp()
    const holds = [entryOf(b[3]), entryOf(c)]
    const heard = [says('B', { stage: 9, holds }), says('C', { stage: 9, holds })]
    const { retirement } = history
    const epoch = { number: 0, counting: [SELF], retired: [], signature: new Uint8Array() }
    const reasonWith = (cuts: VersionEntry[] | null, number = 0): string | undefined => {
      const record = { epoch: { ...epoch, number }, before: number, frozen: new Map() }
      retirement.restore({ ...record, cuts: cuts === null ? null : versionVector(cuts) })
      return floorOf(history, heard).hold?.reason
    }
    assert.equal(reasonWith([]), 'its stage', 'all is known and held')
    assert.equal(reasonWith(null), 'it has not said what it holds of the retired')
    assert.equal(reasonWith([{ ...entryOf(c), seq: 7 }]), 'we lack operations below its cut')
    assert.equal(reasonWith([], 1), 'its epoch', 'they speak of epoch 0')
    retirement.begin({ epoch: { ...epoch, number: 1 }, before: 0, frozen: new Map(), cuts: versionVector([]) })
    assert.deepEqual(floorOf(history, heard).hold, { member: SELF, reason: 'its epoch' })
  })

  test('a tombstone may go below the lowest floor that anybody has announced or issued at', () => {
    const { history, b } = setUp()
    const { [0]: first } = b
    assert.ok(first)
    const peers = new Peers()
    assert.equal(stageSeenByAll(history, peers, SELF), 0)
    history.fold(4)
    assert.equal(stageSeenByAll(history, peers, SELF), 0, 'nobody was heard')
    hear(peers, [says('B', { stage: 9, holds: [], floor: 3 }), says('C', { stage: 9, holds: [], floor: 4 })])
    assert.equal(stageSeenByAll(history, peers, SELF), 3)
    history.receive(
      batchOf({ by: 'C', seq: 2, stage: 5, previous: idOf('B', 4), floor: 2, link: historyLink(history) }),
    )
    assert.equal(history.journal.length, 1)
    assert.equal(stageSeenByAll(history, peers, SELF), 2, 'an operation in the journal was issued at floor 2')
  })

  test('stays below our own operations that nobody else can hold yet', () => {
    const { history, b, c } = setUp()
    const holds = [entryOf(b[3]), entryOf(c)]
    const heard = [says('B', { stage: 9, holds }), says('C', { stage: 9, holds })]
    assert.equal(floorOf(history, heard, FAR, 3).stage, 2)
  })

  test('stays where it is when somebody lacks what is folded here: he may lack anything behind it too', () => {
    const { history, b, c } = setUp()
    history.fold(2)
    const heard = [
      says('B', { stage: 4, holds: [entryOf(b[0]), entryOf(c)], ownSeq: 4 }),
      says('C', { stage: 4, holds: [entryOf(b[3]), entryOf(c)] }),
    ]
    const { stage, hold } = floorOf(history, heard)
    assert.deepEqual([stage, hold?.reason], [2, 'it lacks operations that we hold'])
  })
})

interface Statement {
  readonly member: Name
  readonly stage: number
  readonly holds: readonly VersionEntry[]
  readonly ownSeq?: number
  readonly floor?: number
}

function historyLink(history: History): VersionEntry['digest'] {
  return history.log(idOf('C', 1).member).held.digest
}

function says(member: Name, statement: Omit<Statement, 'member'>): Statement {
  return { member, ...statement }
}

function floorOf(history: History, heard: readonly Statement[], stored: number = FAR, unsealed: number | null = null) {
  const peers = new Peers()
  hear(peers, heard)
  return possibleFloor(history, peers, SELF, stored, unsealed)
}

function hear(peers: Peers, heard: readonly Statement[]): void {
  for (const { member: name, stage, holds, ownSeq, floor = 0 } of heard) {
    const { member } = idOf(name, 1)
    const own = ownSeq ?? holds.find((entry) => entry.member === member)?.seq ?? 0
    const digests = { floorDigest: EMPTY_DIGEST, vectorDigest: EMPTY_DIGEST }
    const epochs = { epoch: 0, newestEpoch: 0, epochDigest: EMPTY_DIGEST, knowsCuts: true, frozen: null }
    const order = { start: 1, number: 1, ...epochs }
    const announcement: Announcement = { member, ...order, stage, ownSeq: own, floor, ...digests, vector: holds }
    peers.note(announcement, { vector: versionVector([]), digest: EMPTY_DIGEST }, 'air', 0)
  }
}

function entryOf(batch: Batch | undefined): VersionEntry {
  assert.ok(batch)
  const last = batch.messages.at(-1)
  return { member: batch.origin, seq: last?.current.id.seq ?? 0, digest: batch.digest }
}
