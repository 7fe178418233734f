import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { type NodeId, nodeOf } from '../../runtime/base/ids.ts'
import type { Path } from '../../runtime/state/path.ts'
import { decodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { decodeSnapshot, encodeSnapshot, joinPieces } from '../../runtime/sync/snapshot.ts'
import type { Epoch } from '../../runtime/sync/epoch.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { life } from '../support/handmade.ts'
import { alarmsOf, isMember, startedNetwork, viewOf } from '../support/membership-network.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const OTHER = '0123456789abcdef' as Digest
const ANOTHER = 'fedcba9876543210' as Digest

/** A member of a fleet of `count` that has settled an operation of its own, with the others. */
function settled(count: number, index: number): DrivenReplica {
  const genesis = genesisOf(count)
  const node = new DrivenReplica(genesis, index)
  node.store()
  node.issue(set('x', 1))
  node.store()
  say(node, count, {})
  assert.equal(node.inspect().floor, 1)
  return node
}

/** All others announce what the node holds; some of them another digest of the floor. */
function say(node: DrivenReplica, count: number, digests: Readonly<Record<number, Digest>>): Output[] {
  const outputs: Output[] = []
  for (let index = 0; index < count; index++) {
    const member = founder(genesisOf(count), index)
    if (member === node.replica.self) continue
    const floorDigest = digests[index] ?? node.inspect().floorDigest
    const announcement = announcementOf(node, member, { floor: node.inspect().floor, floorDigest })
    outputs.push(...node.giveMessage({ kind: 'announcement', announcement }))
  }
  return outputs
}

test('one of three with another settled state: an alarm, all that is held as evidence, and nobody else gives way', () => {
  const node = settled(3, 1)
  const outputs = say(node, 3, { 0: OTHER })
  assert.deepEqual(alarmNames(outputs), ['divergence'])
  const evidence = outputs.flatMap((output) => (output.kind === 'evidence' ? [output] : []))
  assert.equal(evidence.length, 1)
  assert.equal(evidence[0]!.name, 'divergence-1')
  const dump = decodeSnapshot(joinPieces([...evidence[0]!.pieces]))
  assert.equal(dump.floorDigests.get(1), node.inspect().floorDigest)
  assert.deepEqual(
    dump.cells.map(([path]) => path),
    ['x'],
  )
  assert.equal(node.inspect().status, 'member')
  assert.deepEqual(
    say(node, 3, { 0: OTHER }).filter(({ kind }) => kind === 'evidence'),
    [],
    'once for each floor',
  )
})

test('more than half with another settled state: we give way, and become a draft that says why', () => {
  const node = settled(3, 0)
  say(node, 3, { 1: OTHER })
  assert.equal(node.inspect().status, 'member')
  say(node, 3, { 1: OTHER, 2: OTHER })
  assert.equal(node.inspect().status, 'draft')
  assert.match(node.inspect().draftReason ?? '', /another settled state at floor 1/)
})

test('two others that differ from us and from each other outvote nobody', () => {
  const node = settled(3, 0)
  say(node, 3, { 1: OTHER, 2: ANOTHER })
  assert.equal(node.inspect().status, 'member')
})

test('of two halves the one with the highest priority stays', () => {
  const high = settled(4, 0)
  say(high, 4, { 2: OTHER, 3: OTHER })
  assert.equal(high.inspect().status, 'member')
  const low = settled(4, 3)
  say(low, 4, { 0: OTHER, 1: OTHER })
  assert.equal(low.inspect().status, 'draft')
})

test('only those vote who count in the newest epoch', () => {
  const node = settled(3, 0)
  const { self } = node.replica
  const epoch: Epoch = { number: 1, counting: [self], retired: [life('r', 1)], signature: SIGNED }
  node.give({ kind: 'epoch', epoch })
  node.store()
  say(node, 3, { 1: OTHER, 2: OTHER })
  assert.equal(node.inspect().status, 'member')
})

test('a member whose settled state was damaged gives way, and after its replacement everybody agrees', () => {
  const fleet = startedNetwork(3)
  const [a, c] = [fleet.node('a'), fleet.node('c')]
  fleet.issue(c, set('x', 'right'))
  fleet.run(60_000)
  fleet.receive(c, { kind: 'snapshot-due' })
  fleet.run(1000)
  const { snapshot } = c.disk
  assert.ok(snapshot)
  fleet.crash(c)
  const held = decodeSnapshot(snapshot)
  const floorDigests = new Map([...held.floorDigests].map(([floor]) => [floor, OTHER]))
  const cells = held.cells.map(([path, cell]) => [path, { ...cell, value: 'wrong' }] as const)
  c.disk.snapshot = encodeSnapshot({ ...held, floorDigests, cells })
  fleet.restart(c)
  assert.deepEqual(stateOf(c.replica), { x: 'wrong' })
  fleet.issue(c, set('y', 'its own'))
  fleet.run(20_000)
  assert.equal(viewOf(fleet, c).status, 'draft')
  for (const node of [a, c]) assert.ok(alarmsOf(node).includes('divergence'), node.name)
  const former = viewOf(fleet, a).members.find(({ member }) => member.startsWith(c.node))
  assert.ok(former && fleet.retire(a, [former.member]))
  assert.ok(fleet.runUntil(() => isMember(c), 60_000))
  fleet.run(60_000)
  for (const node of fleet.nodes) assert.deepEqual(stateOf(node.replica), { x: 'right', y: 'its own' }, node.name)
})

test('a member of which one settled value has rotted is found out by the digests of the state, and gives way', () => {
  const fleet = startedNetwork(3)
  const [a, c] = [fleet.node('a'), fleet.node('c')]
  fleet.issue(c, set('x', 'right'))
  fleet.run(60_000)
  fleet.receive(c, { kind: 'snapshot-due' })
  fleet.run(1000)
  assert.ok(c.disk.snapshot)
  fleet.crash(c)
  const held = decodeSnapshot(c.disk.snapshot)
  const cells = held.cells.map(([path, cell]) => [path, path === 'x' ? { ...cell, value: 'wrong' } : cell] as const)
  c.disk.snapshot = encodeSnapshot({ ...held, cells })
  fleet.restart(c)
  assert.deepEqual(stateOf(c.replica), { x: 'wrong' })
  assert.ok(fleet.runUntil(() => viewOf(fleet, c).status === 'draft', 120_000))
  assert.match(viewOf(fleet, c).draftReason ?? '', /most of the fleet has another settled state at floor/)
  for (const node of [a, c]) assert.ok(alarmsOf(node).includes('divergence'), node.name)
  assert.equal(viewOf(fleet, a).status, 'member')
})

test('nobody has another state where members come, values go and sums grow, in whatever order', () => {
  const fleet = startedNetwork(3)
  for (let round = 0; round < 6; round++) {
    for (const node of fleet.nodes) {
      fleet.issue(node, set(`x${round % 4}`, `${node.name}${round}`))
      fleet.issue(node, { writes: [{ path: 'sum' as Path, kind: 'add', argument: round }], guards: [] })
      fleet.issue(node, { writes: [{ path: 'x1' as Path, kind: 'delete', argument: null }], guards: [] })
    }
    fleet.run(round % 2 === 0 ? 500 : 60_000)
  }
  fleet.run(120_000)
  const states = fleet.nodes.map(({ node }) => heardOf(fleet, node))
  assert.equal(new Set(states.map(({ digest }) => digest)).size, 1)
  for (const node of fleet.nodes) assert.deepEqual(alarmsOf(node), [], node.name)
})

/** The state that a node has announced last. */
function heardOf(fleet: ReturnType<typeof startedNetwork>, of: NodeId): { readonly digest: Digest } {
  const frames = fleet.nodes.flatMap(({ node, outputs }) => (node === of ? outputs : []))
  const states = frames.flatMap((output) => {
    if (output.kind !== 'send' || output.to.channel !== 'announcements') return []
    const message = decodeFrame(fleet.nodes[0]!.replica.fleet, output.frame)
    return message.kind === 'announcement' && nodeOf(message.announcement.member) === of
      ? [message.announcement.state]
      : []
  })
  const last = states.at(-1)
  assert.ok(last, 'it states its state once that rests')
  return last
}

function alarmNames(outputs: readonly Output[]): string[] {
  return outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm.name] : []))
}
