import { test } from 'node:test'
import type { OperationRequest } from '../../../runtime/state/operation.ts'
import type { Path } from '../../../runtime/state/path.ts'
import { genesisOf, set } from '../../support/replica-network.ts'
import { assertEqualsReference, type Issuer, IssuingFleet, operationsOf } from '../../sync/reference-fleet.ts'

const P = 'p' as Path

/**
 * The second operation of `a` meets another value than before, because the first of `b` takes a place before it, and the
 * second of `b` is new behind it and refused: what stands behind that one must execute again all the same.
 */
test('a change goes on behind a new entry that changes nothing itself', () => {
  const { fleet, a, b, c } = threeIssuers()
  a.issue(write('toggle', null))
  a.issue({ writes: [...write('add', 1).writes, ...set(P, 0).writes], guards: [] })
  b.issue(write('append', 0))
  b.issue(write('toggle', null))
  deliver(fleet, c, [a, b])
  deliver(fleet, b, [a])
})

test('a conflict moves from one winner to another when a late operation takes the place of the first', () => {
  const { fleet, a, b, c } = threeIssuers()
  c.issue(set(P, 'lowest'))
  for (const request of [set('q', 1), set('q', 2), set(P, 'highest')]) a.issue(request)
  for (const request of [set('r', 1), set(P, 'late')]) b.issue(request)
  deliver(fleet, c, [a])
  deliver(fleet, c, [b])
})

test('a conflict shows the value that yields also when a late `add` changes it', () => {
  const { fleet, a, b, c } = threeIssuers()
  c.issue(set(P, 5))
  for (const request of [set('q', 1), set('q', 2), set(P, 'highest')]) a.issue(request)
  for (const request of [set('r', 1), write('add', 1)]) b.issue(request)
  deliver(fleet, c, [a])
  deliver(fleet, c, [b])
})

function threeIssuers(): { fleet: IssuingFleet; a: Issuer; b: Issuer; c: Issuer } {
  const fleet = new IssuingFleet(genesisOf(3))
  const [a, b, c] = fleet.issuers as [Issuer, Issuer, Issuer]
  return { fleet, a, b, c }
}

/** All that `from` have issued comes to `to`, which must then be as the reference says. */
function deliver(fleet: IssuingFleet, to: Issuer, from: readonly Issuer[]): void {
  for (const issuer of [to, ...from]) fleet.seal(issuer)
  for (const issuer of from) fleet.sync(issuer, to)
  const held = fleet.batches.filter(({ origin }) => to.history.log(origin).held.seq > 0)
  assertEqualsReference(to, operationsOf(held), `at ${to.member}`)
}

function write(kind: 'toggle' | 'add' | 'append', argument: null | number): OperationRequest {
  return { writes: [{ path: P, kind, argument }], guards: [] }
}
