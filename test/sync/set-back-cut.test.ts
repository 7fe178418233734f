import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { freeNodeId, SimulatedFleet } from '../simulation/fleet.ts'
import type { SimulatedNode } from '../simulation/node.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { issuedBy } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]
const X = 'x' as Path

test('who alone counts, and was set back to before it froze, finds out by what the others hold of the retired', () => {
  const { fleet, a, c } = cutByOneAlone()
  fleet.run(10_000)
  assert.match(a.replica.inspect(fleet.now).draftReason ?? '', /the fleet holds more of 0b00000000000001/)
  fleet.operator.retire(
    c,
    c.replica
      .inspect(fleet.now)
      .members.map(({ member }) => member)
      .filter(isOf(a)),
  )
  fleet.run(30_000)
  for (const { replica } of [a, c]) {
    const { status, floorHold } = replica.inspect(fleet.now)
    assert.deepEqual([status, floorHold, replica.settled(X)], ['member', null, 2])
  }
  assert.equal(a.replica.floor.digest, c.replica.floor.digest)
})

/** `seqs` of the retired `b`, of which `a` holds one operation, are what `c` states one after the other. */
for (const { what, seqs = [3], epoch = {}, knowsCuts = true, isVectorTold = true, isSetBack = false } of [
  { what: 'holds more of the retired', isSetBack: true },
  { what: 'holds as much of the retired', seqs: [1] },
  { what: 'holds more and does not know the cuts', knowsCuts: false },
  { what: 'held more, and holds something else now', seqs: [3, 2], isVectorTold: false },
  { what: 'holds more where others count too', epoch: { counting: [A, C] } },
  { what: 'holds more of what the operator has given up by force', epoch: { isForced: true as const } },
]) {
  test(`somebody who ${what} shows ${isSetBack ? '' : 'nobody '}that who alone counts was set back`, () => {
    const a = new DrivenReplica(FLEET, 0)
    a.store()
    const { batches } = issuedBy(B, 3)
    const [first, ...more] = seqs.map((seq) => [{ member: B, seq, digest: batches[seq - 1]!.digest }])
    a.giveMessage({ kind: 'batch', batch: batches[0]! })
    a.store()
    if (more.length > 0) tell(a, announcementOf(a, C, { vector: first! }))
    a.give({ kind: 'epoch', epoch: { number: 1, counting: [A], retired: [B], ...epoch, signature: SIGNED } })
    a.store()
    const { epochDigest } = a.announcementsIn(a.wait(60_000)).at(-1)!
    const frozen = [{ member: B, seq: 1, digest: batches[0]!.digest }]
    const said = { epoch: 1, newestEpoch: 1, epochDigest, frozen, knowsCuts, vector: more[0] ?? first! }
    const announcement = announcementOf(a, C, said)
    tell(a, isVectorTold ? announcement : { ...announcement, vector: null })
    assert.equal(a.inspect().epoch.knowsCuts, true)
    assert.equal(/alone counts/.test(a.inspect().draftReason ?? ''), isSetBack)
  })
}

test('nor does somebody who holds what was found late of the retired since', () => {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  const [batch] = issuedBy(B, 1).batches
  a.giveMessage({ kind: 'batch', batch: batch! })
  a.store()
  a.give({ kind: 'epoch', epoch: { number: 1, counting: [A], retired: [B], signature: SIGNED } })
  a.store()
  const { epochDigest } = a.announcementsIn(a.wait(60_000)).at(-1)!
  const said = { epoch: 1, newestEpoch: 1, epochDigest }
  tell(a, announcementOf(a, C, { ...said, floor: 1, vector: [] }))
  assert.equal(a.inspect().journalLength, 0)
  tell(a, announcementOf(a, C, { ...said, floor: 1, vector: [{ member: B, seq: 1, digest: batch!.digest }] }))
  assert.equal(a.inspect().draftReason, null)
})

function tell(a: DrivenReplica, announcement: Announcement): void {
  a.giveMessage({ kind: 'announcement', announcement })
}

function isOf({ node }: SimulatedNode): (member: string) => boolean {
  return (member) => member.startsWith(node)
}

/**
 * `b` has let in `c` and is gone; `a`, which has not heard `c`, alone counted when `b` was retired, and `c` has settled what `a`
 * had frozen. Then `a` is set back to before two of these operations, and has just started.
 */
function cutByOneAlone(): { fleet: SimulatedFleet; a: SimulatedNode; c: SimulatedNode } {
  const fleet = new SimulatedFleet({ genesis: genesisOf(2), random: seededRandom(5) })
  const [a, b] = fleet.nodes as [SimulatedNode, SimulatedNode]
  fleet.run(5000)
  for (const cut of ['a|c', 'c|a']) fleet.network.cuts.add(cut)
  const c = fleet.add(freeNodeId(fleet), 1)
  fleet.run(10_000)
  const { image } = a.disk
  for (const value of [1, 2]) fleet.issue(b, set(X, value))
  fleet.run(1000)
  fleet.destroy(b)
  fleet.operator.retire(a, [b.member])
  assert.deepEqual(a.replica.inspect(fleet.now).epoch.counting, [a.member])
  fleet.network.cuts.clear()
  fleet.run(30_000)
  assert.deepEqual([a.replica.floor.stage, c.replica.floor.stage], [3, 3])
  fleet.replaceDisk(a, image)
  fleet.restart(a)
  return { fleet, a, c }
}
