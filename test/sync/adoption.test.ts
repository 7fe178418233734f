import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { OperationRequest, Original } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { rulesPoint } from '../../runtime/state/reserved-point.ts'
import { OPEN_CHARTER, type Role } from '../../runtime/state/role.ts'
import { belongingsOf } from '../../runtime/sync/adoption.ts'
import { draftOf } from '../../runtime/sync/draft.ts'
import { History } from '../../runtime/sync/history.ts'
import { snapshotOf } from '../../runtime/sync/history-snapshot.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Life } from '../../runtime/sync/life.ts'
import { encodeRecord, type StoredRecord } from '../../runtime/sync/records.ts'
import { recover } from '../../runtime/sync/recovery.ts'
import { settlementOf } from '../../runtime/sync/settlement.ts'
import { encodeSnapshot } from '../../runtime/sync/snapshot.ts'
import { founder } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { isMember, nodeNamed, startedNetwork, viewOf } from '../support/membership-network.ts'
import { genesisOf, set } from '../support/replica-network.ts'

const FLEET = genesisOf(2)
const [A, B] = [founder(FLEET, 0), founder(FLEET, 1)]

/** `b` was retired when it had issued three operations, of which the fleet holds the first; the second has come back. */
function comingBack(): { old: History; fresh: History; own: HandIssuer } {
  const own = new HandIssuer(B, 1)
  const first = own.issue({ add: ['n', 1] })
  const second = own.issue({ after: first, add: ['n', 10] })
  own.issue({ after: second, add: ['n', 100] })
  const [sponsor, again] = [new HandIssuer(A, 2), new HandIssuer(life('b', 9), 1)]
  const original: Original = { kind: 'operation', id: { member: B, seq: 2 } }
  const join = sponsor.issue({ after: first, join: admit(again.member, 1) })
  again.issue({ after: join, add: ['n', 10], original })
  const [old, fresh] = [0, 1].map(() => new History(new Membership(FLEET), 0, EMPTY_DIGEST)) as [History, History]
  for (const batch of own.batches) old.receive(batch)
  for (const batch of [own.batches[0]!, ...sponsor.batches, ...again.batches]) fresh.receive(batch)
  return { old, fresh, own }
}

test('of what the fleet does not hold, what has come back already is left out', () => {
  const { old, fresh } = comingBack()
  const now = { member: life('b', 7), draftReason: 'test', adoptedJoin: null, trusted: null }
  const { drafts, conflicts } = belongingsOf({ life: now, history: old, drafts: [] }, fresh)
  assert.deepEqual(
    drafts.map(({ current }) => current.original.id.seq),
    [3],
  )
  assert.deepEqual(conflicts, [])
})

test('what a second machine did under one member id is for people, also if it stood on the disk before the last start', () => {
  const [ours, theirs] = [new HandIssuer(B, 1), new HandIssuer(B, 1)]
  for (const [issuer, value] of [
    [ours, 'ours'],
    [theirs, 'theirs'],
  ] as const) {
    const first = issuer.issue({ set: ['x', 'both'] })
    issuer.issue({ after: first, set: ['x', value] })
  }
  const [old, fresh] = [0, 1].map(() => new History(new Membership(FLEET), 0, EMPTY_DIGEST)) as [History, History]
  for (const batch of ours.batches) old.receive(batch)
  for (const batch of theirs.batches) fresh.receive(batch)
  const now = { member: life('b', 7), draftReason: 'test', adoptedJoin: null, trusted: { member: B, seq: 2 } }
  const { drafts, conflicts } = belongingsOf({ life: now, history: old, drafts: [] }, fresh)
  assert.deepEqual(drafts, [])
  assert.deepEqual(
    conflicts.map(({ loser, winner }) => [loser.value, winner.value]),
    [['ours', 'theirs']],
  )
})

test('a draft that has come back is not issued a second time', () => {
  const { fresh, own } = comingBack()
  const settle = (index: number): string => {
    const draft = draftOf(own.batches[index]!.messages[0]!)
    const settler = { self: life('b', 7), priority: priorityOf(B, 1), role: 'gateway', charter: OPEN_CHARTER } as const
    return settlementOf(draft, settler, fresh.local).kind
  }
  assert.deepEqual([settle(1), settle(2)], ['known', 'issue'])
})

test('whoever brings back what another node has issued keeps that from coming back in no way', () => {
  const { old } = comingBack()
  const others = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
  const liar = new HandIssuer(A, 2)
  liar.issue({ add: ['n', 10], original: { kind: 'operation', id: { member: B, seq: 2 } } })
  liar.issue({ set: ['n', 'mine'], original: { kind: 'operation', id: { member: B, seq: 3 } } })
  const outcomes = liar.batches.flatMap((batch) => others.receive(batch).integrations).map(({ entries }) => entries[0])
  assert.deepEqual(
    outcomes.map((entry) => entry?.execution?.code),
    ['not-its-own', 'not-its-own'],
  )
  const now = { member: life('b', 7), draftReason: 'test', adoptedJoin: null, trusted: null }
  const { drafts, conflicts } = belongingsOf({ life: now, history: old, drafts: [] }, others)
  assert.deepEqual(
    drafts.map(({ current }) => current.original.id.seq),
    [1, 2, 3],
  )
  assert.deepEqual(conflicts, [])
  const settler = { self: now.member, priority: priorityOf(B, 1), role: 'gateway', charter: OPEN_CHARTER } as const
  for (const draft of drafts) assert.equal(settlementOf(draft, settler, others.local).kind, 'issue')
})

test('what a clone has brought back something else for is for people, and is not left out', () => {
  const { old } = comingBack()
  const original: Original = { kind: 'operation', id: { member: B, seq: 3 } }
  const others = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
  const [sponsor, again] = [new HandIssuer(A, 2), new HandIssuer(life('b', 9), 1)]
  const join = sponsor.issue({ join: admit(again.member, 1) })
  again.issue({ after: join, set: ['m', 'of the clone'], original })
  for (const { batches } of [sponsor, again]) others.receive(batches[0]!)
  const now = { member: life('b', 7), draftReason: 'test', adoptedJoin: null, trusted: null }
  const { drafts, conflicts } = belongingsOf({ life: now, history: old, drafts: [] }, others)
  assert.deepEqual(
    drafts.map(({ current }) => current.original.id.seq),
    [1, 2],
  )
  assert.deepEqual(
    conflicts.map(({ path, loser }) => [path, loser.value]),
    [['n', 100]],
  )
  const draft = draftOf(old.log(B).batches[2]!.messages[0]!)
  const settler = { self: life('b', 7), priority: priorityOf(B, 1), role: 'gateway', charter: OPEN_CHARTER } as const
  assert.equal(settlementOf(draft, settler, others.local).kind, 'conflict')
})

test('what a node may not write any more, since it comes back with another role, is for people to decide', () => {
  const { fresh } = comingBack()
  const issuer = new HandIssuer(B, 1)
  for (let back = 0; back < 2; back++) issuer.issue({ set: ['back already', back] })
  issuer.issue({ set: [rulesPoint('pump'), 'rules'] })
  issuer.issue({ set: ['z', 1] })
  const settle = (index: number, role: Role, hasKeys: boolean): string => {
    const settler = { self: life('b', 7), priority: priorityOf(B, 1), role, charter: { ...OPEN_CHARTER, hasKeys } }
    return settlementOf(draftOf(issuer.batches[2 + index]!.messages[0]!), settler, fresh.local).kind
  }
  assert.deepEqual(
    [settle(0, 'gateway', true), settle(0, 'gateway', false), settle(0, 'operator', true)],
    ['conflict', 'issue', 'issue'],
  )
  assert.deepEqual([settle(1, 'gateway', true), settle(1, 'observer', false)], ['issue', 'conflict'])
})

test('what a member had issued and not sealed when its join was cut comes back', () => {
  const fleet = startedNetwork(2)
  const [a, c] = [fleet.node('a'), fleet.node('b')]
  fleet.partition(['a'], ['b'])
  const d = fleet.add(nodeNamed('d'), 1)
  fleet.partition(['d'], ['b'])
  assert.ok(fleet.runUntil(() => isMember(d), 20_000))
  const { self } = d.replica
  fleet.partition(['d'], ['a'])
  fleet.issue(d, set('x', 'not lost'), 600_000)
  fleet.retire(c, [a.replica.self])
  fleet.cuts.clear()
  fleet.partition(['a'], ['b', 'd'])
  assert.ok(fleet.runUntil(() => d.replica.self !== self, 60_000))
  assert.ok(fleet.runUntil(() => isMember(d), 60_000))
  assert.ok(fleet.runUntil(() => c.replica.get('x' as never) === 'not lost', 20_000))
})

test('the same is read from the disk, though its join was cut before it was written there', () => {
  const [sponsor, self] = [new HandIssuer(A, 2), new HandIssuer(life('d', 7), 1)]
  const joined = sponsor.issue({ join: admit(self.member, 1) })
  self.issue({ after: joined, set: ['x', 'not lost'] })
  const theirs = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
  theirs.receive(sponsor.batches[0]!)
  const [draft, member] = ['it has not joined yet', null].map((draftReason) => ({
    member: self.member,
    draftReason,
    adoptedJoin: null,
    trusted: null,
  })) as [Life, Life]
  const bytes = encodeSnapshot({ ...snapshotOf(theirs, A, null), life: { ...member, member: A }, start: 1, drafts: [] })
  const epoch = { number: 1, counting: [B], retired: [A], signature: new Uint8Array() }
  const records: StoredRecord[] = [
    { kind: 'life', life: draft },
    { kind: 'part', part: { purpose: 'welcome', index: 0, count: 1, bytes } },
    { kind: 'epoch', retirement: { epoch, before: 0, frozen: new Map(), cuts: null } },
    { kind: 'cuts', cuts: new Map() },
    { kind: 'batch', batch: self.batches[0]! },
  ]
  const recovered = { snapshot: null, records: records.map(encodeRecord), last: records.length }
  const { history } = recover(self.member, FLEET, new Uint8Array(), recovered, seededRandom(1))
  const own = [...history.logs()].find((log) => log.member === self.member)
  assert.equal(own?.held.seq, 1)
})

test('a draft takes no welcome of a sponsor that has never heard of its former life: others hold what it has issued', () => {
  const fleet = startedNetwork(2)
  const [a, behind] = [fleet.node('a'), fleet.node('b')]
  fleet.partition(['a'], ['b'])
  const d = fleet.add(nodeNamed('d'), 1)
  fleet.partition(['d'], ['b'])
  assert.ok(fleet.runUntil(() => isMember(d), 20_000))
  const { self } = d.replica
  const add = (argument: number): OperationRequest => ({
    writes: [{ path: 'n' as Path, kind: 'add', argument }],
    guards: [],
  })
  fleet.issue(d, add(1))
  fleet.run(2000)
  const backup = fleet.backup(d)
  fleet.issue(d, add(10))
  fleet.run(2000)
  fleet.crash(d)
  fleet.restore(d, backup)
  fleet.restart(d)
  assert.ok(
    fleet.runUntil(() => d.replica.self !== self, 20_000),
    'a tells it that it was set back',
  )
  fleet.cuts.clear()
  fleet.partition(['a'], ['b', 'd'])
  fleet.run(60_000)
  assert.equal(isMember(d), false)
  const { dropped, refusal } = viewOf(fleet, d)
  const fetched = dropped['snapshot of another node: it does not know who we were'] ?? 0
  assert.ok(fetched > 0 && fetched <= 3, `each is as large as the state: ${fetched} in a minute`)
  assert.match(refusal ?? '', new RegExp(`has never heard of ${self}, .*fleetstep fleet retire ${self}$`))
  fleet.heal()
  fleet.run(10_000)
  fleet.retire(a, [self])
  assert.ok(fleet.runUntil(() => isMember(d), 120_000))
  fleet.run(60_000)
  for (const node of [a, behind, d]) assert.equal(node.replica.settled('n' as never), 11, node.name)
})

test('a draft takes the welcome of those who have cut all of a former life whose join nobody holds any more', () => {
  const fleet = startedNetwork(2)
  const [a, b] = [fleet.node('a'), fleet.node('b')]
  const before = fleet.backup(b)
  fleet.partition(['a'], ['b'])
  const d = fleet.add(nodeNamed('d'), 1)
  fleet.partition(['a'], ['d'])
  assert.ok(fleet.runUntil(() => isMember(d), 20_000))
  const { self } = d.replica
  fleet.issue(d, { writes: [{ path: 'n' as Path, kind: 'add', argument: 1 }], guards: [] })
  fleet.run(2000)
  fleet.retire(b, [self])
  assert.ok(fleet.runUntil(() => d.replica.self !== self, 20_000))
  fleet.crash(b)
  fleet.restore(b, before)
  fleet.restart(b)
  fleet.heal()
  assert.ok(
    fleet.runUntil(() => isMember(d), 120_000),
    JSON.stringify(viewOf(fleet, d).dropped),
  )
  fleet.run(60_000)
  for (const node of [a, b, d]) assert.equal(node.replica.settled('n' as never), 1, node.name)
})
