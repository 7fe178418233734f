import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarmsOf, isMember, nodeNamed, startedNetwork, viewOf } from '../support/membership-network.ts'
import { digestOf, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { TRANSFER_CHUNK_BYTES } from '../../runtime/base/limits.ts'
import { History } from '../../runtime/sync/history.ts'
import { snapshotOf } from '../../runtime/sync/history-snapshot.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import { adopt } from '../../runtime/sync/recovery.ts'
import { encodeSnapshot } from '../../runtime/sync/snapshot.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import { announcementOf } from './announcements.ts'
import { HandIssuer, life as lifeOf } from '../support/handmade.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'
import type { Output } from '../../runtime/sync/output.ts'

test('a member that lacks what all others have folded adopts a snapshot, and keeps its own operations above it', () => {
  const fleet = startedNetwork(2)
  const [a, b] = [fleet.node('a'), fleet.node('b')]
  fleet.partition(['b'], ['a', 'n'])
  fleet.issue(b, set('from/b', 'the newcomer never hears of it'))
  for (let count = 0; count < 10; count++) fleet.issue(a, set('from/a', count))
  fleet.run(100)
  const n = fleet.add(nodeNamed('n'), 0)
  assert.ok(fleet.runUntil(() => isMember(n), 20_000))
  const { self } = n.replica
  fleet.cuts.clear()
  fleet.partition(['n'], ['a', 'b'])
  fleet.run(60_000)
  assert.equal(a.replica.settled('from/b' as never), 'the newcomer never hears of it')
  const own = fleet.issue(n, set('from/n', 'while it is alone'))
  fleet.run(1000)
  fleet.heal()
  fleet.run(60_000)
  const expected = { 'from/a': 9, 'from/b': 'the newcomer never hears of it', 'from/n': 'while it is alone' }
  for (const node of fleet.nodes) {
    assert.deepEqual(stateOf(node.replica), expected, node.name)
    assert.equal(viewOf(fleet, node).journalLength, 0, JSON.stringify(viewOf(fleet, node).floorHold))
    assert.equal(viewOf(fleet, node).floorDigest, viewOf(fleet, a).floorDigest)
    assert.deepEqual(alarmsOf(node), [])
  }
  assert.equal(n.replica.self, self, 'it is the same member')
  assert.equal(
    n.outputs.filter(({ kind }) => kind === 'standing').length,
    2,
    'one snapshot as its welcome, one to catch up',
  )
  assert.ok(fleet.issue(n, set('after', 1)).stage > own.stage, 'its stages do not go back')
  assert.deepEqual(toldAsSettled(n.outputs), expected, 'whoever follows what settles there is told of a snapshot too')
})

test('what is held above an adopted floor is kept, and no stage of ours goes back', () => {
  const genesis = genesisOf(3)
  const issuers = [0, 1, 2].map((index) => new HandIssuer(founder(genesis, index), 3 - index))
  const [ofA, ofB, ofC] = issuers as [HandIssuer, HandIssuer, HandIssuer]
  const ground = ofC.issue({ set: ['c', 1] })
  ofA.issue({ set: ['a', 'not held by b'] })
  ofB.issue({ after: ground, set: ['b', 'not held by a'] })
  const [theirs, ours] = [0, 1].map(() => new History(new Membership(genesis), 0, EMPTY_DIGEST)) as [History, History]
  for (const batch of [...ofC.batches, ...ofA.batches]) theirs.receive(batch)
  for (const batch of [...ofC.batches, ...ofB.batches]) ours.receive(batch)
  theirs.fold(1)
  ours.restoreHighWater({ id: { member: ofB.member, seq: 1 }, stage: 9 })
  const life = { member: ofB.member, draftReason: null, adoptedJoin: null, trusted: null }
  const snapshot = encodeSnapshot({ ...snapshotOf(theirs, ofA.member, null), life, start: 1, drafts: [] })
  const { history } = adopt({ life, history: ours, drafts: [] }, genesis, 'catch-up', snapshot)
  assert.equal(history.local.get('a' as never), 'not held by b')
  assert.equal(history.local.get('b' as never), 'not held by a')
  assert.equal(history.highWater.stage, 9)
})

for (const isSame of [true, false]) {
  const what = isSame ? 'is settled here too' : 'differs from what its sponsors hold is not settled'
  test(`what a node had settled before a welcome whose floor is lower, and ${what}`, () => {
    const genesis = genesisOf(2)
    const [theirs, ours] = [0, 1].map(() => new History(new Membership(genesis), 0, EMPTY_DIGEST)) as [History, History]
    for (const [history, value] of [
      [ours, 'ours'],
      [theirs, isSame ? 'ours' : 'theirs'],
    ] as const) {
      const issuer = new HandIssuer(founder(genesis, 0), 2)
      const first = issuer.issue({ set: ['x', value] })
      issuer.issue({ after: issuer.issue({ after: first, set: ['y', 2] }), set: ['z', 3] })
      for (const batch of issuer.batches) history.receive(batch)
    }
    ours.fold(2)
    const life = { member: lifeOf('b', 7), draftReason: 'set back', adoptedJoin: null, trusted: null }
    const snapshot = encodeSnapshot({ ...snapshotOf(theirs, founder(genesis, 0), null), life, start: 1, drafts: [] })
    const { history, floor } = adopt({ life, history: ours, drafts: [] }, genesis, 'welcome', snapshot)
    assert.equal(floor.stage, 0, 'the disk knows that of the snapshot alone, and nothing else is announced')
    assert.deepEqual([history.floor, history.journal.length], isSame ? [2, 1] : [0, 3])
    assert.equal(history.local.settledCell('x' as never).value, isSame ? 'ours' : undefined)
    if (isSame) assert.equal(history.floorDigest, ours.floorDigest)
  })
}

test('who holds another life of a member than the one that is settled is given the settled state, and adopts it', () => {
  const genesis = genesisOf(3)
  const [a, b] = [0, 1].map((index) => new DrivenReplica(genesis, index)) as [DrivenReplica, DrivenReplica]
  const [, ofB, ofC] = [0, 1, 2].map((index) => founder(genesis, index)) as [MemberId, MemberId, MemberId]
  for (const [node, value] of [
    [a, 'settled'],
    [b, 'of the clone'],
  ] as const) {
    const issuer = new HandIssuer(ofC, 1)
    issuer.issue({ set: ['x', value] })
    node.store()
    node.giveMessage({ kind: 'batch', batch: issuer.batches[0]! })
    node.store()
  }
  for (const member of [ofB, ofC])
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member, { start: 0 }) })
  a.store()
  assert.deepEqual([a.replica.settled('x' as never), b.replica.get('x' as never)], ['settled', 'of the clone'])
  for (let round = 0; round < 60; round++) {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const output of [...from.wait(500), ...from.store()])
        if (output.kind === 'send') for (const more of to.giveFrame(output.frame)) answers(more, from)
    }
  }
  assert.deepEqual([b.replica.settled('x' as never), b.replica.self], ['settled', ofB])
})

/** What a frame brings about at once goes back to whoever sent it. */
function answers(output: Output, to: DrivenReplica): void {
  if (output.kind === 'send') to.giveFrame(output.frame)
}

test('a snapshot of another member is not adopted by one that lacks nothing below its floor', () => {
  const genesis = genesisOf(1)
  const a = new DrivenReplica(genesis, 0)
  a.store()
  a.issue(set('x', 1))
  a.store()
  a.give({ kind: 'snapshot-due' })
  a.store()
  assert.ok(a.snapshot && a.snapshot.length < TRANSFER_CHUNK_BYTES)
  const digest = digestOf(a.snapshot)
  const { self } = a.replica
  a.giveMessage({
    kind: 'offer',
    offer: { to: self, from: self, purpose: 'catch-up', digest, size: a.snapshot.length },
  })
  const outputs = [...a.giveMessage({ kind: 'chunk', chunk: { digest, offset: 0, bytes: a.snapshot } }), ...a.store()]
  assert.deepEqual(
    outputs.filter(({ kind }) => kind === 'standing'),
    [],
  )
  assert.equal(a.inspect().dropped['snapshot of another node: we lack nothing below its floor'], 1)
  const another = { to: self, from: self, purpose: 'catch-up', digest: digestOf('another one'), size: 9 } as const
  const asked = [...a.giveMessage({ kind: 'offer', offer: another }), ...a.wait(1)]
  assert.deepEqual(
    a.messagesIn(asked).filter(({ kind }) => kind === 'chunk-request'),
    [],
    'whoever offers such ones without end keeps nobody else from offering a better one',
  )
})

for (const window of ['stored', 'not sealed yet'] as const) {
  test(`a snapshot that would leave no place for what a member has issued itself is not adopted: it was ${window}`, () => {
    const { b, offer } = settledWithoutB()
    b.issue(set('y', 'told durable'), window === 'stored' ? 0 : 60_000)
    if (window === 'stored') b.store()
    offer()
    assert.equal(
      b.inspect().dropped[
        'snapshot of another node: operations of ours lie below its floor, and it does not hold them'
      ],
      1,
    )
    assert.equal(b.replica.get('y' as never), 'told durable')
    assert.deepEqual(b.outputs.filter(({ kind }) => kind === 'standing').length, 0)
  })
}

test('what a member issues while a snapshot of others is on its way to its disk comes behind that, also after a power cut', () => {
  const { genesis, a, b, offer } = settledWithoutB()
  offer('not stored')
  b.issue(set('y', 'meanwhile'))
  assert.ok(b.inspect().last.stage > a.inspect().floor)
  b.store()
  assert.deepEqual(stateOf(b.replica), { x: 'settled', y: 'meanwhile' })
  assert.equal(b.replica.settled('x' as never), 'settled')
  const { snapshot, records, lastStored: last } = b
  const again = new DrivenReplica(genesis, 1, { snapshot, records, last })
  assert.deepEqual(stateOf(again.replica), { x: 'settled', y: 'meanwhile' })
})

/** a has settled what b has never heard of, since all say that b has spoken; it is offered to b. */
function settledWithoutB() {
  const genesis = genesisOf(3)
  const [a, b] = [0, 1].map((index) => new DrivenReplica(genesis, index)) as [DrivenReplica, DrivenReplica]
  const [ofA, ofB, ofC] = [0, 1, 2].map((index) => founder(genesis, index)) as [MemberId, MemberId, MemberId]
  const issuer = new HandIssuer(ofC, 1)
  issuer.issue({ set: ['x', 'settled'] })
  a.store()
  a.giveMessage({ kind: 'batch', batch: issuer.batches[0]! })
  a.store()
  for (const member of [ofB, ofC])
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member, { start: 0 }) })
  a.store()
  assert.equal(a.replica.settled('x' as never), 'settled')
  a.give({ kind: 'snapshot-due' })
  a.store()
  const bytes = a.snapshot
  assert.ok(bytes !== null && bytes.length < TRANSFER_CHUNK_BYTES)
  const digest = digestOf(bytes)
  b.store()
  const offer = (disk: 'stored' | 'not stored' = 'stored'): void => {
    b.giveMessage({ kind: 'offer', offer: { from: ofA, to: ofB, purpose: 'catch-up', digest, size: bytes.length } })
    b.giveMessage({ kind: 'chunk', chunk: { digest, offset: 0, bytes } })
    if (disk === 'stored') b.store()
  }
  return { genesis, a, b, offer }
}

/** The settled state as somebody has it who only hears what settles. */
function toldAsSettled(outputs: readonly Output[]): Record<string, unknown> {
  const changes = outputs.flatMap((output) => (output.kind === 'settled' ? output.changes : []))
  return Object.fromEntries(changes.map(({ path, after }) => [path, after]))
}
