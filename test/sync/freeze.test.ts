import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarmsOf, isMember, startedNetwork, viewOf } from '../support/membership-network.ts'
import { set, stateOf } from '../support/replica-network.ts'

test('a later epoch freezes anew: what a dead member had shown to one who counts stands', () => {
  const fleet = startedNetwork(4)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => fleet.node(name)) as [
    (typeof fleet.nodes)[0],
    (typeof fleet.nodes)[0],
    (typeof fleet.nodes)[0],
    (typeof fleet.nodes)[0],
  ]
  // Only b hears of what d did last.
  fleet.partition(['b', 'd'], ['a', 'c'])
  fleet.issue(d, set('x', 'last words'))
  fleet.run(2000)
  fleet.crash(d)
  // a and b learn that d is retired while c hears nobody.
  fleet.cuts.clear()
  fleet.partition(['c'], ['a', 'b'])
  fleet.partition(['a'], ['b'])
  const epoch = fleet.retire(a, [d.replica.self])
  assert.ok(epoch)
  fleet.run(1000)
  assert.equal(a.replica.get('x' as never), undefined, 'a froze d before it got the last words')
  fleet.cuts.clear()
  fleet.partition(['c'], ['a', 'b'])
  fleet.run(10_000)
  assert.equal(a.replica.get('x' as never), 'last words', 'b counts and had frozen more')
  // b dies before c has heard it; the next epoch is made without b.
  fleet.crash(b)
  assert.ok(fleet.retire(a, [b.replica.self]))
  fleet.run(1000)
  fleet.heal()
  fleet.run(60_000)
  for (const node of [a, c]) {
    assert.equal(node.replica.settled('x' as never), 'last words', node.name)
    assert.equal(viewOf(fleet, node).journalLength, 0, JSON.stringify(viewOf(fleet, node).floorHold))
  }
})

test('two halves that retire a member of each other: both say so, and a further epoch ends it', () => {
  const fleet = startedNetwork(4)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => fleet.node(name)) as [
    (typeof fleet.nodes)[0],
    (typeof fleet.nodes)[0],
    (typeof fleet.nodes)[0],
    (typeof fleet.nodes)[0],
  ]
  const [selfOfA, selfOfC] = [a.replica.self, c.replica.self]
  fleet.partition(['a', 'b'], ['c', 'd'])
  assert.ok(fleet.retire(a, [selfOfC]))
  assert.ok(fleet.retire(d, [selfOfA]))
  for (const node of fleet.nodes) fleet.issue(node, set(`from/${node.name}`, 1))
  fleet.run(5000)
  fleet.heal()
  fleet.run(20_000)
  for (const node of [b, d]) assert.ok(alarmsOf(node).includes('epoch-conflict'), node.name)
  assert.ok(fleet.retire(b, [selfOfA]), 'retires whom either half had retired')
  fleet.run(10_000)
  assert.ok(fleet.runUntil(() => fleet.nodes.every(isMember), 120_000))
  fleet.run(120_000)
  const expected = { 'from/a': 1, 'from/b': 1, 'from/c': 1, 'from/d': 1 }
  for (const node of fleet.nodes) assert.deepEqual(stateOf(node.replica), expected, node.name)
  for (const node of fleet.nodes) assert.equal(viewOf(fleet, node).floorDigest, viewOf(fleet, b).floorDigest)
})
