import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { CAME_BACK_RANGES_MAX } from '../../runtime/base/limits.ts'
import { hasComeBack, withComeBack } from '../../runtime/state/came-back.ts'
import type { Value } from '../../runtime/state/value.ts'
import { Retirement } from '../../runtime/sync/cut.ts'
import { versionVector } from '../../runtime/sync/version-vector.ts'
import { life } from '../support/handmade.ts'
import {
  alarmsOf,
  isMember,
  type MembershipNetwork,
  nodeNamed,
  startedNetwork,
  viewOf,
} from '../support/membership-network.ts'
import { set, stateOf } from '../support/replica-network.ts'

// Rules that random schedules alone were seen not to notice when they are switched off.

test('a member that does not count announces the epoch only once it knows the cuts', () => {
  const [counting, other, retired] = [life('a'), life('b'), life('c')]
  const retirement = new Retirement()
  const epoch = { number: 1, counting: [counting], retired: [retired], signature: new Uint8Array() }
  retirement.begin({ epoch, before: 0, frozen: new Map(), cuts: null })
  assert.deepEqual([retirement.announced(counting), retirement.announced(other)], [0, 0], 'not on the disk yet')
  assert.equal(retirement.announcedEntries(counting), null, 'nor what was frozen')
  retirement.noteStored()
  assert.deepEqual([retirement.announced(counting), retirement.announced(other)], [1, 0])
  assert.deepEqual(retirement.announcedEntries(counting), [])
  assert.equal(retirement.announcedEntries(other), null)
  const frozen = [{ member: retired, seq: 3, digest: EMPTY_DIGEST }]
  assert.equal(retirement.noteStated(counting, 1, frozen), true)
  assert.deepEqual(retirement.computeCuts(other), versionVector(frozen))
  retirement.noteCuts(versionVector(frozen))
  assert.equal(retirement.announced(other), 1)
})

test('while the cuts are unknown, of the retired nothing is taken beyond what a counting member has frozen', () => {
  const [a, b, retired] = [life('a'), life('b'), life('c')]
  const retirement = new Retirement()
  const own = versionVector([{ member: retired, seq: 2, digest: EMPTY_DIGEST }])
  const epoch = { number: 1, counting: [a, b], retired: [retired], signature: new Uint8Array() }
  retirement.restore({ epoch, before: 0, frozen: own, cuts: null })
  assert.equal(retirement.bound(retired), 2)
  retirement.noteStated(life('d'), 1, [{ member: retired, seq: 9, digest: EMPTY_DIGEST }])
  assert.equal(retirement.bound(retired), 2, 'd does not count')
  retirement.noteStated(b, 1, [{ member: retired, seq: 5, digest: EMPTY_DIGEST }])
  assert.equal(retirement.bound(retired), 5)
  assert.equal(retirement.bound(a), null)
})

test('a tombstone stays until every participant has announced a floor above it, and goes then', () => {
  const fleet = startedNetwork(2)
  const n = fleet.add(nodeNamed('n'), 0)
  assert.ok(fleet.runUntil(() => isMember(n), 20_000))
  fleet.issue(fleet.node('a'), set('x', 1))
  fleet.run(40_000)
  fleet.partition(['n'], ['a', 'b'])
  fleet.issue(fleet.node('a'), { writes: [{ path: 'x' as never, kind: 'delete', argument: null }], guards: [] })
  fleet.issue(n, set('x', 'blind, and of lower priority'))
  fleet.run(20_000)
  assert.equal(paths(fleet, 'a'), 2, 'the tombstone and the point of the member')
  fleet.heal()
  fleet.run(120_000)
  for (const node of fleet.nodes) assert.deepEqual(stateOf(node.replica), {}, `${node.name}: the deletion stands`)
  fleet.issue(fleet.node('b'), set('y', 1))
  fleet.run(120_000)
  for (const node of fleet.nodes)
    assert.equal(viewOf(fleet, node).paths, 2, `${node.name}: y and the point of the member`)
})

test('a retired member holds neither the floor nor a tombstone', () => {
  const fleet = startedNetwork(3)
  fleet.issue(fleet.node('a'), set('x', 1))
  fleet.run(40_000)
  fleet.crash(fleet.node('c'))
  fleet.issue(fleet.node('a'), { writes: [{ path: 'x' as never, kind: 'delete', argument: null }], guards: [] })
  fleet.run(40_000)
  assert.equal(paths(fleet, 'a'), 1)
  assert.ok(fleet.retire(fleet.node('a'), [fleet.node('c').replica.self]))
  fleet.run(80_000)
  fleet.issue(fleet.node('b'), set('y', 1))
  fleet.run(120_000)
  assert.equal(paths(fleet, 'a'), 1, 'only y')
})

test('a clone that runs at the same time is seen; one of its lives stands, the same one everywhere', () => {
  const fleet = startedNetwork(3)
  const c = fleet.node('c')
  fleet.issue(c, set('x', 'before'))
  fleet.run(40_000)
  const clone = fleet.clone(c)
  fleet.partition(['a', 'c'], ['b', clone.name])
  fleet.run(3000)
  fleet.issue(c, set('x', 'first'))
  fleet.issue(clone, set('x', 'second'))
  fleet.run(3000)
  fleet.heal()
  fleet.run(60_000)
  const [a, b] = [fleet.node('a'), fleet.node('b')]
  assert.deepEqual(stateOf(a.replica), stateOf(b.replica))
  assert.ok([a, b].some((node) => alarmsOf(node).includes('identity-used-twice')))
  assert.ok(
    [c, clone].some((node) => viewOf(fleet, node).status === 'draft'),
    'whoever does not stand becomes a draft',
  )
})

function paths(fleet: MembershipNetwork, name: string): number {
  return viewOf(fleet, fleet.node(name)).paths
}

test('originals come back in any order, each once, in a value of bounded size', () => {
  let value: Value | undefined
  for (const seq of [3, 1, 7, 2]) value = withComeBack(value, seq)
  assert.deepEqual(value, [1, 3, 7, 7])
  assert.deepEqual(
    [1, 2, 3, 4, 6, 7, 8].map((seq) => hasComeBack(value, seq)),
    [true, true, true, false, false, true, false],
  )
  for (let seq = 10; seq < 5000; seq += 2) value = withComeBack(value, seq)
  assert.equal((value as readonly Value[]).length, 2 * CAME_BACK_RANGES_MAX)
  assert.equal(hasComeBack(value, 4998), true)
  assert.equal(hasComeBack(value, 4997), false)
})
