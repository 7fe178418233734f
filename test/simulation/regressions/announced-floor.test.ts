import { test } from 'node:test'
import { seededRandom } from '../../../runtime/base/random.ts'
import type { OperationRequest } from '../../../runtime/state/operation.ts'
import type { Path } from '../../../runtime/state/path.ts'
import { genesisOf, set } from '../../support/replica-network.ts'
import { SimulatedFleet } from '../fleet.ts'

const P = 'p' as Path
const Q = 'q' as Path
const remove: OperationRequest = { writes: [{ path: P, kind: 'delete', argument: null }], guards: [] }
const setUnlessQ: OperationRequest = {
  writes: [{ path: P, kind: 'set', argument: 'guarded' }],
  guards: [{ path: Q, comparison: 'exists', value: false }],
}

/**
 * A tombstone goes once everybody has announced a floor above it. A node that forgot its floor in a restart issued at a
 * lower one: for itself the deletion stood in the way, for the others it was gone.
 *
 *   a, b   delete p, settled and forgotten       b: set q
 *   c      ....... restart (floor 0 again)       c: set p unless q exists, set p
 */
test('what a restarted node issues meets the same cells everywhere, also where a tombstone is forgotten', () => {
  const fleet = new SimulatedFleet({ genesis: genesisOf(3), random: seededRandom(5) })
  const [a, b, c] = ['a', 'b', 'c'].map((name) => fleet.node(name)) as [Node, Node, Node]
  fleet.run(2000)
  for (const request of [set(P, 1), remove, set('r', 1), set('r', 2), set('r', 3)]) {
    fleet.issue(a, request)
    fleet.run(60_000)
  }
  fleet.network.partition(['a', 'b'], ['c'])
  fleet.crash(c)
  fleet.restart(c)
  fleet.issue(b, set(Q, 1))
  fleet.issue(c, setUnlessQ)
  fleet.issue(c, set(P, 'built on it'))
  fleet.run(1000)
  fleet.heal()
  fleet.run(120_000)
  for (const node of fleet.nodes) {
    fleet.witness.checkAgainstReference(node)
  }
})

test('no floor is announced above the one at which an operation was issued that is still to come', () => {
  const fleet = new SimulatedFleet({ genesis: genesisOf(3), random: seededRandom(6) })
  fleet.run(2000)
  const c = fleet.node('c')
  fleet.network.partition(['a', 'b'], ['c'])
  for (let count = 0; count < 5; count++) fleet.issue(c, set('r', count))
  fleet.issue(fleet.node('a'), remove)
  fleet.run(1000)
  fleet.issue(c, set(P, 'blind'), 30_000)
  fleet.heal()
  fleet.run(120_000)
  for (const node of fleet.nodes) fleet.witness.checkAgainstReference(node)
})

type Node = ReturnType<SimulatedFleet['node']>
