import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
// fast-check: values of all kinds, which shrink to the smallest one that fails.
import * as fc from 'fast-check'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { isValue, type Value } from '../../runtime/state/value.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { genesisOf, stateOf } from '../support/replica-network.ts'
import { cborData } from '../base/cbor-data.ts'

const GENESIS = genesisOf(2)

const path = fc.constantFrom('p', 'q/r', 'é', '\uFEFF'.repeat(40)) as fc.Arbitrary<Path>
const zero = fc.constantFrom<Value>(
  -0,
  2 ** 53,
  -(2 ** 53),
  2n ** 53n,
  5n,
  -5n,
  1e308,
  0.5,
  5e-324,
  2 ** 63,
  2n ** 64n - 1n,
)
const turned = fc.constantFrom<Value>({ a: 1, b: 2 }, { b: 2, a: 1 }, [{ a: 1, b: 2 }], [{ b: 2, a: 1 }])
const value = fc.oneof(zero, turned, cborData as fc.Arbitrary<Value>).filter(isValue)
const amount = fc.oneof(
  zero.filter((one) => typeof one === 'number' || typeof one === 'bigint'),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
)
const write = fc.oneof(
  fc.record({ path, kind: fc.constant('set' as const), argument: value }),
  fc.record({ path, kind: fc.constant('add' as const), argument: amount }),
  fc.record({ path, kind: fc.constant('append' as const), argument: value }),
  fc.record({ path, kind: fc.constantFrom('delete', 'toggle' as const), argument: fc.constant(null) }),
)
const guard = fc.record({ path, comparison: fc.constantFrom('==', '!=', '<', '<=', '>', '>=' as const), value })
const request: fc.Arbitrary<OperationRequest> = fc.record({
  writes: fc.array(write, { minLength: 1, maxLength: 3 }),
  guards: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(guard, { maxLength: 1 }) },
  ),
})

describe('the state is the same to the last byte', () => {
  test('at the issuer, at a receiver, behind a restart and behind a snapshot of the disk', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1), request), { minLength: 1, maxLength: 12 }), (steps) => {
        const nodes = [0, 1].map((which) => new DrivenReplica(GENESIS, which))
        exchange(nodes)
        // Each issues before it hears of what the other issues.
        for (const [by, one] of steps) attempt(() => nodes[by]?.issue(one))
        exchange(nodes)
        const forms = nodes.map(formOf)
        assert.equal(forms[0], forms[1])
        for (const [which, node] of nodes.entries()) {
          const restarted = new DrivenReplica(
            GENESIS,
            which,
            { snapshot: node.snapshot, records: node.records, last: node.lastStored },
            1,
          )
          assert.equal(formOf(restarted), forms[0])
          restarted.wait(60_000)
          restarted.store()
          restarted.wait(60_000)
          if (restarted.snapshot === null) continue
          const again = new DrivenReplica(GENESIS, which, {
            snapshot: restarted.snapshot,
            records: restarted.records,
            last: restarted.lastStored,
          })
          assert.equal(formOf(again), forms[0])
          snapshots += 1
        }
      }),
      { seed: 11, numRuns: 150 },
    )
    assert.ok(snapshots > 10, `${snapshots} snapshots`)
  })
})

let snapshots = 0

/** Each hears all that the other says, for a while. */
function exchange(nodes: readonly DrivenReplica[]): void {
  for (let turn = 0; turn < 8; turn++) {
    const said = nodes.map((node) => [...node.store(), ...node.wait(2000)])
    for (const [which, node] of nodes.entries()) {
      for (const message of node.messagesIn(said[1 - which] ?? [])) node.giveMessage(message)
    }
  }
}

/** What is refused to its issuer is no operation. */
function attempt(issue: () => unknown): void {
  try {
    issue()
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error, String(error))
  }
}

/** All that it shows, in which a negative zero, a bigint and the order of keys can be told. */
function formOf({ replica }: DrivenReplica): string {
  const conflicts = replica.conflicts().toSorted((left, right) => (left.id < right.id ? -1 : 1))
  return inspect([stateOf(replica), conflicts], { depth: null, maxArrayLength: null, maxStringLength: null })
}
