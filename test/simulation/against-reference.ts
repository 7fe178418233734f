import assert from 'node:assert/strict'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Inspection } from '../../runtime/sync/inspection.ts'
import { executeAll } from '../sync/reference-model.ts'
import type { SimulatedNode } from './node.ts'

/** Journal, outcomes, state, conflicts and digest of a replica are what the reference makes of the operations it holds. */
export function assertEqualsReference(node: SimulatedNode, view: Inspection, held: readonly Operation[]): void {
  const expected = executeAll(held)
  const above = new Set(held.filter(({ stage }) => stage > view.floor).map(({ id }) => `${id.member}:${id.seq}`))
  const journal = view.journal()
  assert.deepEqual(
    journal.map(({ operation }) => operation),
    expected.order.filter((id) => above.has(id)),
    `I7: order at ${node.name}`,
  )
  for (const { operation, outcome } of journal) {
    assert.equal(outcome, expected.outcomes.get(operation), `I7: outcome of ${operation} at ${node.name}`)
  }
  assert.deepEqual(new Map(node.replica.entries()), expected.state, `I8: state at ${node.name}`)
  assert.equal(view.floorDigest, expected.digestAt(view.floor), `I1: digest at the floor of ${node.name}`)
  const conflicts = node.replica
    .conflicts()
    .map(({ id, path, winner, loser }) => [id, { path, winner, loser }] as const)
  assert.deepEqual(new Map(conflicts), expected.conflicts, `I7: conflicts at ${node.name}`)
}
