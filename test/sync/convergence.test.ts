import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisOf, ReplicaNetwork, set, stateOf } from '../support/replica-network.ts'

test('a change on one gateway is seen on all', () => {
  const fleet = new ReplicaNetwork(genesisOf(3), 1)
  fleet.run(2000)
  fleet.issue(fleet.node('b'), set('line1/speed', 40))
  assert.deepEqual(stateOf(fleet.node('b').replica), { 'line1/speed': 40 }, 'it is executed at once')
  fleet.run(100)
  for (const node of fleet.nodes) assert.deepEqual(stateOf(node.replica), { 'line1/speed': 40 }, node.name)
})

test('two sides of a cut that change the same point agree on the higher priority, and show what yielded', () => {
  const fleet = new ReplicaNetwork(genesisOf(3), 2)
  fleet.run(2000)
  fleet.partition(['a'], ['b', 'c'])
  fleet.issue(fleet.node('a'), set('mode', 'auto'))
  fleet.issue(fleet.node('a'), set('only/a', 1))
  fleet.issue(fleet.node('c'), set('mode', 'manual'))
  fleet.issue(fleet.node('b'), set('only/b', 2))
  fleet.run(5000)
  assert.equal(fleet.node('b').replica.get('mode' as never), 'manual')
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
  const fleet = new ReplicaNetwork(genesisOf(3), 3)
  fleet.run(2000)
  for (let index = 0; index < 50; index++) {
    fleet.issue(fleet.nodes[index % 3]!, set(`p/${index % 7}`, index))
    fleet.run(30)
  }
  fleet.run(60_000)
  const views = fleet.nodes.map((node) => node.replica.inspect(fleet.now))
  for (const view of views) {
    assert.equal(view.journalLength, 0, JSON.stringify(view.floorHold))
    assert.equal(view.floorDigest, views[0]!.floorDigest)
  }
})

for (let seed = 1; seed <= 40; seed++) {
  test(`whatever is lost, doubled, late or crashed, all replicas converge (seed ${seed})`, () => {
    const fleet = new ReplicaNetwork(genesisOf(2 + (seed % 4)), seed, { drop: 0.2, duplicate: 0.1, delayMs: 300 })
    const random = fleet.random
    const durable: string[] = []
    let sum = 0
    for (let round = 0; round < 60; round++) {
      const node = fleet.nodes[random.uint32() % fleet.nodes.length]!
      const choice = random.uint32() % 12
      if (choice < 7 && node.isUp) {
        const path = `p/${random.uint32() % 4}`
        fleet.issue(
          node,
          random.uint32() % 2 === 0
            ? set(path, round)
            : { writes: [{ path: 'sum' as never, kind: 'add', argument: 1 }], guards: [] },
        )
      } else if (choice === 7)
        fleet.partition(
          [node.name],
          fleet.nodes.filter((other) => other !== node).map((other) => other.name),
        )
      else if (choice === 8) fleet.heal()
      else if (choice === 9 && node.isUp) fleet.crash(node)
      else if (choice === 10 && !node.isUp) fleet.restart(node)
      fleet.run(random.uint32() % 400)
    }
    for (const node of fleet.nodes) if (!node.isUp) fleet.restart(node)
    fleet.faults = { drop: 0, duplicate: 0, delayMs: 10 }
    fleet.heal()
    fleet.run(120_000)
    const first = fleet.nodes[0]!
    for (const node of fleet.nodes) {
      assert.deepEqual(stateOf(node.replica), stateOf(first.replica), node.name)
      const view = node.replica.inspect(fleet.now)
      assert.equal(view.floorDigest, first.replica.inspect(fleet.now).floorDigest)
      assert.deepEqual(view.waitingList, [])
      assert.equal(view.status, 'member', view.draftReason ?? '')
      assert.equal(view.journalLength, 0, JSON.stringify(view.floorHold))
      durable.push(...node.outputs.filter((output) => output.kind === 'alarm').map((output) => JSON.stringify(output)))
    }
    assert.deepEqual(durable, [])
    void sum
  })
}
