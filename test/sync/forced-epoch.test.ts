import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memberIdOf, type MemberId, type NodeId } from '../../runtime/base/ids.ts'
import { EPOCH_RETIRED_MAX, MEMBERS_MAX } from '../../runtime/base/limits.ts'
import { epochPayload, epochProblem, forceEpoch, NO_CHANGE } from '../../runtime/sync/epoch.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { type OwnVector, Peers } from '../../runtime/sync/peers.ts'
import { type VersionEntry, vectorDigest } from '../../runtime/sync/version-vector.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { announcementOf } from './announcements.ts'
import { refusalOf } from '../../runtime/sync/sponsor.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import {
  alarmsOf,
  isMember,
  type MembershipNetwork,
  type NetworkNode,
  nodeNamed,
  startedNetwork,
  viewOf,
} from '../support/membership-network.ts'
import { genesisOf, set } from '../support/replica-network.ts'

/** The founder a is gone for ever, and b, which it has just taken in, does not count: nobody is left who does. */
function orphaned(): { fleet: MembershipNetwork; a: NetworkNode; b: NetworkNode } {
  const fleet = startedNetwork(1)
  const a = fleet.node('a')
  const b = fleet.add(nodeNamed('b'), 1)
  assert.ok(fleet.runUntil(() => isMember(b), 20_000))
  fleet.crash(a)
  fleet.issue(b, set('x', 'still working'))
  fleet.run(5000)
  return { fleet, a, b }
}

test('where nobody is left who counts, a forced epoch lets the others go on, and everybody says so', () => {
  const { fleet, a, b } = orphaned()
  assert.equal(fleet.retire(b, [a.replica.self]), null, 'no ordinary epoch has anybody who counts')
  assert.equal(viewOf(fleet, b).floorHold?.member, a.replica.self)
  fleet.force(b, [a.replica.self], [b.replica.self])
  assert.ok(alarmsOf(b).includes('epoch-forced'))
  fleet.run(5000)
  assert.equal(b.replica.settled('x' as never), 'still working')
  assert.equal(viewOf(fleet, b).journalLength, 0)
  fleet.crash(b)
  b.outputs.length = 0
  fleet.restart(b)
  assert.ok(alarmsOf(b).includes('epoch-forced'), 'it is still true after a restart')
})

test('an epoch is not forced while somebody counts, nor with members that are not there', () => {
  const fleet = startedNetwork(2)
  const [a, b] = [fleet.node('a'), fleet.node('b')]
  assert.throws(() => a.replica.forceEpoch([b.replica.self], [a.replica.self]), /still counts: retire without force/)
  const { b: other, a: dead } = orphaned()
  assert.throws(() => other.replica.forceEpoch([dead.replica.self], [dead.replica.self]), /no member that is to stay/)
  assert.throws(() => other.replica.forceEpoch([dead.replica.self], []), /no member that is to stay/)
})

test('no epoch is forced in favour of a member whom another that stays would never believe: that one is retired too', () => {
  const [a, b, c] = [life('a'), life('b', 1), life('c', 1)]
  const issuer = new HandIssuer(a, 1)
  issuer.issue({ after: issuer.issue({ join: admit(b, 1) }), join: admit(c, 1) })
  const history = new History(new Membership(genesisOf(1)), 0, EMPTY_DIGEST)
  for (const batch of issuer.batches) history.receive(batch)
  const [first, second] = issuer.batches.map(({ digest }, index) => ({ member: a, seq: index + 1, digest }))
  const forced = (ofB: VersionEntry | undefined, retire: readonly MemberId[], counting: readonly MemberId[]) => {
    const peers = new Peers()
    if (ofB !== undefined) peers.note(stating(b, ofB), versionOf(history), 'air', 0)
    return forceEpoch(history, peers, c, { retire, counting, enrolment: NO_CHANGE })
  }
  for (const counting of [[c], [b, c]])
    assert.throws(() => forced(first, [a], counting), {
      code: 'operation-refused',
      message: new RegExp(`^${b} does not hold the join of ${c}, which ${a} made: retire ${b} too`),
    })
  assert.deepEqual(forced(first, [a, b], [c]).counting, [c])
  assert.deepEqual(forced(first, [a], [b]).counting, [b], 'its own join is held by whoever joined')
  assert.deepEqual(forced(second, [a], [b, c]).counting, [b, c])
  assert.deepEqual(forced(undefined, [a], [b, c]).counting, [b, c], 'who was not heard may hold it')
})

function stating(member: MemberId, entry: VersionEntry): Announcement {
  const node = new DrivenReplica(genesisOf(1), 0)
  return announcementOf(node, member, { vector: [entry] })
}

function versionOf(history: History): OwnVector {
  const vector = history.storedVector()
  return { vector, digest: vectorDigest(vector) }
}

test('that an epoch is forced is part of what the operator signs', () => {
  const epoch = { number: 1, counting: [memberIdOf(nodeNamed('a'), 0)], retired: [] }
  assert.notDeepEqual(epochPayload(EMPTY_DIGEST, epoch), epochPayload(EMPTY_DIGEST, { ...epoch, isForced: true }))
})

test('a fleet that has retired all that it can says so to the operator, and takes in no one before that', () => {
  const fleet = startedNetwork(1)
  const a = fleet.node('a')
  assert.equal(a.replica.proposeEpoch(ids(EPOCH_RETIRED_MAX)).retired.length, EPOCH_RETIRED_MAX)
  assert.throws(() => a.replica.proposeEpoch(ids(2 * EPOCH_RETIRED_MAX)), /can retire no more: found it anew/)
  const epoch = {
    number: 1,
    counting: [a.replica.self],
    retired: ids(EPOCH_RETIRED_MAX + 1),
    signature: new Uint8Array(),
  }
  assert.match(epochProblem(epoch, null) ?? '', /more than 1088 members are retired/)
})

test('a full fleet refuses drafts and says how full it is; who is a member already is welcomed again', () => {
  const founders = ids(MEMBERS_MAX - 10).map((id) => ({ node: id.slice(0, 16) as NodeId, tier: 0 }))
  const history = new History(new Membership({ name: 'full', founders }), 0, EMPTY_DIGEST)
  const request = {
    member: memberIdOf(nodeNamed('n'), 7),
    tier: 0,
    key: new Uint8Array(),
    proof: new Uint8Array(),
    epoch: 0,
  }
  assert.equal(refusalOf(request, history), null)
  const retired = founders.slice(0, 10).map(({ node }) => memberIdOf(node, 0))
  const epoch = { number: 1, counting: [memberIdOf(founders[20]!.node, 0)], retired, signature: new Uint8Array() }
  history.retirement.restore({ epoch, before: 0, frozen: new Map(), cuts: null })
  assert.match(refusalOf(request, history) ?? '', /full: it has had 2038 member ids, of which 10 are retired/)
  assert.equal(refusalOf({ ...request, member: memberIdOf(founders[30]!.node, 0) }, history), null)
})

function ids(count: number): MemberId[] {
  return Array.from({ length: count }, (_, index) =>
    memberIdOf((index + 1).toString(16).padStart(16, '0') as NodeId, 0),
  )
}
