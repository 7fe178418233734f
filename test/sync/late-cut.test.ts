import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemberId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { SimulatedFleet } from '../simulation/fleet.ts'
import type { SimulatedNode } from '../simulation/node.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]

test('an epoch that is faster than the floor which refuses an operation of the retired as late does not hold up the fleet', () => {
  const fleet = new SimulatedFleet({ genesis: FLEET, random: seededRandom(5) })
  const [a, b, c] = fleet.nodes as [SimulatedNode, SimulatedNode, SimulatedNode]
  fleet.run(5000)
  const { image } = c.disk
  // b hears that all hold what it has issued; a hears of nobody, and settles nothing.
  for (const value of [1, 2]) fleet.issue(b, set('x', value))
  fleet.run(1)
  fleet.network.partition(['a'], ['c'])
  fleet.run(200)
  fleet.network.cuts.add('b|a')
  fleet.run(20_000)
  fleet.issue(b, set('y', 1))
  fleet.run(100)
  assert.deepEqual([a.replica.floor.stage, b.replica.floor.stage], [0, 2])
  // c is set back, and issues at a stage that it has announced before. Only a hears it, and freezes it.
  fleet.replaceDisk(c, image)
  fleet.network.cuts.clear()
  fleet.network.partition(['a', 'c'], ['b'])
  fleet.restart(c)
  fleet.issue(c, set('z', 'late'))
  fleet.run(1500)
  assert.equal(a.replica.get('z' as Path), 'late')
  fleet.operator.retire(a, [c.member])
  fleet.run(100)
  fleet.heal()
  fleet.run(60_000)
  const views = fleet.nodes.map(({ replica }) => replica.inspect(fleet.now))
  for (const { status, floor, floorHold } of views) assert.deepEqual([status, floor, floorHold], ['member', 5, null])
  assert.equal(b.replica.get('z' as Path), 'late', 'it came back in the next life of its node')
})

test('what came late of a retired member does not stand, and whoever asks for it gets it once more, to find that out too', () => {
  const late = new HandIssuer(C, 1)
  late.issue({ set: ['z', 1] })
  const [batch] = late.batches
  const refuser = settledAt(1)
  assert.equal(retireC(refuser, 1).inspect().floorHold?.reason, 'we lack operations below its cut')
  refuser.giveMessage({ kind: 'batch', batch: batch! })
  refuser.store()
  assert.notEqual(refuser.inspect().floorHold?.reason, 'we lack operations below its cut')
  const holder = new DrivenReplica(FLEET, 0)
  holder.store()
  holder.giveMessage({ kind: 'batch', batch: batch! })
  retireC(holder, 1)
  assert.equal(holder.inspect().journalLength, 1)
  const said = { epoch: 1, newestEpoch: 1, epochDigest: digestAt(holder) }
  holder.giveMessage({
    kind: 'announcement',
    announcement: announcementOf(holder, B, { ...said, floor: 1, vector: [] }),
  })
  assert.equal(holder.inspect().journalLength, 0)
  for (const node of [refuser, holder]) {
    const gaps = [{ member: C, after: 0, through: 1 }]
    node.giveMessage({ kind: 'request', request: { from: B, to: null, gaps } })
    assert.deepEqual(
      node.batchesIn(node.wait(1000)).map(({ digest }) => digest),
      [batch!.digest],
    )
    node.store()
    const again = new DrivenReplica(FLEET, 0, { snapshot: node.snapshot, records: node.records, last: node.lastStored })
    assert.notEqual(again.inspect().floorHold?.reason, 'we lack operations below its cut')
    again.give({ kind: 'link-up', link: 'line' })
    assert.ok(again.messagesIn(again.wait(60_000)).every(({ kind }) => kind !== 'request'))
  }
})

/** `a`, which has settled one operation of `b`. */
function settledAt(floor: number): DrivenReplica {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  const ofB = new HandIssuer(B, 2)
  ofB.issue({ set: ['x', 1] })
  for (const one of ofB.batches) a.giveMessage({ kind: 'batch', batch: one })
  a.store()
  for (const member of [B, C]) a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member) })
  assert.equal(a.replica.floor.stage, floor)
  return a
}

/** The operator retires `c`, and `b` has held so much of it. */
function retireC(a: DrivenReplica, seq: number): DrivenReplica {
  const epoch = { number: 1, counting: [A, B], retired: [C] }
  a.give({ kind: 'epoch', epoch: { ...epoch, signature: SIGNED } })
  a.store()
  const frozen: VersionEntry[] = [{ member: C, seq, digest: 'aaaaaaaaaaaaaaaa' as VersionEntry['digest'] }]
  const said: Partial<Announcement> = { epoch: 1, newestEpoch: 1, epochDigest: digestAt(a), frozen, vector: [] }
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, B, said) })
  a.store()
  return a
}

function digestAt(a: DrivenReplica): Announcement['epochDigest'] {
  return a.announcementsIn(a.wait(60_000)).at(-1)!.epochDigest
}
