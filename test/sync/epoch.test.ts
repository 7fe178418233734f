import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarmsOf, MembershipNetwork, type NetworkNode } from '../support/membership-network.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'

test('a dead node that is retired holds the floor no more', () => {
  const fleet = started(3)
  fleet.crash(fleet.node('c'))
  fleet.issue(fleet.node('a'), set('x', 1))
  fleet.run(40_000)
  assert.equal(view(fleet, 'a').floorHold?.member, fleet.node('c').replica.self)
  retire(fleet, 'a', 'c')
  fleet.run(40_000)
  for (const name of ['a', 'b']) {
    assert.equal(view(fleet, name).journalLength, 0, JSON.stringify(view(fleet, name).floorHold))
    assert.equal(fleet.node(name).replica.settled('x' as never), 1)
  }
})

test('what some counting member holds of the retired stands, and everybody gets it', () => {
  const fleet = started(4)
  fleet.partition(['c', 'd'], ['a', 'b'])
  fleet.issue(fleet.node('d'), set('from/d', 1))
  fleet.run(2000)
  fleet.crash(fleet.node('d'))
  retire(fleet, 'a', 'd')
  fleet.run(2000)
  assert.equal(view(fleet, 'a').floorHold?.reason, 'it has not said what it holds of the retired')
  fleet.heal()
  fleet.run(60_000)
  for (const name of ['a', 'b', 'c']) {
    assert.equal(fleet.node(name).replica.settled('from/d' as never), 1, name)
    assert.equal(view(fleet, name).journalLength, 0, name)
  }
})

test('what nobody who counts holds of the retired leaves the journal, with its effects', () => {
  const fleet = started(4)
  // d sends to c, and c does not count: it is retired too.
  fleet.partition(['c', 'd'], ['a', 'b'])
  fleet.issue(fleet.node('b'), set('x', 'b'))
  fleet.issue(fleet.node('d'), set('y', 'd'))
  fleet.run(2000)
  const { self } = fleet.node('d').replica
  const epoch = fleet.retire(fleet.node('a'), [self])
  assert.ok(epoch)
  fleet.run(2000)
  retire(fleet, 'a', 'c')
  fleet.run(2000)
  fleet.crash(fleet.node('c'))
  fleet.crash(fleet.node('d'))
  fleet.heal()
  fleet.run(60_000)
  for (const name of ['a', 'b']) {
    assert.deepEqual(stateOf(fleet.node(name).replica), { x: 'b' })
    assert.equal(view(fleet, name).journalLength, 0)
  }
})

test('frozen entries are on the disk before they are announced', () => {
  const fleet = started(2)
  const a = fleet.node('a')
  const epoch = fleet.retire(a, [fleet.node('b').replica.self])
  assert.ok(epoch)
  assert.equal(view(fleet, 'a').epoch.announced, 0, 'the record is not synced yet')
  fleet.sync(a)
  assert.equal(view(fleet, 'a').epoch.announced, 1)
})

test('an epoch and its cuts survive a restart', () => {
  const fleet = started(3)
  fleet.crash(fleet.node('c'))
  retire(fleet, 'a', 'c')
  fleet.run(5000)
  const before = view(fleet, 'b').epoch
  fleet.crash(fleet.node('b'))
  fleet.restart(fleet.node('b'))
  assert.deepEqual(view(fleet, 'b').epoch, before)
  assert.equal(before.knowsCuts, true)
})

test('two epochs of one number: the second is refused, with an alarm', () => {
  const fleet = started(4)
  fleet.partition(['a'], ['b'], ['c', 'd'])
  retire(fleet, 'a', 'c')
  retire(fleet, 'b', 'd')
  fleet.run(1000)
  fleet.cuts.clear()
  fleet.partition(['c', 'd'], ['a', 'b'])
  fleet.run(40_000)
  for (const name of ['a', 'b']) {
    assert.ok(alarmsOf(fleet.node(name)).includes('epoch-conflict'), name)
  }
})

test('an epoch that the operator has not signed changes nothing', () => {
  const fleet = started(2)
  const a = fleet.node('a')
  const proposed = a.replica.proposeEpoch([fleet.node('b').replica.self])
  fleet.receive(a, { kind: 'epoch', epoch: { ...proposed, signature: new Uint8Array(8) } })
  assert.equal(view(fleet, 'a').epoch.number, 0)
  assert.equal(view(fleet, 'a').dropped['epoch: it is not signed by the operator'], 1)
})

test('a live node that is retired becomes a draft and says why', () => {
  const fleet = started(3)
  retire(fleet, 'a', 'c')
  fleet.run(5000)
  const [standing] = fleet.node('c').outputs.filter((output) => output.kind === 'standing')
  assert.match(standing?.draftReason ?? '', /retired by epoch 1/)
})

function started(count: number): MembershipNetwork {
  const fleet = new MembershipNetwork(genesisOf(count), count)
  fleet.run(3000)
  return fleet
}

function retire(fleet: MembershipNetwork, at: string, name: string): void {
  assert.ok(fleet.retire(fleet.node(at), [fleet.node(name).replica.self]))
}

function view(fleet: MembershipNetwork, name: string): ReturnType<NetworkNode['replica']['inspect']> {
  return fleet.node(name).replica.inspect(fleet.now)
}
