import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import {
  FRAME_BYTES_MAX,
  JOIN_INTERVAL_MAX_MS,
  JOIN_INTERVAL_MIN_MS,
  MEMBER_IDS_MAX,
  MEMBERS_MAX,
  SIGNATURE_BYTES_MAX,
} from '../../runtime/base/limits.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import { admit, HandIssuer } from '../support/handmade.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { isMember, MembershipNetwork, nodeNamed, viewOf } from '../support/membership-network.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

/** Founders `a` and `b` that run, and as many that are there by name alone as leave `places` members free. */
function almostFull(places: number): MembershipNetwork {
  const { name, founders } = genesisOf(2)
  const silent = Array.from({ length: MEMBERS_MAX - places - founders.length }, (_, index) => ({
    node: (0xf0_0000_0000 + index).toString(16).padStart(16, 'f') as NodeId,
    tier: 0,
  }))
  const fleet = new MembershipNetwork({ name, founders: [...founders, ...silent] }, 1, undefined, 2)
  fleet.run(3000)
  return fleet
}

test('a fleet that both sides of a split have filled is over its bound by a few, and goes on after the heal', () => {
  const fleet = almostFull(1)
  const [a, b] = [fleet.node('a'), fleet.node('b')]
  fleet.partition(['a', 'c'], ['b', 'd'])
  const c = fleet.add(nodeNamed('c'), 0)
  const d = fleet.add(nodeNamed('d'), 0)
  assert.ok(fleet.runUntil(() => isMember(c) && isMember(d), 60_000))
  fleet.issue(c, set('from/c', 1))
  fleet.issue(d, set('from/d', 2))
  fleet.heal()
  const all = [a, b, c, d]
  const knows = (path: string): boolean => all.every(({ replica }) => replica.get(path as never) !== undefined)
  assert.ok(fleet.runUntil(() => knows('from/c') && knows('from/d'), 60_000))
  for (const node of all) assert.equal(viewOf(fleet, node).members.length, MEMBERS_MAX + 1)

  const e = fleet.add(nodeNamed('e'), 0)
  fleet.run(10_000)
  assert.match(viewOf(fleet, e).refusal ?? '', /the fleet is full/)
})

test('an announcement that names as many members as there may be after a split is understood', () => {
  const vector = Array.from({ length: MEMBER_IDS_MAX }, (_, index) => ({
    member: memberIdOf((index + 1).toString(16).padStart(16, '0') as NodeId, 0),
    seq: 1_000_000 + index,
    digest: EMPTY_DIGEST,
  }))
  const node = new DrivenReplica(genesisOf(1), 0)
  node.store()
  const { fleet } = node.replica
  const announcement = { ...announcementOf(node, founder(genesisOf(1), 0), { vector }), start: 1_000_000_000 }
  const frame = encodeFrame(fleet, { kind: 'announcement', announcement })
  assert.ok(frame.length + SIGNATURE_BYTES_MAX < FRAME_BYTES_MAX)
  assert.deepEqual(decodeFrame(fleet, frame), { kind: 'announcement', announcement })
  const more = { ...announcement, vector: [...(announcement.vector ?? []), ...vector.slice(0, 1)] }
  assert.throws(() => decodeFrame(fleet, encodeFrame(fleet, { kind: 'announcement', announcement: more })), /vector/)
})

test('a node that was told of more members than there may be can read its own snapshot again', () => {
  const fleet = genesisOf(3)
  const [node, sponsor] = [new DrivenReplica(fleet, 2), new HandIssuer(founder(fleet, 1), 2)]
  node.store()
  for (let after: Operation | null = null, index = 1; index <= MEMBER_IDS_MAX + 1; index++) {
    const member = memberIdOf(`dd${index.toString(16).padStart(14, '0')}` as NodeId, 7)
    after = sponsor.issue({ after, join: admit(member, 1) })
    const issuer = new HandIssuer(member, 1)
    issuer.issue({ after, set: [`p${index}`, 1] })
    for (const batch of [sponsor.batches.at(-1)!, issuer.batches[0]!]) node.giveMessage({ kind: 'batch', batch })
    node.outputs.length = 0
  }
  node.store()
  node.give({ kind: 'snapshot-due' })
  node.store()
  assert.ok(node.snapshot !== null)
  const disk = { snapshot: node.snapshot, records: [], last: node.lastStored }
  const again = new DrivenReplica(fleet, 2, disk)
  assert.equal(again.inspect().members.length, MEMBER_IDS_MAX + 4)
  assert.equal(again.inspect().journalLength, 2 * (MEMBER_IDS_MAX + 1))
})

test('a draft that nobody takes in asks soon, then at intervals that double up to the longest', () => {
  const draft = new DrivenReplica(genesisOf(1), nodeNamed('n'))
  draft.store()
  const startedAt = draft.now
  const askedAt: number[] = []
  for (let second = 0; second < (8 * JOIN_INTERVAL_MAX_MS) / 1000; second += 0.05) {
    const asks = draft.messagesIn(draft.wait(50)).some(({ kind }) => kind === 'join-request')
    if (asks) askedAt.push(draft.now)
  }
  assert.ok((askedAt[0] ?? Infinity) <= startedAt + JOIN_INTERVAL_MIN_MS + 50)
  const gaps = askedAt.slice(1).map((at, index) => at - (askedAt[index] ?? at))
  for (const [index, gap] of gaps.entries()) {
    const longest = Math.min(2 ** index * JOIN_INTERVAL_MIN_MS, JOIN_INTERVAL_MAX_MS)
    assert.ok(gap <= longest + 100 && gap >= longest / 2 - 100, `gap ${index} of ${gap} ms is none of ${longest} ms`)
  }
  assert.ok(gaps.length >= 8, 'it never gives up')
})
