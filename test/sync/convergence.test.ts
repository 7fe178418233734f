import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Path } from '../../runtime/state/path.ts'
import { SimulatedFleet } from '../simulation/fleet.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'

function fleetOf(count: number, seed: number): SimulatedFleet {
  const fleet = new SimulatedFleet({ genesis: genesisOf(count), random: seededRandom(seed) })
  fleet.run(2000)
  return fleet
}

test('a change on one gateway is seen on all', () => {
  const fleet = fleetOf(3, 1)
  fleet.issue(fleet.node('b'), set('line1/speed', 40))
  assert.deepEqual(stateOf(fleet.node('b').replica), { 'line1/speed': 40 }, 'it is executed at once')
  fleet.run(100)
  for (const node of fleet.nodes) assert.deepEqual(stateOf(node.replica), { 'line1/speed': 40 }, node.name)
})

test('two sides of a cut that change the same point agree on the higher priority, and show what yielded', () => {
  const fleet = fleetOf(3, 2)
  fleet.network.partition(['a'], ['b', 'c'])
  fleet.issue(fleet.node('a'), set('mode', 'auto'))
  fleet.issue(fleet.node('a'), set('only/a', 1))
  fleet.issue(fleet.node('c'), set('mode', 'manual'))
  fleet.issue(fleet.node('b'), set('only/b', 2))
  fleet.run(5000)
  assert.equal(fleet.node('b').replica.get('mode' as Path), 'manual')
  fleet.heal()
  fleet.run(5000)
  for (const node of fleet.nodes) {
    assert.deepEqual(stateOf(node.replica), { mode: 'auto', 'only/a': 1, 'only/b': 2 }, node.name)
    const [conflict, ...others] = node.replica.conflicts()
    assert.deepEqual(others, [])
    assert.equal(conflict?.loser.value, 'manual')
    assert.equal(conflict?.winner.value, 'auto')
  }
})

test('the floor follows when everybody has been heard, and the journal becomes short again', () => {
  const fleet = fleetOf(3, 3)
  for (let index = 0; index < 50; index++) {
    fleet.issue(fleet.nodes[index % 3]!, set(`p/${index % 7}`, index))
    fleet.run(30)
  }
  fleet.run(60_000)
  for (const node of fleet.nodes) {
    const view = node.replica.inspect(fleet.now)
    assert.equal(view.journalLength, 0, JSON.stringify(view.floorHold))
    fleet.witness.noteFloor(node)
  }
})

test('a gateway without power keeps what it called durable, and says nothing of its own before it has heard another', () => {
  const fleet = fleetOf(2, 4)
  const [a, b] = fleet.nodes as [(typeof fleet.nodes)[0], (typeof fleet.nodes)[0]]
  fleet.network.partition(['a'], ['b'])
  fleet.issue(a, set('kept', 1))
  fleet.run(10)
  fleet.crash(a)
  fleet.restart(a)
  fleet.network.cuts.delete('a|b')
  fleet.run(30_000)
  assert.equal(a.replica.get('kept' as Path), 1)
  assert.equal(b.replica.get('kept' as Path), undefined, 'a has not heard b')
  fleet.heal()
  fleet.run(5000)
  assert.equal(b.replica.get('kept' as Path), 1)
})
