import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
// fast-check: random histories that shrink to the smallest one that fails.
import * as fc from 'fast-check'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { type Batch, firstOf } from '../../runtime/sync/message.ts'
import { genesisOf } from '../support/replica-network.ts'
import { assertEqualsReference, Issuer, IssuingFleet, operationsOf } from './reference-fleet.ts'

/** One step of a history: somebody issues, seals, hands over what it holds, or folds. */
type Step =
  | { readonly kind: 'issue'; readonly by: number; readonly request: OperationRequest }
  | { readonly kind: 'seal'; readonly by: number }
  | { readonly kind: 'sync'; readonly from: number; readonly to: number }
  | { readonly kind: 'fold'; readonly by: number; readonly share: number }

const node = fc.nat({ max: 3 })
const path = fc.constantFrom('p', 'q', 'r') as fc.Arbitrary<Path>
const value = fc.constantFrom(0, 1, 2, true, false, 'x')
const write: fc.Arbitrary<OperationRequest['writes'][number]> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ path, kind: fc.constant('set' as const), argument: value }) },
  { weight: 2, arbitrary: fc.record({ path, kind: fc.constant('delete' as const), argument: fc.constant(null) }) },
  { weight: 2, arbitrary: fc.record({ path, kind: fc.constant('toggle' as const), argument: fc.constant(null) }) },
  { weight: 3, arbitrary: fc.record({ path, kind: fc.constant('add' as const), argument: fc.constantFrom(1, 2, -1) }) },
  { weight: 1, arbitrary: fc.record({ path, kind: fc.constant('append' as const), argument: value }) },
)
const guard: fc.Arbitrary<OperationRequest['guards'][number]> = fc.oneof(
  fc.record({ path, comparison: fc.constantFrom('==', '!=', '<', '<=', '>', '>=' as const), value }),
  fc.record({ path, comparison: fc.constant('exists' as const), value: fc.boolean() }),
)
const request: fc.Arbitrary<OperationRequest> = fc.record({
  writes: fc.array(write, { minLength: 1, maxLength: 3 }),
  guards: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(guard, { maxLength: 2 }) },
  ),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('issue' as const), by: node, request }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('seal' as const), by: node }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('sync' as const), from: node, to: node }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fold' as const),
      by: node,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
)
const steps = fc.array(step, { maxLength: 30, size: 'max' })
/** Draws for the observer: which of the undelivered batches comes next, and whether it comes twice or a fold follows. */
const draws = fc.array(fc.nat({ max: 999 }), { minLength: 40, maxLength: 40 })

describe('the fast implementation equals the reference', () => {
  test('at every issuer, at every moment of a random history', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), steps, (nodes, history) => {
        const fleet = new IssuingFleet(genesisOf(nodes))
        play(fleet, history)
        settle(fleet)
        const operations = operationsOf(fleet.batches)
        for (const issuer of fleet.issuers) assertEqualsReference(issuer, operations, `at ${issuer.member}`)
      }),
      { seed: 7, numRuns: 1500 },
    )
  })

  test('for members that have joined, whether their joins are settled at once, later or never', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), steps, fc.boolean(), (nodes, history, isSettled) => {
        const fleet = IssuingFleet.ofJoined(genesisOf(nodes))
        if (isSettled) settleJoins(fleet)
        play(fleet, history)
        settle(fleet)
        const operations = operationsOf(fleet.batches)
        for (const issuer of fleet.issuers) assertEqualsReference(issuer, operations, `at ${issuer.member}`)
      }),
      { seed: 9, numRuns: 1000 },
    )
  })

  test('at an observer, for any order of delivery, with duplicates, with and without folding in between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), steps, draws, fc.boolean(), (nodes, history, order, folds) => {
        const fleet = new IssuingFleet(genesisOf(nodes))
        play(fleet, history)
        for (const issuer of fleet.issuers) fleet.seal(issuer)
        deliver(fleet.batches, order, folds, genesisOf(nodes))
      }),
      { seed: 8, numRuns: 2500 },
    )
  })
})

/** Every issuer has settled the joins of all. */
function settleJoins({ issuers }: IssuingFleet): void {
  for (const issuer of issuers) issuer.fold(issuers.length - 1)
}

function play(fleet: IssuingFleet, history: readonly Step[]): void {
  const { issuers } = fleet
  const at = (index: number): Issuer => issuers[index % issuers.length] as Issuer
  for (const [index, done] of history.entries()) {
    if (done.kind === 'issue') fleet.issue(at(done.by), done.request)
    else if (done.kind === 'seal') fleet.seal(at(done.by))
    else if (done.kind === 'sync') {
      fleet.sync(at(done.from), at(done.to))
      assertHeldEqualsReference(fleet, at(done.to), `after step ${index}`)
    } else at(done.by).fold(Math.ceil(done.share * fleet.floorFor(at(done.by))))
  }
}

/** Only while nothing of its own is unsealed: what is unsealed is in no batch yet. */
function assertHeldEqualsReference(fleet: IssuingFleet, issuer: Issuer, when: string): void {
  if (issuer.firstUnsealed !== null) return
  const held = fleet.batches.filter(
    (batch) => firstOf(batch).current.id.seq <= issuer.history.log(batch.origin).held.seq,
  )
  assertEqualsReference(issuer, operationsOf(held), when)
}

function settle(fleet: IssuingFleet): void {
  for (const issuer of fleet.issuers) fleet.seal(issuer)
  for (const from of fleet.issuers) for (const to of fleet.issuers) fleet.sync(from, to)
  for (const from of fleet.issuers) for (const to of fleet.issuers) fleet.sync(from, to)
}

/** Delivers every batch once at least; folds only below what is still to come. */
function deliver(
  batches: readonly Batch[],
  order: readonly number[],
  folds: boolean,
  genesis: ReturnType<typeof genesisOf>,
): void {
  const observer = new Issuer(new IssuingFleet(genesis).issuers[0]!.member, genesis)
  const { history } = observer
  const left = [...batches]
  for (let turn = 0; left.length > 0; turn++) {
    const draw = order[turn % order.length] ?? 0
    const index = draw % left.length
    const [batch] = draw % 7 === 0 ? [left[index]] : left.splice(index, 1)
    if (batch !== undefined && left.includes(batch)) left.push(...left.splice(index, 1))
    history.receive(batch as Batch)
    assert.equal(history.local.waitingQueueLength, 0, 'whoever looks finds the waiting queue empty')
    if (turn > 10 * order.length) assert.fail('the draws never deliver everything')
    const held = batches.filter(
      ({ origin, messages }) => (messages[0]?.current.id.seq ?? 0) <= history.log(origin).held.seq,
    )
    assertEqualsReference(observer, operationsOf(held), `after delivery ${turn}`)
    if (!folds || draw % 3 !== 0) continue
    const missing = batches.filter((candidate) => !held.includes(candidate))
    const bound = Math.min(history.highWater.stage, ...missing.map((candidate) => firstOf(candidate).current.stage - 1))
    observer.fold(bound - (draw % 2))
  }
  assert.equal(history.waitingList.length, 0, 'nothing waits in the end')
}
