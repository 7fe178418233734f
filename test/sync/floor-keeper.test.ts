import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { nodeOf } from '../../runtime/base/ids.ts'
import { FloorKeeper } from '../../runtime/sync/floor-keeper.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Announcement, Batch } from '../../runtime/sync/message.ts'
import { Peers } from '../../runtime/sync/peers.ts'
import { type VersionEntry, versionVector } from '../../runtime/sync/version-vector.ts'
import { idOf, type Name } from '../state/operations.ts'
import { batchOf, chainOf } from './batches.ts'

const SELF = idOf('A', 1).member
const FAR = 1_000_000

describe('the keeper of the floor', () => {
  test('looks again when the member that held it has said more', () => {
    const { history, keeper, says, b, c } = setUp()
    const holds = [entryOf(b[3]), entryOf(c)]
    says('C', 1, 4, holds)
    says('B', 1, 2, holds)
    advance(keeper)
    assert.deepEqual([history.floor, keeper.view.hold?.reason], [2, 'its stage'])
    says('C', 2, 4, holds)
    advance(keeper)
    assert.equal(history.floor, 2)
    says('B', 2, 4, holds)
    advance(keeper)
    assert.equal(history.floor, 4)
  })

  test('looks again when a member is heard for the first time', () => {
    const { history, keeper, says, b, c } = setUp()
    const holds = [entryOf(b[3]), entryOf(c)]
    says('C', 1, 4, holds)
    advance(keeper)
    assert.deepEqual([history.floor, keeper.view.hold?.reason], [0, 'not heard yet'])
    says('B', 1, 4, holds)
    advance(keeper)
    assert.equal(history.floor, 4)
  })

  test('looks again when what a member lacked has left the journal', () => {
    const { history, keeper, says, b, c } = setUp()
    says('C', 1, 4, [entryOf(b[3])])
    says('B', 1, 4, [entryOf(b[3])])
    advance(keeper)
    assert.deepEqual([history.floor, keeper.view.hold?.reason], [2, 'it lacks operations that we hold'])
    history.truncate([[c.origin, 0]])
    advance(keeper)
    assert.equal(history.floor, 4)
  })

  test('looks again when it has taken what a member had issued', () => {
    const { history, keeper, says, b, c } = setUp()
    const next = batchOf({ by: 'C', seq: 2, stage: 5, previous: idOf('B', 4), link: c.digest })
    says('C', 1, 5, [entryOf(b[3]), entryOf(next)])
    says('B', 1, 5, [entryOf(b[3]), entryOf(next)])
    advance(keeper)
    assert.deepEqual([history.floor, keeper.view.hold?.reason], [0, 'we lack operations of it'])
    history.receive(next)
    advance(keeper)
    assert.equal(history.floor, 5)
  })
})

/** Node A, which holds four operations of B, and one of C at stage 3. */
function setUp() {
  const founders = (['A', 'B', 'C'] as const).map((name, index) => ({
    node: nodeOf(idOf(name, 1).member),
    tier: 3 - index,
  }))
  const history = new History(new Membership({ name: 'keeper', founders }), 0, EMPTY_DIGEST)
  const b = chainOf('B', 4)
  const c = batchOf({ by: 'C', stage: 3, previous: idOf('B', 2) })
  for (const batch of [...b, c]) history.receive(batch)
  const peers = new Peers()
  const says = (name: Name, number: number, stage: number, vector: readonly VersionEntry[]): void => {
    const { member } = idOf(name, 1)
    const ownSeq = vector.find((entry) => entry.member === member)?.seq ?? 0
    const digests = { floorDigest: EMPTY_DIGEST, vectorDigest: EMPTY_DIGEST }
    const epochs = { epoch: 0, newestEpoch: 0, epochDigest: EMPTY_DIGEST, knowsCuts: true, frozen: null }
    const announcement: Announcement = {
      member,
      start: 1,
      number,
      ...epochs,
      stage,
      ownSeq,
      floor: 0,
      ...digests,
      vector,
    }
    peers.note(announcement, { vector: versionVector([]), digest: EMPTY_DIGEST }, 'air', 0)
  }
  return { history, keeper: new FloorKeeper(history, peers), says, b, c }
}

/** As the replica does. */
function advance(keeper: FloorKeeper): void {
  if (!keeper.isHeldStill(SELF)) keeper.advance(SELF, FAR, null)
}

function entryOf(batch: Batch | undefined): VersionEntry {
  assert.ok(batch)
  const last = batch.messages.at(-1)
  return { member: batch.origin, seq: last?.current.id.seq ?? 0, digest: batch.digest }
}
