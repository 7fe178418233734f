import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFrame } from '../../runtime/sync/message-codec.ts'
import {
  isMember,
  type MembershipNetwork,
  type NetworkNode,
  nodeNamed,
  startedNetwork,
  viewOf,
} from '../support/membership-network.ts'
import { set, stateOf } from '../support/replica-network.ts'

test('one founder and drafts become a fleet; drafts made before are issued when their node joins', () => {
  const fleet = startedNetwork(1)
  fleet.issue(fleet.node('a'), set('x', 'founder'))
  const n = fleet.add(nodeNamed('n'), 5)
  const issued = fleet.issue(n, set('y', 'draft'))
  assert.equal(issued.isDraft, true)
  assert.equal(n.replica.get('y' as never), 'draft', 'it is executed at once')
  assert.ok(
    fleet.runUntil(() => isMember(n), 10_000),
    viewOf(fleet, n).draftReason ?? '',
  )
  fleet.run(60_000)
  for (const node of fleet.nodes) {
    assert.deepEqual(stateOf(node.replica), { x: 'founder', y: 'draft' }, node.name)
    assert.equal(viewOf(fleet, node).journalLength, 0, JSON.stringify(viewOf(fleet, node).floorHold))
    assert.equal(viewOf(fleet, node).floorDigest, viewOf(fleet, fleet.node('a')).floorDigest)
  }
  assert.equal(viewOf(fleet, n).drafts, 0)
  const settled = n.outputs.filter((output) => output.kind === 'draft-settled')
  assert.deepEqual(
    settled.map(({ original }) => original.id),
    [issued.id],
  )
})

test('one of several members sponsors; the others are silent', () => {
  const fleet = startedNetwork(4)
  const n = fleet.add(nodeNamed('n'), 5)
  assert.ok(fleet.runUntil(() => isMember(n), 10_000))
  fleet.run(60_000)
  const joins = fleet.node('a').outputs.flatMap((output) => (output.kind === 'integrated' ? output.operations : []))
  assert.equal(joins.length, 1, 'one join')
})

test('a welcome that is larger than a frame is fetched in pieces, also over a link that loses half of them', () => {
  const fleet = startedNetwork(1)
  for (let index = 0; index < 40; index++) fleet.issue(fleet.node('a'), set(`large/${index}`, 'x'.repeat(10_000)))
  fleet.run(100)
  fleet.faults = { drop: 0.5, duplicate: 0.2, delayMs: 100 }
  const n = fleet.add(nodeNamed('n'), 5)
  assert.ok(fleet.runUntil(() => isMember(n), 3_600_000))
  assert.deepEqual(stateOf(n.replica), stateOf(fleet.node('a').replica))
})

test('a draft whose sponsor is gone before it has answered is taken in by another member soon', () => {
  const fleet = startedNetwork(2)
  const members = [fleet.node('a'), fleet.node('b')]
  const n = fleet.add(nodeNamed('n'), 5)
  const sponsorOf = (): NetworkNode | undefined =>
    members.find(({ outputs, replica }) =>
      outputs.some((output) => output.kind === 'send' && decodeFrame(replica.fleet, output.frame).kind === 'offer'),
    )
  while (sponsorOf() === undefined) fleet.run(1)
  fleet.crash(sponsorOf()!)
  assert.ok(!isMember(n))
  assert.ok(fleet.runUntil(() => isMember(n), 20_000))
})

test('drafts survive a crash, and are issued once', () => {
  const fleet = startedNetwork(1)
  fleet.crash(fleet.node('a'))
  const n = fleet.add(nodeNamed('n'), 5)
  for (let index = 0; index < 5; index++) {
    fleet.issue(n, add('count', 1))
    fleet.sync(n)
  }
  fleet.crash(n)
  fleet.restart(n)
  assert.equal(n.replica.get('count' as never), 5)
  assert.equal(viewOf(fleet, n).drafts, 5)
  fleet.restart(fleet.node('a'))
  assert.ok(fleet.runUntil(() => isMember(n), 20_000))
  fleet.run(5000)
  assert.equal(fleet.node('a').replica.get('count' as never), 5)
})

test('a crash at any moment of joining loses no draft and doubles none', () => {
  for (let crashAfterMs = 0; crashAfterMs < 1500; crashAfterMs += 37) {
    const fleet = startedNetwork(1)
    const n = fleet.add(nodeNamed('n'), 5)
    fleet.issue(n, add('count', 1))
    fleet.issue(n, add('count', 10))
    fleet.sync(n)
    fleet.run(crashAfterMs)
    fleet.crash(n)
    fleet.run(50)
    fleet.restart(n)
    assert.ok(
      fleet.runUntil(() => isMember(n) && viewOf(fleet, n).drafts === 0, 60_000),
      `${crashAfterMs} ms`,
    )
    fleet.run(10_000)
    for (const node of fleet.nodes) assert.equal(node.replica.get('count' as never), 11, `${crashAfterMs} ms`)
  }
})

test('a draft whose point a higher priority wrote meanwhile goes to the conflict list', () => {
  const fleet = startedNetwork(1)
  const n = fleet.add(nodeNamed('n'), 0)
  fleet.partition(['a'], ['n'])
  fleet.issue(n, set('x', 'low'))
  fleet.issue(n, set('y', 'free'))
  fleet.issue(fleet.node('a'), set('x', 'high'))
  fleet.run(100)
  fleet.heal()
  assert.ok(fleet.runUntil(() => isMember(n), 20_000))
  fleet.run(5000)
  for (const node of fleet.nodes) assert.deepEqual(stateOf(node.replica), { x: 'high', y: 'free' }, node.name)
  assert.deepEqual(
    n.replica.conflicts().map(({ loser, winner }) => [loser.value, winner.value]),
    [['low', 'high']],
  )
  fleet.crash(n)
  fleet.restart(n)
  assert.equal(n.replica.conflicts().length, 1, 'also after a restart')
})

test('a draft of higher priority than what was written meanwhile is issued over it', () => {
  const fleet = startedNetwork(1)
  const n = fleet.add(nodeNamed('n'), 9)
  fleet.partition(['a'], ['n'])
  fleet.issue(n, set('x', 'high'))
  fleet.issue(fleet.node('a'), set('x', 'low'))
  fleet.run(100)
  fleet.heal()
  assert.ok(fleet.runUntil(() => isMember(n), 20_000))
  fleet.run(5000)
  for (const node of fleet.nodes) assert.deepEqual(stateOf(node.replica), { x: 'high' }, node.name)
})

test('a node with another member id that is not retired is refused, and says why', () => {
  const fleet = startedNetwork(1)
  const n = fleet.add(nodeNamed('n'), 5)
  assert.ok(fleet.runUntil(() => isMember(n), 20_000))
  fleet.run(5000)
  const former = n.replica.self
  // The card was flashed anew: same hardware, empty disk.
  fleet.crash(n)
  fleet.restore(n, { snapshot: null, records: [], last: 0 })
  fleet.restart(n)
  fleet.run(30_000)
  assert.equal(viewOf(fleet, n).status, 'draft')
  assert.match(viewOf(fleet, n).refusal ?? '', /is a member already/)
  assert.notEqual(n.replica.self, former)
  assert.ok(fleet.retire(fleet.node('a'), [former]), 'the operator replaces it')
  assert.ok(
    fleet.runUntil(() => isMember(n), 60_000),
    viewOf(fleet, n).refusal ?? '',
  )
  fleet.run(60_000)
  for (const node of fleet.nodes) assert.equal(viewOf(fleet, node).journalLength, 0)
})

test('a retired node that returns issues again what did not stand, once', () => {
  const fleet = startedNetwork(3)
  const c = fleet.node('c')
  fleet.issue(c, add('count', 1))
  fleet.run(2000)
  fleet.partition(['c'], ['a', 'b'])
  fleet.issue(c, add('count', 10))
  fleet.issue(c, set('x', 'c'))
  fleet.run(1000)
  assert.ok(fleet.retire(fleet.node('a'), [c.replica.self]))
  fleet.run(5000)
  fleet.heal()
  assert.ok(fleet.runUntil(() => isMember(c) && viewOf(fleet, c).epoch.number === 1, 60_000))
  fleet.run(60_000)
  for (const node of fleet.nodes) {
    assert.deepEqual(stateOf(node.replica), { count: 11, x: 'c' }, node.name)
    assert.equal(viewOf(fleet, node).journalLength, 0)
  }
})

test('a node that was set back to an old backup becomes a draft, and after its replacement everybody agrees', () => {
  const fleet = startedNetwork(3)
  const c = fleet.node('c')
  fleet.issue(c, add('count', 1))
  fleet.run(2000)
  const backup = fleet.backup(c)
  fleet.issue(c, add('count', 10))
  fleet.run(2000)
  fleet.crash(c)
  fleet.restore(c, backup)
  fleet.restart(c)
  fleet.issue(c, add('count', 100))
  fleet.run(5000)
  assert.equal(viewOf(fleet, c).status, 'draft')
  const former = viewOf(fleet, fleet.node('a')).members.find(({ member }) => member.startsWith(c.node))
  assert.ok(former && fleet.retire(fleet.node('a'), [former.member]))
  assert.ok(
    fleet.runUntil(() => isMember(c), 60_000),
    viewOf(fleet, c).refusal ?? '',
  )
  fleet.run(60_000)
  const states = fleet.nodes.map((node) => JSON.stringify(stateOf(node.replica)))
  assert.equal(new Set(states).size, 1, states.join(' '))
  assert.equal(c.replica.get('count' as never), 11, 'what was lost has come back, and what it said twice is for people')
  assert.equal(c.replica.conflicts().length, 1)
  assert.equal(
    c.outputs.filter(({ kind }) => kind === 'conflict').length,
    1,
    'whoever follows the journal is told of it',
  )
})

test('drafts of a node that was set back to before it joined are not issued twice', () => {
  const fleet = startedNetwork(1)
  fleet.partition(['a'], ['n'])
  const n = fleet.add(nodeNamed('n'), 5)
  fleet.issue(n, add('count', 1))
  fleet.run(10)
  const backup = fleet.backup(n)
  fleet.heal()
  assert.ok(fleet.runUntil(() => isMember(n), 60_000))
  fleet.run(10_000)
  const former = n.replica.self
  fleet.crash(n)
  fleet.restore(n, backup)
  fleet.restart(n)
  fleet.run(20_000)
  assert.equal(viewOf(fleet, n).status, 'draft')
  assert.ok(fleet.retire(fleet.node('a'), [former]))
  assert.ok(fleet.runUntil(() => isMember(n), 60_000))
  fleet.run(10_000)
  for (const node of fleet.nodes) assert.equal(node.replica.get('count' as never), 1, node.name)
})

function add(path: string, amount: number): Parameters<MembershipNetwork['issue']>[1] {
  return { writes: [{ path: path as never, kind: 'add', argument: amount }], guards: [] }
}

test('a founder goes on sponsoring when the only other member is gone before it was heard as a settled one', () => {
  const fleet = startedNetwork(1)
  const n = fleet.add(nodeNamed('n'), 5)
  assert.ok(fleet.runUntil(() => isMember(n), 10_000))
  assert.ok(fleet.runUntil(() => viewOf(fleet, fleet.node('a')).floor > 0, 10_000))
  fleet.crash(n)
  fleet.issue(fleet.node('a'), set('x', 1))
  const o = fleet.add(nodeNamed('o'), 5)
  assert.ok(
    fleet.runUntil(() => isMember(o), 20_000),
    'o is a member',
  )
})

for (const [what, second] of [
  ['priority', { tier: 7, role: 'gateway' }],
  ['role', { tier: 5, role: 'operator' }],
] as const)
  test(`a node that two sponsors let in with another ${what} each goes on as a draft, and what it issued under the later join comes back`, () => {
    const fleet = startedNetwork(2)
    const [a, b] = [fleet.node('a'), fleet.node('b')]
    fleet.partition(['a'], ['b'])
    for (let count = 0; count < 5; count++) fleet.issue(b, set('x', count))
    fleet.run(1000)
    const n = fleet.add(nodeNamed('n'), 5)
    for (const cut of ['a|n', 'b|n', 'n|b']) fleet.cuts.add(cut)
    assert.ok(
      fleet.runUntil(() => viewOf(fleet, a).members.length === 3, 20_000),
      'a lets it in, and it does not hear that',
    )
    fleet.crash(n)
    Object.assign(n, second)
    fleet.restart(n)
    for (const cut of ['b|n', 'n|b']) fleet.cuts.delete(cut)
    fleet.cuts.add('n|a')
    assert.ok(
      fleet.runUntil(() => isMember(n), 20_000),
      'b lets it in',
    )
    const { self } = n.replica
    for (let count = 0; count < 3; count++) fleet.issue(n, set(`y/${count}`, count))
    fleet.run(1000)
    fleet.heal()
    assert.ok(fleet.runUntil(() => !isMember(n), 60_000))
    assert.equal(viewOf(fleet, n).draftReason, 'an earlier join of it gives it another priority or role')
    fleet.retire(b, [self])
    assert.ok(fleet.runUntil(() => isMember(n), 60_000))
    fleet.run(120_000)
    for (const node of fleet.nodes) {
      assert.deepEqual(stateOf(node.replica), { x: 4, 'y/0': 0, 'y/1': 1, 'y/2': 2 }, node.name)
      assert.equal(viewOf(fleet, node).journalLength, 0, JSON.stringify(viewOf(fleet, node).floorHold))
      assert.equal(viewOf(fleet, node).floorDigest, viewOf(fleet, a).floorDigest)
    }
  })
