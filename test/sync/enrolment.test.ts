import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { memberIdOf } from '../../runtime/base/ids.ts'
import { ADMITTED_MAX, REVOKED_TOKENS_MAX } from '../../runtime/base/limits.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { epochProblem } from '../../runtime/sync/epoch.ts'
import { fleetIdOf } from '../../runtime/sync/membership.ts'
import { firstLife } from '../../runtime/sync/life.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { alarmsOf, isMember, nodeNamed, startedNetwork, viewOf } from '../support/membership-network.ts'

const TOKEN = '15365febdf223161' as Digest
const KEY = new Uint8Array(32).fill(7)

test('a second key for a member id is refused and reported, and the first one stands', () => {
  const fleet = startedNetwork(1)
  const n = fleet.add(nodeNamed('n'), 5)
  assert.ok(fleet.runUntil(() => isMember(n), 10_000))
  const a = fleet.node('a')
  const { self } = n.replica
  const request = { member: self, tier: 5, key: KEY, proof: new Uint8Array(), epoch: 0 }
  fleet.receive(a, {
    kind: 'frame',
    link: 'air',
    bytes: encodeFrame(a.replica.fleet, { kind: 'join-request', request }),
  })
  fleet.run(2000)
  assert.deepEqual(alarmsOf(a), ['second-key'])
  assert.match(viewOf(fleet, a).candidates.at(-1)?.refusal ?? '', /another key is bound to this member id/)
  assert.equal(viewOf(fleet, a).members.find(({ member }) => member === self)?.key, '')
  assert.equal(viewOf(fleet, a).members.length, 2)
})

test('what an epoch revokes stays revoked, and whom it lets in is named until he has come', () => {
  const fleet = startedNetwork(2)
  const a = fleet.node('a')
  const draft = { member: memberIdOf(nodeNamed('n'), 9), tier: 1, key: KEY, grant: KEY }
  fleet.sign(a, a.replica.proposeEpoch([], { revoke: [TOKEN], admit: [draft] }))
  fleet.run(10_000)
  for (const node of fleet.nodes) {
    assert.deepEqual(viewOf(fleet, node).epoch.revoked, [TOKEN])
    assert.deepEqual(viewOf(fleet, node).epoch.admitted, [draft.member])
  }
  const next = a.replica.proposeEpoch([])
  assert.deepEqual([next.revoked, next.admitted], [[TOKEN], [draft]])
  assert.equal(
    epochProblem({ ...next, revoked: [], signature: KEY }, { ...next, signature: KEY }),
    'it takes back a revocation',
  )
  const gone = a.replica.proposeEpoch([draft.member])
  assert.deepEqual([gone.revoked, gone.admitted], [[TOKEN], []])
})

test('an epoch revokes and lets in no more than it can hold', () => {
  const fleet = startedNetwork(1)
  const tokens = Array.from(
    { length: REVOKED_TOKENS_MAX + 1 },
    (_, index) => index.toString(16).padStart(16, '0') as Digest,
  )
  const drafts = Array.from({ length: ADMITTED_MAX + 1 }, (_, index) => {
    return { member: memberIdOf(nodeNamed('n'), index + 1), tier: 0, key: KEY, grant: KEY }
  })
  const { replica } = fleet.node('a')
  assert.equal(replica.proposeEpoch([], { revoke: tokens.slice(1), admit: [] }).revoked?.length, REVOKED_TOKENS_MAX)
  assert.equal(replica.proposeEpoch([], { revoke: [], admit: drafts.slice(1) }).admitted?.length, ADMITTED_MAX)
  assert.throws(() => replica.proposeEpoch([], { revoke: tokens, admit: [] }), { code: 'limit-reached' })
  assert.throws(() => replica.proposeEpoch([], { revoke: [], admit: drafts }), { code: 'limit-reached' })
})

test('keys are part of what a fleet is, and a founder is who holds its key', () => {
  const node = nodeNamed('a')
  const plain = { name: 'f', founders: [{ node, tier: 0 }] }
  const keyed = { name: 'f', founders: [{ node, tier: 0, key: KEY }], operator: KEY }
  assert.equal(new Set([plain, keyed, { ...keyed, operator: new Uint8Array(32) }].map(fleetIdOf)).size, 3)
  const lifeWith = (key: Uint8Array) => firstLife(node, keyed, key, seededRandom(1))
  assert.equal(lifeWith(KEY).draftReason, null)
  assert.match(lifeWith(new Uint8Array(32)).draftReason ?? '', /does not hold the key/)
  assert.equal(firstLife(node, plain, new Uint8Array(), seededRandom(1)).draftReason, null)
})
