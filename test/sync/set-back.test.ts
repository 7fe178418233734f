import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OperationId } from '../../runtime/base/ids.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer, life } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'

const FLEET = genesisOf(2)
const [SELF, OTHER] = [founder(FLEET, 0), founder(FLEET, 1)]
const FORGOTTEN: OperationId = { member: SELF, seq: 3 }

/** A batch of `member` whose operation follows, or replaces, one of ours. */
function batchNaming(member: typeof OTHER, how: 'previous' | 'replaces'): Batch {
  const issuer = new HandIssuer(member, 1)
  const ours = { ...new HandIssuer(SELF, 2).issue({ set: ['x', 1] }), id: FORGOTTEN, stage: 3 }
  issuer.issue(how === 'previous' ? { after: ours, set: ['x', 2] } : { set: ['x', 2, FORGOTTEN] })
  return issuer.batches[0] as Batch
}

for (const how of ['previous', 'replaces'] as const) {
  test(`an operation whose ${how} is one of ours that we do not know proves that we were set back`, () => {
    const node = new DrivenReplica(FLEET, 0)
    node.store()
    const outputs = node.giveMessage({ kind: 'batch', batch: batchNaming(OTHER, how) })
    assert.equal(node.inspect().status, 'draft')
    assert.match(node.inspect().draftReason ?? '', /operation 3 of this node/)
    assert.ok(outputs.some((output) => output.kind === 'alarm' && output.alarm.name === 'regressed'))
  })
}

test('what a node that is no member says of us proves nothing', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  for (const how of ['previous', 'replaces'] as const)
    node.giveMessage({ kind: 'batch', batch: batchNaming(life('n', 7), how) })
  assert.equal(node.inspect().status, 'member')
})

test('an operation that names what we have issued proves nothing', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  for (let count = 0; count < 3; count++) {
    node.issue({ writes: [{ path: 'x' as never, kind: 'set', argument: count }], guards: [] })
    node.store()
  }
  node.giveMessage({ kind: 'batch', batch: batchNaming(OTHER, 'previous') })
  assert.equal(node.inspect().status, 'member')
  assert.equal(node.replica.get('x' as never), 2, 'ours has the higher priority, and the other has not seen it')
})
