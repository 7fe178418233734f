import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
// fast-check: random histories that shrink to the smallest one that fails.
import * as fc from 'fast-check'
import type { NodeId } from '../../runtime/base/ids.ts'
import type { Digest } from '../../runtime/base/digest.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import { belowDevice, deviceOf, type Path } from '../../runtime/state/path.ts'
import { isReserved } from '../../runtime/state/reserved-point.ts'
import { objectionToValue } from '../../runtime/state/rules/judge.ts'
import type { DeviceRules, PointRule } from '../../runtime/state/rules/rules.ts'
import { forgedStateIn } from '../../runtime/sync/forged-state.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { type Batch, firstOf } from '../../runtime/sync/message.ts'
import { rulesRequest } from '../../runtime/sync/standing-rules.ts'
import { genesisOf } from '../support/replica-network.ts'
import { assertEqualsReference, Issuer, IssuingFleet, operationsOf } from './reference-fleet.ts'

// Members here issue whatever they like, as one gone bad does: nothing is judged before it is in a batch.

type Step =
  | { readonly kind: 'issue'; readonly by: number; readonly request: OperationRequest }
  | { readonly kind: 'sync'; readonly from: number; readonly to: number }
  | { readonly kind: 'fold'; readonly by: number; readonly share: number }

const NODES = genesisOf(4).founders.map(({ node }) => node) as [NodeId, NodeId, NodeId, NodeId]
const PATHS = ['d/p', 'd/q', 'd/r', 'e/p', 'd'] as Path[]

const write = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('set' as const), argument: fc.constantFrom(0, 5, 9, true, 'x') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), argument: fc.constant(null) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('toggle' as const), argument: fc.constant(null) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('add' as const), argument: fc.constantFrom(1, 4, -3) }) },
)
const change: fc.Arbitrary<OperationRequest> = fc.record({
  writes: fc.array(
    fc.tuple(fc.constantFrom(...PATHS), write).map(([path, rest]) => ({ path, ...rest })),
    { minLength: 1, maxLength: 2 },
  ),
  guards: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.constant([{ path: 'd/q' as Path, comparison: 'exists' as const, value: true }]) },
  ),
})
const point = fc.record(
  {
    path: fc.constantFrom('p', 'q', 'r', '**'),
    valueType: fc.constantFrom('Int8', 'Bool', 'String', 'Any'),
    access: fc.constantFrom('R', 'RW', 'RW'),
    owner: fc.constantFrom('reported', ...NODES),
  },
  { requiredKeys: ['path', 'valueType', 'access'], noNullPrototype: true },
) as fc.Arbitrary<PointRule>
const ranged = point.chain((one) =>
  one.valueType !== 'Int8' ? fc.constant(one) : fc.nat({ max: 9 }).map((maximum) => ({ ...one, maximum })),
)
const rules: fc.Arbitrary<DeviceRules | null> = fc.option(
  fc.record({
    node: fc.constantFrom(...NODES),
    profile: fc.constant({ name: 'p', digest: '0000000000000000' as Digest }),
    points: fc.uniqueArray(ranged, { selector: ({ path }) => path, maxLength: 4 }),
  }),
  { freq: 5 },
)
const setting = fc.tuple(fc.constantFrom('d', 'd', 'e'), rules).map(([device, set]) => rulesRequest(device, set))
const node = fc.nat({ max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('issue' as const), by: node, request: change }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('issue' as const), by: node, request: setting }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('sync' as const), from: node, to: node }) },
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
const draws = fc.array(fc.nat({ max: 999 }), { minLength: 40, maxLength: 40 })

/** One of four is an observer; with keys, only operators and founders set rules, and all here are founders. */
function genesis(nodes: number): Genesis {
  const { founders, ...rest } = genesisOf(nodes)
  return { ...rest, founders: founders.map((one, index) => (index === 2 ? { ...one, role: 'observer' } : one)) }
}

describe('roles and rules in random histories of members gone bad', () => {
  test('every issuer comes to what the reference says, at every moment', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), steps, (nodes, history) => {
        const fleet = new IssuingFleet(genesis(nodes))
        play(fleet, history)
        for (const issuer of fleet.issuers) fleet.seal(issuer)
        for (let round = 0; round < 2; round++)
          for (const from of fleet.issuers) for (const to of fleet.issuers) fleet.sync(from, to)
        for (const issuer of fleet.issuers) {
          assertEqualsReference(issuer, operationsOf(fleet.batches), `at ${issuer.member}`)
          assertFits(issuer)
        }
      }),
      { seed: 71, numRuns: 500 },
    )
  })

  test('so does an observer of the deliveries, in any order, with and without folding in between', () => {
    fc.assert(
      fc.property(steps, draws, fc.boolean(), (history, order, folds) => {
        const fleet = new IssuingFleet(genesis(4))
        play(fleet, history)
        for (const issuer of fleet.issuers) fleet.seal(issuer)
        deliver(fleet.batches, order, folds)
      }),
      { seed: 72, numRuns: 500 },
    )
  })
})

function play(fleet: IssuingFleet, history: readonly Step[]): void {
  const { issuers } = fleet
  const at = (index: number): Issuer => issuers[index % issuers.length] as Issuer
  for (const [index, done] of history.entries()) {
    if (done.kind === 'issue') {
      fleet.issue(at(done.by), done.request)
      if (index % 3 !== 0) fleet.seal(at(done.by))
    } else if (done.kind === 'sync') {
      fleet.seal(at(done.to))
      fleet.sync(at(done.from), at(done.to))
      assertHeldEqualsReference(fleet.batches, at(done.to), `after step ${index}`)
    } else {
      at(done.by).fold(Math.ceil(done.share * fleet.floorFor(at(done.by))))
      assert.equal(forgedStateIn(at(done.by).history), null, `after step ${index}`)
    }
  }
}

function assertHeldEqualsReference(batches: readonly Batch[], issuer: Issuer, when: string): void {
  const { history } = issuer
  const held = batches.filter((batch) => firstOf(batch).current.id.seq <= history.log(batch.origin).held.seq)
  assertEqualsReference(issuer, operationsOf(held), when)
}

function deliver(batches: readonly Batch[], order: readonly number[], folds: boolean): void {
  const observer = new Issuer(new IssuingFleet(genesis(4)).issuers[0]!.member, genesis(4))
  const { history } = observer
  const left = [...batches]
  for (let turn = 0; left.length > 0; turn++) {
    const draw = order[turn % order.length] ?? 0
    const [batch] = left.splice(draw % left.length, 1)
    history.receive(batch as Batch)
    assertHeldEqualsReference(batches, observer, `after delivery ${turn}`)
    if (!folds || draw % 3 !== 0) continue
    const missing = batches.filter(
      (candidate) => firstOf(candidate).current.id.seq > history.log(candidate.origin).held.seq,
    )
    observer.fold(
      Math.min(history.highWater.stage, ...missing.map((candidate) => firstOf(candidate).current.stage - 1)) -
        (draw % 2),
    )
  }
  assertFits(observer)
}

/** What stands was written before the rules that it breaks: whatever came behind them fits. */
function assertFits({ history }: Issuer): void {
  const { local } = history
  history.fold(history.highWater.stage)
  assert.equal(forgedStateIn(history), null, 'and a newcomer would take its snapshot')
  for (const { path, cell } of local.registers()) {
    if (isReserved(path) || cell.value === undefined) continue
    const governor = local.rulesOf(path)
    const setAt = local.cell(`\u0000rules/${deviceOf(path)}` as Path).writer
    if (governor === null || setAt === null || (cell.writer?.stage ?? 0) <= setAt.stage) continue
    assert.equal(objectionToValue(belowDevice(path), cell.value, governor), null, `${path} fits`)
  }
}
