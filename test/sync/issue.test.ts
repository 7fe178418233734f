import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GUARDS_PER_OPERATION_MAX, WRITES_PER_OPERATION_MAX } from '../../runtime/base/limits.ts'
import type { Comparison, OperationRequest, WriteKind } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import { checkOperation } from '../../runtime/sync/issue.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'
import { operation, written } from '../state/operations.ts'

const EMPTY = written(undefined, null)

describe('a local operation', () => {
  test('notes for set, delete and toggle whom it replaces, and for add and append nobody', () => {
    const writer = operation({ by: 'A' })
    for (const [kind, argument] of [
      ['set', 1],
      ['delete', null],
      ['toggle', null],
      ['add', 1],
      ['append', 1],
    ] as const) {
      const { writes } = checkOperation(requestOf([[kind, argument]]), () => written(true, writer))
      assert.deepEqual(writes[0]?.replaces, kind === 'add' || kind === 'append' ? null : writer.id, kind)
    }
  })

  test('is the same here and at everybody else, whatever form its values were given in', () => {
    const [a, b] = [new DrivenReplica(genesisOf(2), 0), new DrivenReplica(genesisOf(2), 1)]
    for (const one of [a, b]) one.store()
    for (const announcement of b.announcementsIn(b.wait(2000))) a.giveMessage({ kind: 'announcement', announcement })
    const list: Value[] = [1]
    a.issue(set('list', list), 100)
    list.push('changed after it was issued')
    a.issue(set('small', 1n), 100)
    a.issue(set('zero', -0), 100)
    a.issue(
      {
        writes: [{ path: 'ok' as Path, kind: 'set', argument: 1 }],
        guards: [{ path: 'small' as Path, comparison: '==', value: 1 }],
      },
      100,
    )
    a.wait(200)
    for (const batch of a.batchesIn(a.store())) b.giveMessage({ kind: 'batch', batch })
    assert.deepEqual(stateOf(a.replica), { list: [1], ok: 1, small: 1, zero: 0 })
    assert.deepEqual(stateOf(b.replica), stateOf(a.replica))
    assert.deepEqual(
      b
        .inspect()
        .journal()
        .map((line) => line.outcome),
      a
        .inspect()
        .journal()
        .map((line) => line.outcome),
    )
  })

  test('is refused whole, with one clear line, before anything has changed', () => {
    const refused: [OperationRequest, RegExp][] = [
      [{ writes: [], guards: [] }, /no write/],
      [requestOf(Array.from({ length: WRITES_PER_OPERATION_MAX + 1 }, () => ['set', 1])), /more than 64 writes/],
      [guarded(Array.from({ length: GUARDS_PER_OPERATION_MAX + 1 }, () => ['==', 1])), /more than 64 guards/],
      [requestOf([['add', 'text']]), /x: add takes a number/],
      [requestOf([['toggle', 1]]), /x: toggle takes no argument/],
      [requestOf([['set', Number.NaN]]), /x: a number is finite/],
      [requestOf([['set', 'x'.repeat(20_000)]]), /x: a value has at most/],
      [requestOf(Array.from({ length: 4 }, () => ['set', 'x'.repeat(15_000)])), /at most 49152/],
      [requestOf([['set', 1]], 'a//b'), /a\/\/b: a path has no empty segment/],
      [guarded([['exists', 1]]), /exists takes true or false/],
      [guarded([['~' as Comparison, 1]]), /~ is no comparison/],
    ]
    const fleet = new DrivenReplica(genesisOf(1), 0)
    for (const [request, message] of refused) {
      assert.throws(() => fleet.issue(request), { code: 'operation-invalid', message })
      assert.throws(() => checkOperation(request, () => EMPTY), { code: 'operation-invalid' })
    }
    assert.deepEqual([fleet.inspect().journalLength, fleet.inspect().outboxLength, fleet.inspect().paths], [0, 0, 0])
  })
})

function requestOf(writes: readonly (readonly [WriteKind, Value])[], path: string = 'x'): OperationRequest {
  return { writes: writes.map(([kind, argument]) => ({ path: path as Path, kind, argument })), guards: [] }
}

function guarded(guards: readonly (readonly [Comparison, Value])[]): OperationRequest {
  const { writes } = requestOf([['set', 1]])
  return { writes, guards: guards.map(([comparison, value]) => ({ path: 'g' as Path, comparison, value })) }
}
