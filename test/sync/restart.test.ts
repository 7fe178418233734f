import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startedNetwork } from '../support/membership-network.ts'
import { set } from '../support/replica-network.ts'

test('a node that starts again asks at once for what it has missed, and waits for no announcement', () => {
  for (let round = 0; round < 20; round++) {
    const fleet = startedNetwork(2)
    const [a, b] = [fleet.node('a'), fleet.node('b')]
    fleet.run(60_000 + 137 * round)
    fleet.crash(b)
    fleet.issue(a, set('x', 'missed'))
    fleet.run(120_000)
    fleet.restart(b)
    const startedAt = fleet.now
    assert.ok(fleet.runUntil(() => b.replica.get('x' as never) === 'missed', 2000))
    assert.ok(fleet.now - startedAt <= 700, `${fleet.now - startedAt} ms`)
  }
})
