import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANSWER_DELAY_MAX_MS } from '../../runtime/base/limits.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { startedNetwork } from '../support/membership-network.ts'
import { genesisOf, set } from '../support/replica-network.ts'

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

test('a node announces what it holds as soon as its start is on the disk', () => {
  for (let index = 0; index < 8; index++) {
    const node = new DrivenReplica(genesisOf(8), index)
    assert.deepEqual(node.announcementsIn(node.wait(100)), [], 'its start is not on the disk')
    const said = node.announcementsIn([...node.store(), ...node.wait(ANSWER_DELAY_MAX_MS)])
    assert.equal(said[0]?.vector?.length, 0, `node ${index}`)
  }
})
