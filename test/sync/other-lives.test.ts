import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JOIN_INTERVAL_MAX_MS } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { nodeNamed } from '../support/membership-network.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { EMPTY_IMAGE } from '../simulation/disk.ts'
import { SimulatedFleet } from '../simulation/fleet.ts'
import type { SimulatedNode } from '../simulation/node.ts'
import { markAllStored } from '../../runtime/sync/recovery.ts'
import { type Issuer, IssuingFleet } from './reference-fleet.ts'

// What the simulator found: each of these failed before the rule that it names was there.

test('a clone that spoke and went leaves its original unheard; that one is told, and becomes a draft', () => {
  const fleet = started(3)
  const c = fleet.node('c')
  const clone = fleet.clone(c)
  fleet.run(3000)
  fleet.destroy(clone)
  fleet.run(40_000)
  assert.match(reason(c), /another machine speaks as this node/)
})

test('of two clones that nobody has written with, the one that started less often gives way', () => {
  const fleet = started(3)
  const clone = fleet.clone(fleet.node('c'))
  fleet.run(10_000)
  assert.deepEqual([status(fleet.node('c')), status(clone)], ['draft', 'member'])
})

test('a card of which only its starts were lost is not deaf for ever', () => {
  const fleet = started(2)
  const b = fleet.node('b')
  const { image } = b.disk
  for (let times = 0; times < 3; times++) {
    fleet.crash(b)
    fleet.restart(b)
    fleet.run(5000)
  }
  fleet.replaceDisk(b, image)
  fleet.restart(b)
  fleet.run(40_000)
  assert.match(reason(b), /before it was set back/)
})

test('a draft does not settle past the life that it had: the fleet may hold operations of it that it does not know', () => {
  const fleet = started(3)
  const c = fleet.node('c')
  const { image } = c.disk
  fleet.issue(c, set('x', 1))
  fleet.run(40_000)
  fleet.replaceDisk(c, image)
  fleet.restart(c)
  fleet.run(40_000)
  assert.deepEqual([status(c), c.replica.floor.stage], ['draft', 0])
})

test('a founder with an empty card is not alone where an epoch names others that count', () => {
  const fleet = started(2)
  const n = fleet.add(nodeNamed('n'), 1)
  fleet.run(60_000)
  const a = fleet.node('a')
  fleet.operator.retire(n, [fleet.node('b').member])
  fleet.run(5000)
  fleet.crash(n)
  fleet.network.cuts.add('a|n')
  fleet.replaceDisk(a, EMPTY_IMAGE)
  fleet.restart(a)
  fleet.restart(n)
  fleet.run(2000)
  a.issue(set('x', 'alone'), 0)
  fleet.run(10_000)
  assert.equal(a.replica.settled('x' as never), undefined, JSON.stringify(a.replica.inspect(0).floorHold))
})

test('a member whose only peer was set back to before its join takes that one in again, and waits no longer to hear it', () => {
  const fleet = started(1)
  const a = fleet.node('a')
  const n = fleet.add(nodeNamed('n'), 1)
  fleet.run(1)
  const { image } = n.disk
  fleet.run(60_000)
  // The floor goes onto the disk with an operation.
  fleet.issue(a, set('x', 1))
  fleet.run(60_000)
  assert.equal(status(n), 'member')
  fleet.crash(a)
  fleet.replaceDisk(n, image)
  fleet.restart(n)
  fleet.restart(a)
  fleet.run(JOIN_INTERVAL_MAX_MS)
  assert.equal(status(n), 'draft', 'a request may have been under way for long')
  fleet.run(3 * JOIN_INTERVAL_MAX_MS)
  assert.equal(status(n), 'member')
})

test('what waits for people is kept over a restart from a snapshot, a retirement and a new welcome', () => {
  const fleet = started(2, 1)
  fleet.network.partition(['a', 'b'], ['n'])
  const n = fleet.add(nodeNamed('n'), 0)
  fleet.network.partition(['a', 'b'], ['n'])
  fleet.issue(n, set('x', 'low'))
  fleet.issue(fleet.node('a'), set('x', 'high'))
  fleet.run(1000)
  fleet.heal()
  fleet.run(60_000)
  assert.deepEqual(losers(n), ['low'])
  fleet.crash(n)
  fleet.restart(n)
  fleet.run(5000)
  fleet.operator.retire(fleet.node('a'), [n.member])
  fleet.run(60_000)
  assert.equal(status(n), 'member')
  assert.deepEqual(losers(n), ['low'])
  assert.deepEqual(losers(fleet.node('a')), [], 'it is of that node alone')
})

test('a welcome that reaches the disk only when its node has begun another life is not adopted', () => {
  const fleet = started(2)
  const n = fleet.add(nodeNamed('n'), 0)
  fleet.issue(n, set('y', 'draft'))
  fleet.run(100)
  n.disk.isFull = true
  fleet.run(5000)
  const former = n.member
  fleet.operator.retire(fleet.node('a'), [former])
  fleet.run(5000)
  assert.notEqual(n.member, former)
  n.freeDisk()
  fleet.run(60_000)
  assert.equal(status(n), 'member')
  for (const node of fleet.nodes) assert.equal(node.replica.settled('y' as never), 'draft', node.name)
})

test('a snapshot that falls due while a welcome is on its way to the disk does not take the place of the welcome', () => {
  const fleet = started(1)
  const n = fleet.add(nodeNamed('n'), 0)
  fleet.run(100)
  n.disk.isFull = true
  fleet.run(5000)
  n.receive({ kind: 'snapshot-due' })
  n.freeDisk()
  fleet.run(20_000)
  fleet.issue(n, set('y', 'as a member'))
  fleet.run(20_000)
  fleet.crash(n)
  fleet.restart(n)
  assert.deepEqual([status(n), n.replica.get('y' as never)], ['member', 'as a member'])
})

test('what was issued while a catch-up was on its way to the disk does not count as stored with it', () => {
  const [a, b] = new IssuingFleet(genesisOf(2)).issuers as [Issuer, Issuer]
  b.issue(set('x', 1))
  a.history.receive(b.seal()!)
  for (const value of [1, 2]) {
    a.issue(set('y', value))
    a.seal()
    if (value === 1) markAllStored(a.history)
  }
  const { stored } = a.history.log(a.member)
  markAllStored(a.history, stored)
  assert.deepEqual([stored.seq, a.history.log(a.member).stored.seq, a.history.log(b.member).stored.seq], [1, 1, 1])
  markAllStored(a.history)
  assert.equal(a.history.log(a.member).stored.seq, 2)
})

/** A fleet of founders that have heard each other. The witness asserts all invariants on the way. */
function started(founders: number, snapshotJournalBytes: number | null = null): SimulatedFleet {
  const fleet = new SimulatedFleet({
    genesis: genesisOf(founders),
    random: seededRandom(founders),
    snapshotJournalBytes,
  })
  fleet.run(5000)
  return fleet
}

function status(node: SimulatedNode): string {
  return node.replica.inspect(0).status
}

function reason(node: SimulatedNode): string {
  return node.replica.inspect(0).draftReason ?? ''
}

function losers(node: SimulatedNode): unknown[] {
  return node.replica.conflicts().map(({ loser }) => loser.value)
}
