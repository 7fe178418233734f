import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeCbor } from '../../runtime/base/cbor.ts'
import { type Digest, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, nodeOf } from '../../runtime/base/ids.ts'
import type { OperationRequest, Positioned, Write } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { memberPoint, rulesPoint } from '../../runtime/state/reserved-point.ts'
import { encodeRules } from '../../runtime/state/rules/rules-codec.ts'
import type { DeviceRules, PointRule } from '../../runtime/state/rules/rules.ts'
import type { Value } from '../../runtime/state/value.ts'
import { Drafts, type Draft } from '../../runtime/sync/draft.ts'
import { forgedStateIn } from '../../runtime/sync/forged-state.ts'
import { History } from '../../runtime/sync/history.ts'
import { LocalState } from '../../runtime/sync/local-state.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { type Genesis, Membership } from '../../runtime/sync/membership.ts'
import { decodeSnapshot, encodeSnapshot } from '../../runtime/sync/snapshot.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { rulesRequest } from '../../runtime/sync/standing-rules.ts'
import { operation } from '../state/operations.ts'
import { point } from '../state/rules.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { HandIssuer, life } from '../support/handmade.ts'
import { isMember, MembershipNetwork, type NetworkNode, nodeNamed, viewOf } from '../support/membership-network.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'
import { type Issuer, IssuingFleet } from './reference-fleet.ts'

/** The rules of a device that node a has. */
function pump(...points: readonly PointRule[]): DeviceRules {
  return { node: nodeNamed('a'), profile: { name: 'pump', digest: '0123456789abcdef' as Digest }, points }
}

const SPEED = pump(point('speed', 'Uint8', { maximum: 100 }), point('level', 'Int8', { access: 'R' }))

function fleetOf(founders: number, observer: string | null = null): MembershipNetwork {
  const { founders: plain, ...rest } = genesisOf(founders)
  const genesis: Genesis = {
    ...rest,
    founders: plain.map((one) =>
      observer !== null && one.node === nodeNamed(observer) ? { ...one, role: 'observer' } : one,
    ),
  }
  const fleet = new MembershipNetwork(genesis, founders)
  fleet.run(3000)
  return fleet
}

function assertRefused(fleet: MembershipNetwork, node: NetworkNode, request: OperationRequest, code: string): void {
  const before = viewOf(fleet, node).last.stage
  assert.throws(() => fleet.issue(node, request), { name: 'FleetstepError', code })
  assert.equal(viewOf(fleet, node).last.stage, before, 'nothing was issued')
}

/** The outcome of every operation at a node, with its reason: the newest that it has told. */
function outcomesAt(node: NetworkNode): Record<string, string> {
  const told = node.outputs.flatMap((output) =>
    output.kind === 'outcome'
      ? [[`${output.operation.member.slice(0, 2)}:${output.operation.seq}`, output] as const]
      : [],
  )
  return Object.fromEntries(
    told.map(([id, { outcome, reason }]) => [id, reason === null ? outcome : `${outcome}: ${reason}`]),
  )
}

describe('the rules of a device', () => {
  test('are judged by before anything is issued, with one clear error', () => {
    const fleet = fleetOf(2)
    const [a, b] = fleet.nodes as [NetworkNode, NetworkNode]
    fleet.issue(a, rulesRequest('pump', SPEED))
    fleet.run(1000)
    assertRefused(fleet, b, set('pump/speed', 101), 'operation-invalid')
    assertRefused(fleet, b, set('pump/speed', 'fast'), 'operation-invalid')
    assertRefused(fleet, b, set('pump/level', 5), 'operation-refused')
    assertRefused(fleet, b, set('pump/other', 5), 'path-unknown')
    fleet.issue(b, set('pump/speed', 100))
    fleet.issue(a, set('pump/level', 5))
    fleet.issue(b, set('other/speed', 101))
    fleet.run(1000)
    for (const { replica } of fleet.nodes)
      assert.deepEqual(stateOf(replica), { 'other/speed': 101, 'pump/level': 5, 'pump/speed': 100 })
  })

  test('are judged by at every receiver: what a member gone bad sends is void, and says why', () => {
    const fleet = fleetOf(2)
    const [a, b] = fleet.nodes as [NetworkNode, NetworkNode]
    fleet.issue(a, rulesRequest('pump', SPEED))
    fleet.crash(b)
    const bad = new HandIssuer(life('b'), 1)
    const behind = a.replica.inspect(fleet.now).last.stage
    const first = bad.issue({ set: ['free', 1] })
    const second = bad.issue({ after: { ...first, stage: behind }, set: ['pump/speed', 101] })
    bad.issue({ after: second, set: ['pump/level', 1] })
    for (const batch of bad.batches) {
      const bytes = encodeFrame(a.replica.fleet, { kind: 'batch', batch })
      fleet.receive(a, { kind: 'frame', link: 'air', bytes })
    }
    assert.deepEqual(stateOf(a.replica), { free: 1 })
    const outcomes = outcomesAt(a)
    assert.match(outcomes['0b:2'] ?? '', /^void: pump\/speed must be from 0 to 100/)
    assert.match(outcomes['0b:3'] ?? '', /^void: pump\/level can only be read/)
  })

  test('that come late judge again what lies behind them, there alone; the issuer is told', () => {
    const fleet = fleetOf(2)
    const [a, b] = fleet.nodes as [NetworkNode, NetworkNode]
    fleet.partition(['a'], ['b'])
    fleet.issue(a, rulesRequest('pump', SPEED))
    fleet.issue(b, set('pump/speed', 90))
    fleet.issue(b, set('pump/speed', 200))
    fleet.issue(b, set('free', 1))
    assert.equal(b.replica.get('pump/speed' as Path), 200)
    fleet.heal()
    fleet.run(60_000)
    for (const { replica } of fleet.nodes) {
      assert.deepEqual(stateOf(replica), { free: 1, 'pump/speed': 90 })
      assert.equal(replica.settled('pump/speed' as Path), 90)
    }
    assert.match(outcomesAt(b)['0b:2'] ?? '', /^void: pump\/speed must be from 0 to 100 \(Uint8\), but is 200/)
  })

  test('that are set twice in one batch judge behind the second as behind the first', () => {
    const fleet = fleetOf(2)
    const [a, b] = fleet.nodes as [NetworkNode, NetworkNode]
    fleet.partition(['a'], ['b'])
    for (let time = 0; time < 2; time++) fleet.issue(a, rulesRequest('pump', SPEED), 50)
    for (const request of [set('free', 1), set('free', 2), set('pump/speed', 200)]) fleet.issue(b, request)
    fleet.heal()
    fleet.run(60_000)
    assert.deepEqual(stateOf(b.replica), { free: 2 })
    assert.match(outcomesAt(b)['0b:3'] ?? '', /^void/)
  })

  test('that leave the journal judge no more: what they made void stands again', () => {
    const { issuers } = new IssuingFleet(genesisOf(2))
    const [a, b] = issuers as [Issuer, Issuer]
    a.issue(rulesRequest('pump', SPEED))
    b.issue(set('pump/speed', 200))
    b.issue(set('pump/speed', 5))
    const batch = a.seal()
    assert(batch)
    const speed = (): Value | undefined => b.history.local.get('pump/speed' as Path)
    b.history.receive(batch)
    assert.equal(speed(), 5)
    const removal = b.history.truncate([[a.member, 0]])
    assert.deepEqual(
      removal.effects.flatMap(({ executed }) => executed.map(({ before, after }) => [before?.outcome, after.outcome])),
      [['void', 'applied']],
      'the other is as it was',
    )
  })

  test('judge again the drafts that a change of what lies below them shows anew', () => {
    const local = new LocalState()
    const original = { kind: 'draft', id: { member: life('n', 7), seq: 1 } } as const
    const draft = (value: number): Draft => {
      const writes: Write[] = [{ path: 'pump/speed' as Path, kind: 'set', argument: value, replaces: null }]
      const current = { ...operation({ writes }), id: original.id, original }
      return { current, previous: { id: null, stage: 0 } }
    }
    const drafts = new Drafts([draft(50), draft(200)])
    drafts.refresh(local)
    assert.equal(drafts.cell('pump/speed' as Path, local).value, 200)
    local.restore(rulesPoint('pump'), { value: encodeRules(SPEED), writer: null })
    drafts.refresh(local)
    assert.equal(drafts.cell('pump/speed' as Path, local).value, 50)
  })

  test('stand after a restart and in the welcome of a newcomer; what stood before them stays, and is told', () => {
    const fleet = fleetOf(1)
    const a = fleet.node('a')
    fleet.issue(a, set('pump/speed', 200))
    fleet.issue(a, set('pump/old', 1))
    fleet.issue(a, rulesRequest('pump', SPEED))
    fleet.run(20_000)
    fleet.crash(a)
    fleet.restart(a)
    const n = fleet.add(nodeNamed('n'), 5)
    assert(fleet.runUntil(() => isMember(n), 10_000))
    fleet.run(60_000)
    for (const { replica } of fleet.nodes) {
      assert.deepEqual(replica.rules(), [
        {
          device: 'pump',
          rules: { ...SPEED, points: SPEED.points.toSorted((left, right) => (left.path < right.path ? -1 : 1)) },
          digest: replica.rules()[0]?.digest,
          by: { member: life('a'), seq: 3 },
          stage: 3,
          isSettled: true,
        },
      ])
      assert.deepEqual(
        replica.misfits('pump').map(({ path, value, code }) => [path, value, code]),
        [
          ['pump/old', 1, 'unknown-point'],
          ['pump/speed', 200, 'range'],
        ],
      )
    }
    assertRefused(fleet, n, set('pump/speed', 101), 'operation-invalid')
    assert.deepEqual(n.replica.misfits('pump', pump(point('**', 'Any'))), [], 'under others, if they stood')
  })

  test('that two set without having seen each other are a conflict, which a snapshot keeps', () => {
    const fleet = fleetOf(2)
    const [a, b] = fleet.nodes as [NetworkNode, NetworkNode]
    fleet.partition(['a'], ['b'])
    fleet.issue(a, rulesRequest('pump', SPEED))
    fleet.issue(b, rulesRequest('pump', pump(point('speed', 'Bool'))))
    fleet.issue(b, set('pump/speed', true))
    fleet.heal()
    fleet.run(60_000)
    fleet.receive(b, { kind: 'snapshot-due' })
    fleet.run(100)
    fleet.crash(b)
    fleet.restart(b)
    for (const { replica } of fleet.nodes) {
      assert.equal(replica.rules()[0]?.by?.member, life('a'), 'the higher priority stands')
      assert.deepEqual(
        replica.conflicts().map(({ id, path }) => [id, path]),
        [[`${life('b')}:1@rules/pump`, rulesPoint('pump')]],
      )
      assert.equal(replica.get('pump/speed' as Path), undefined, 'and what fitted the others is void')
    }
  })

  test('may be taken away: the points of the device are free again', () => {
    const fleet = fleetOf(2)
    const [a, b] = fleet.nodes as [NetworkNode, NetworkNode]
    fleet.issue(a, rulesRequest('pump', SPEED))
    fleet.run(1000)
    fleet.issue(b, rulesRequest('pump', null))
    fleet.run(1000)
    fleet.issue(a, set('pump/other', 1))
    fleet.run(60_000)
    assert.deepEqual(b.replica.rules(), [])
    assert.equal(b.replica.get('pump/other' as Path), 1)
    const told = b.outputs.flatMap((output) => (output.kind === 'rules' ? [[output.before, output.after]] : []))
    assert.deepEqual(
      told.map((pair) => pair.map((digest) => digest !== null)),
      [
        [false, true],
        [true, false],
      ],
    )
  })

  test('judge the drafts of a node that is no member yet, also those that it sets itself', () => {
    const fleet = fleetOf(1)
    fleet.issue(fleet.node('a'), rulesRequest('valve', pump(point('open', 'Bool'))))
    fleet.run(1000)
    fleet.crash(fleet.node('a'))
    const n = fleet.add(nodeNamed('n'), 5)
    fleet.issue(n, set('pump/speed', 200))
    fleet.issue(n, rulesRequest('pump', { ...SPEED, node: nodeNamed('n') }))
    assertRefused(fleet, n, set('pump/speed', 101), 'operation-invalid')
    fleet.issue(n, set('pump/speed', 50))
    fleet.issue(n, set('valve/open', 'wide'))
    assert.deepEqual([...n.replica.entries()].length, 2, 'rules are no point of the device')
    assert.equal(n.replica.rules().length, 1)
    fleet.restart(fleet.node('a'))
    assert(fleet.runUntil(() => isMember(n), 20_000))
    fleet.run(60_000)
    for (const { replica } of fleet.nodes) assert.deepEqual(stateOf(replica), { 'pump/speed': 50 })
    assert.deepEqual(
      fleet
        .node('a')
        .replica.rules()
        .map(({ device }) => device),
      ['pump', 'valve'],
    )
  })

  test('have a device that is one name', () => {
    for (const device of ['', 'a/b', '*', '\u0000', 'a\u0000'])
      assert.throws(() => rulesRequest(device, SPEED), { code: 'operation-invalid' })
  })
})

describe('a snapshot of another node is not adopted', () => {
  const genesis = fleetOf(3, 'c').genesis
  const at = (who: string, stage: number): Positioned => {
    const member = life(who)
    const { tier } = genesis.founders.find(({ node }) => node === nodeOf(member))!
    return { id: { member, seq: 9 }, stage, priority: priorityOf(member, tier) }
  }
  const holding = (
    ...cells: readonly (readonly [path: string, value: Value | undefined, writer: Positioned])[]
  ): History => {
    const history = new History(new Membership(genesis), 9, EMPTY_DIGEST)
    history.restoreCell(rulesPoint('pump'), { value: encodeRules(SPEED), writer: at('b', 5) })
    for (const [path, value, writer] of cells) history.restoreCell(path as Path, { value, writer })
    return history
  }
  const cases: readonly (readonly [string, string, Value | undefined, Positioned, boolean])[] = [
    ['with a value that fits', 'pump/speed', 100, at('b', 6), false],
    ['with a value that does not, from before the rules', 'pump/speed', 200, at('b', 4), false],
    ['with one from behind them', 'pump/speed', 200, at('b', 6), true],
    ['with one of their stage, by a lower priority', 'pump/speed', 200, at('c', 5), true],
    ['with one of their stage, by a higher priority', 'pump/speed', 200, at('a', 5), false],
    ['with a point that no rule names', 'pump/other', 1, at('b', 6), true],
    ['with what the device has reported itself', 'pump/level', 1, at('a', 6), false],
    ['with what another has', 'pump/level', 1, at('b', 6), true],
    ['with a deletion that another made', 'pump/level', undefined, at('b', 6), true],
    ['with a deletion that its node made', 'pump/level', undefined, at('a', 6), false],
    ['with what an observer wrote', 'free', 1, at('c', 6), true],
    ['with rules that an observer set', rulesPoint('other'), encodeRules(SPEED), at('c', 6), true],
    ['with what nobody forbids', 'free', 1, at('b', 6), false],
  ]
  for (const [what, path, value, writer, isForged] of cases) {
    test(`${what}: ${isForged ? 'refused' : 'taken'}`, () => {
      assert.equal(forgedStateIn(holding([path, value, writer])) !== null, isForged)
    })
  }

  test('so a newcomer stays a draft while nobody else takes it in', () => {
    const fleet = fleetOf(1)
    const a = fleet.node('a')
    fleet.issue(a, set('pump/speed', 200))
    fleet.issue(a, rulesRequest('pump', SPEED))
    fleet.issue(a, set('pump/speed', 100))
    fleet.run(20_000)
    fleet.receive(a, { kind: 'snapshot-due' })
    fleet.run(100)
    const honest = fleet.backup(a)
    // A sponsor gone bad: its own disk is believed, and holds another value.
    const snapshot = decodeSnapshot(honest.snapshot!)
    const cells = snapshot.cells.map(
      ([path, cell]) => [path, path === 'pump/speed' ? { ...cell, value: 101 } : cell] as const,
    )
    fleet.crash(a)
    fleet.restore(a, { ...honest, snapshot: encodeSnapshot({ ...snapshot, cells }) })
    fleet.restart(a)
    assert.deepEqual(stateOf(a.replica), { 'pump/speed': 101 })
    const n = fleet.add(nodeNamed('n'), 5)
    fleet.run(20_000)
    assert(!isMember(n))
    const reasons = Object.keys(viewOf(fleet, n).dropped)
    assert(reasons.includes('snapshot of another node: it holds what the rules of the fleet forbid'), reasons.join())
  })
})

describe('a frame that writes what operations may not', () => {
  const writing = (...writes: Pick<Write, 'path' | 'kind' | 'argument'>[]): Write[] =>
    writes.map((write) => ({ ...write, replaces: null }))
  const rules: Value = encodeRules(SPEED)
  const at = rulesPoint('pump')
  const bad: readonly (readonly [string, readonly Write[]])[] = [
    ['rules that are none', writing({ path: at, kind: 'set', argument: encodeCbor([1, 2]) })],
    ['rules that are no bytes', writing({ path: at, kind: 'set', argument: 'free' })],
    [
      'rules and more',
      writing({ path: at, kind: 'set', argument: rules }, { path: 'x' as Path, kind: 'set', argument: 1 }),
    ],
    ['rules by another kind of write', writing({ path: at, kind: 'append', argument: rules })],
    ['rules of a path', writing({ path: rulesPoint('a/b'), kind: 'set', argument: rules })],
    ['rules of nothing', writing({ path: rulesPoint(''), kind: 'set', argument: rules })],
    ['the point of a member', writing({ path: memberPoint(life('n', 7)), kind: 'set', argument: [9, rules] })],
  ]
  for (const [what, writes] of bad) {
    test(`is dropped whole, counted and named: ${what}`, () => {
      const genesis = genesisOf(2)
      const a = new DrivenReplica(genesis, 0)
      const id = { member: life('b'), seq: 1 }
      const priority = { tier: 1, node: nodeOf(id.member) }
      const current = { id, stage: 1, floor: 0, priority, writes, guards: [], join: null, original: null, paths: [] }
      const batch = sealBatch(id.member, '0000000000000000' as Digest, [{ current, previous: { id: null, stage: 0 } }])
      a.giveFrame(encodeFrame(a.replica.fleet, { kind: 'batch', batch }))
      assert.deepEqual(stateOf(a.replica), {})
      assert.deepEqual(a.replica.rules(), [])
      assert.deepEqual(Object.values(a.inspect().dropped), [1], JSON.stringify(a.inspect().dropped))
    })
  }
})

describe('an observer', () => {
  test('among the founders changes nothing, by its own gateway or by what it sends', () => {
    const fleet = fleetOf(2, 'b')
    const [a, b] = fleet.nodes as [NetworkNode, NetworkNode]
    assertRefused(fleet, b, set('x', 1), 'operation-refused')
    assertRefused(fleet, b, rulesRequest('pump', SPEED), 'operation-refused')
    const bad = new HandIssuer(life('b'), 1)
    bad.issue({ set: ['x', 1] })
    for (const batch of bad.batches)
      fleet.receive(a, { kind: 'frame', link: 'air', bytes: encodeFrame(a.replica.fleet, { kind: 'batch', batch }) })
    assert.deepEqual(stateOf(a.replica), {})
    assert.match(outcomesAt(a)['0b:1'] ?? '', /^void: its issuer is an observer/)
    assert.notEqual(
      a.replica.fleet,
      fleetOf(2).node('a').replica.fleet,
      'the roles of founders are in the id of the fleet',
    )
  })

  test('that joins is one everywhere, from before it is taken in and after a restart; it hears all', () => {
    const fleet = fleetOf(2)
    const n = fleet.add(nodeNamed('n'), 5, 'observer')
    assertRefused(fleet, n, set('x', 1), 'operation-refused')
    assert(fleet.runUntil(() => isMember(n), 10_000))
    fleet.issue(fleet.node('a'), set('y', 1))
    fleet.run(60_000)
    fleet.crash(n)
    fleet.restart(n)
    fleet.run(60_000)
    assertRefused(fleet, n, set('x', 1), 'operation-refused')
    assert.deepEqual(stateOf(n.replica), { y: 1 })
    for (const node of fleet.nodes) {
      const roles = viewOf(fleet, node).members.map(({ member, role }) => [member.slice(0, 2), role])
      assert.deepEqual(
        roles.toSorted(([left = ''], [right = '']) => (left < right ? -1 : 1)),
        [
          ['0a', 'gateway'],
          ['0b', 'gateway'],
          ['17', 'observer'],
        ],
      )
      assert.equal(viewOf(fleet, node).journalLength, 0, 'and it holds nobody up')
    }
  })

  test('takes nobody in: its join would be void', () => {
    const fleet = fleetOf(2, 'b')
    fleet.partition(['a'], ['b', 'n'])
    const n = fleet.add(nodeNamed('n'), 5)
    fleet.run(60_000)
    assert(!isMember(n))
    const asked = n.outputs.some((output) => output.kind === 'send')
    assert(asked)
    assert.equal(viewOf(fleet, fleet.node('b')).last.operation, null, 'nothing that would be void')
    fleet.heal()
    assert(
      fleet.runUntil(() => isMember(n), 60_000),
      'a gateway does',
    )
  })
})

test('an operator joins as one, and keeps its role in the next life of a welcome', () => {
  const fleet = fleetOf(1)
  const n = fleet.add(nodeNamed('n'), 5, 'operator')
  assert(fleet.runUntil(() => isMember(n), 10_000))
  const m = fleet.add(nodeNamed('m'), 5)
  assert(fleet.runUntil(() => isMember(m), 10_000))
  const roleAt = (node: NetworkNode, id: MemberId): string | undefined =>
    viewOf(fleet, node).members.find(({ member }) => member === id)?.role
  for (const node of fleet.nodes) assert.equal(roleAt(node, n.replica.self), 'operator')
  assert.equal(roleAt(m, memberIdOf(nodeNamed('a'), 0)), 'gateway')
})
