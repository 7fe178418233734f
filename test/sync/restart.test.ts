import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeOf } from '../../runtime/base/ids.ts'
import { ANSWER_DELAY_MAX_MS } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { History } from '../../runtime/sync/history.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { encodeRecord, type StoredRecord } from '../../runtime/sync/records.ts'
import { recover } from '../../runtime/sync/recovery.ts'
import { idOf } from '../state/operations.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { startedNetwork } from '../support/membership-network.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { chainOf } from './batches.ts'

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

test('floors that were stored between batches settle what lay below them when it is read again', () => {
  const [a, self] = [idOf('A', 1).member, idOf('B', 1).member]
  const genesis: Genesis = {
    name: 'read again',
    founders: [a, self].map((member, index) => ({ node: nodeOf(member), tier: 3 - index })),
  }
  const [first, second] = chainOf('A', 2) as [Batch, Batch]
  const records: StoredRecord[] = [
    { kind: 'batch', batch: first },
    { kind: 'floor', floor: 1 },
    { kind: 'batch', batch: second },
    { kind: 'truncated', member: first.origin, seq: 0 },
  ]
  const read = (count: number): History => {
    const recovered = { snapshot: null, records: records.slice(0, count).map(encodeRecord), last: count }
    return recover(self, genesis, new Uint8Array(), recovered, seededRandom(1)).history
  }
  assert.deepEqual([read(3).floor, [...read(3).floorDigests.last.keys()]], [1, [0, 1]])
  assert.deepEqual([read(3).log(first.origin).held.seq, read(3).journal.length], [2, 1])
  const history = read(4)
  assert.deepEqual([history.log(first.origin).held.seq, history.local.settledCell('x' as Path).value], [1, 1])
})
