import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { nodeOf } from '../../runtime/base/ids.ts'
import { possibleFloor } from '../../runtime/sync/floor.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Announcement, Batch } from '../../runtime/sync/message.ts'
import { Peers } from '../../runtime/sync/peers.ts'
import { vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import { emptyHanded } from '../support/sealed-messages.ts'
import { idOf } from '../state/operations.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import { announcementOf } from './announcements.ts'
import { batchOf, chainOf } from './batches.ts'

const SELF = idOf('A', 1).member
const B = idOf('B', 1).member
const FAR = 1_000_000

describe('a member that has issued more than has come', () => {
  let history: History
  let peers: Peers
  /** What B issues, each right behind the one before. */
  const issued = chainOf('B', 9)
  let number: number

  beforeEach(() => {
    const founders = [SELF, B].map((member, index) => ({ node: nodeOf(member), tier: 3 - index }))
    history = new History(new Membership({ name: 'busy', founders }), 0, EMPTY_DIGEST)
    peers = new Peers()
    number = 0
  })

  function take(...batches: readonly (Batch | undefined)[]): void {
    for (const batch of batches) history.receive(batch!)
  }

  /** B has issued so many and settled nothing, but for `parts`. */
  function hear(ownSeq: number, parts: Partial<Announcement> = {}): void {
    number += 1
    const vector = [{ member: B, seq: ownSeq, digest: issued[ownSeq - 1]?.digest ?? EMPTY_DIGEST }]
    const stated = { ownSeq, stage: ownSeq, vector, vectorDigest: vectorDigest(versionVector(vector)) }
    const announcement = { ...emptyHanded(B), number, ...stated, ...parts }
    peers.note(announcement, { vector: versionVector([]), digest: EMPTY_DIGEST }, 'air', 0)
    look()
  }

  function look(): number {
    return possibleFloor(history, peers, SELF, FAR, null).stage
  }

  test('holds the floor where it was by its last word of which all has come, and is named', () => {
    take(...issued.slice(0, 3))
    hear(3)
    hear(5)
    const { stage, hold } = possibleFloor(history, peers, SELF, FAR, null)
    assert.deepEqual([stage, hold], [3, { member: B, reason: 'we lack operations of it' }])
  })

  test('holds the floor no longer than until what it has claimed first comes, whatever it claims meanwhile', () => {
    hear(2)
    hear(4)
    take(...issued.slice(0, 3))
    hear(6)
    assert.equal(look(), 2)
    // What was newest when that came is the next that is waited for.
    hear(9)
    take(...issued.slice(3, 6))
    assert.equal(look(), 6)
  })

  test('counts by what it said before only for what it held then', () => {
    const c = batchOf({ by: 'C', stage: 3 })
    const founders = [SELF, B, c.origin].map((member, index) => ({ node: nodeOf(member), tier: 3 - index }))
    history = new History(new Membership({ name: 'three', founders }), 0, EMPTY_DIGEST)
    take(issued[0], issued[1], issued[2], c)
    peers.note({ ...emptyHanded(c.origin), stage: 9, ownSeq: 1, ...vectorOf(issued[2]!, c) }, NO_OWN, 'air', 0)
    hear(3)
    hear(5, vectorOf(issued[4]!, c))
    assert.equal(look(), 2)
  })

  test('counts by no word of which something has left again', () => {
    take(...issued.slice(0, 3))
    hear(3)
    hear(5)
    history.truncate([[B, 2]])
    assert.equal(look(), 0)
  })

  test('counts by no word of another start, of another epoch, or beside another life of it', () => {
    take(...issued.slice(0, 3))
    hear(3)
    hear(5, { start: 2 })
    assert.equal(look(), 0, 'another start')
    beginAnew()
    hear(5, { epoch: 1, newestEpoch: 1 })
    assert.equal(look(), 0, 'another epoch')
    beginAnew()
    const epoch = { number: 1, counting: [SELF], retired: [], signature: new Uint8Array() }
    history.retirement.restore({ epoch, before: 1, frozen: new Map(), cuts: versionVector([]) })
    hear(5, { epoch: 1, newestEpoch: 1 })
    assert.equal(look(), 0, 'an epoch that is over')
    history.retirement.restore({ epoch: null, before: 0, frozen: new Map(), cuts: versionVector([]) })
    beginAnew()
    const vector = [{ member: B, seq: 3, digest: EMPTY_DIGEST }]
    hear(5, { vector, vectorDigest: vectorDigest(versionVector(vector)) })
    assert.equal(look(), 0, 'another life')
  })

  function beginAnew(): void {
    peers = new Peers()
    hear(3)
    assert.equal(look(), 3)
  }
})

test('a member that always claims one operation more than it has sent holds nobody back', () => {
  const fleet = genesisOf(2)
  const busy = new HandIssuer(founder(fleet, 1), 1)
  const node = new DrivenReplica(fleet, 0)
  node.store()
  const rounds = 20
  for (let seq = 1, after: Operation | null = null; seq <= rounds; seq++) {
    after = busy.issue({ after, set: ['x', seq] })
    const vector = [{ member: busy.member, seq, digest: busy.batches[seq - 1]!.digest }]
    const claim = announcementOf(node, busy.member, { ownSeq: seq, stage: seq, vector })
    node.giveMessage({ kind: 'announcement', announcement: claim })
    const late = busy.batches[seq - 2]
    if (late !== undefined) node.giveMessage({ kind: 'batch', batch: late })
    node.store()
  }
  assert.equal(node.inspect().floor, rounds - 1)
})

const NO_OWN = { vector: versionVector([]), digest: EMPTY_DIGEST }

function vectorOf(...batches: readonly Batch[]): Pick<Announcement, 'vector' | 'vectorDigest'> {
  const vector = batches.map(({ origin, messages, digest }) => {
    return { member: origin, seq: messages.at(-1)!.current.id.seq, digest }
  })
  return { vector, vectorDigest: vectorDigest(versionVector(vector)) }
}
