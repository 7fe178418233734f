import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { nodeOf } from '../../runtime/base/ids.ts'
import { describeIntegration } from '../../runtime/sync/describe-integration.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { guard, idOf, set } from '../state/operations.ts'
import { batchOf } from './batches.ts'

test('of several batches that one made ready, each tells what it changed and not what became of it since', () => {
  const founders = (['A', 'B', 'C'] as const).map((name, index) => ({
    node: nodeOf(idOf(name, 1).member),
    tier: 3 - index,
  }))
  const history = new History(new Membership({ name: 'told', founders }), 0, EMPTY_DIGEST)
  const before = batchOf({ by: 'C', count: 2, writes: [set('z', 0)] })
  const behind = { by: 'C', seq: 3, stage: 3, previous: idOf('C', 2), link: before.digest } as const
  history.receive(before)
  history.receive(batchOf({ ...behind, writes: [set('y', 'on')], guards: [guard('x', '==', 1)] }))
  const first = batchOf({ by: 'A', writes: [set('x', 1)] })
  const parts = { by: 'A', seq: 2, stage: 2, previous: idOf('A', 1), link: first.digest } as const
  history.receive(batchOf({ ...parts, writes: [set('x', 2)] }))
  const { integrations } = history.receive(first)
  assert.equal(integrations.length, 2)
  const told: Output[] = []
  for (const integration of integrations) describeIntegration(integration, told)
  assert.deepEqual(
    told.flatMap((output) => (output.kind === 'change' ? [output.change] : [])),
    [
      { path: 'x', before: undefined, after: 1, settled: false },
      { path: 'y', before: undefined, after: 'on', settled: false },
      { path: 'x', before: 1, after: 2, settled: false },
      { path: 'y', before: 'on', after: undefined, settled: false },
    ],
  )
  assert.deepEqual(
    told.flatMap((output) => {
      return output.kind === 'outcome' && output.operation.member === idOf('C', 1).member
        ? [`${output.before} -> ${output.outcome}`]
        : []
    }),
    ['refused -> applied', 'applied -> refused'],
  )
})
