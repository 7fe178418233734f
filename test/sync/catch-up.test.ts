import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarmsOf, isMember, nodeNamed, startedNetwork, viewOf } from '../support/membership-network.ts'
import { set, stateOf } from '../support/replica-network.ts'

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
})
