import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisOf, set } from '../../support/replica-network.ts'
import { type Issuer, IssuingFleet } from '../../sync/reference-fleet.ts'

test('an operation at or below the floor is late: it is not taken, and the log does not change', () => {
  const fleet = new IssuingFleet(genesisOf(2))
  const [a, b] = fleet.issuers as [Issuer, Issuer]
  for (let count = 0; count < 3; count++) a.issue(set('p', count))
  fleet.seal(a)
  a.fold(2)
  b.issue(set('p', 'late'))
  fleet.seal(b)
  const { verdict, integrations } = a.history.receive(fleet.batches[1]!)
  assert.deepEqual([verdict.kind, integrations], ['late', []])
  assert.equal(a.history.log(b.member).held.seq, 0)
})
