import assert from 'node:assert/strict'
import type { OperationId } from '../../runtime/base/ids.ts'
import type { Random } from '../../runtime/base/random.ts'
import { MembershipNetwork, NO_FAULTS, type NetworkNode, nodeNamed } from './membership-network.ts'
import { genesisOf, set, stateOf } from './replica-network.ts'

const NODES_MAX = 5
const ROUNDS = 60

/** How one schedule ended. `nobody`: no member was left, so that only a forced epoch would help; nothing more is checked. */
export type Ending = 'converged' | 'nobody'

/** What the people of a schedule remember: who was told what, and which epoch the operator made last. */
interface Memory {
  readonly fleet: MembershipNetwork
  readonly random: Random
  /** Each operation of the counting kind adds 1 to a point of its own. */
  issued: number
  /** Points whose operation was told durable, by the node that issued it, and its id there. */
  readonly pending: Map<NetworkNode, { readonly id: OperationId; readonly isDraft: boolean; readonly path: string }[]>
  readonly durable: Set<string>
  epoch: number
}

/** Random joins, retirements, returns, crashes and partitions, then a time of peace in which everybody must agree. */
export function runMembershipSchedule(seed: number): Ending {
  const founders = 1 + (seed % 3)
  const fleet = new MembershipNetwork(genesisOf(founders), seed, { drop: 0.15, duplicate: 0.1, delayMs: 200 })
  const memory: Memory = { fleet, random: fleet.random, issued: 0, pending: new Map(), durable: new Set(), epoch: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    step(memory)
    fleet.run(memory.random.uint32() % 600)
    noteDurable(memory)
  }
  return conclude(memory)
}

function step(memory: Memory): void {
  const { fleet, random } = memory
  const node = fleet.nodes[random.uint32() % fleet.nodes.length] as NetworkNode
  const choice = random.uint32() % 24
  if (choice < 11) issue(memory, node)
  else if (choice < 13 && fleet.nodes.length < NODES_MAX) {
    fleet.add(nodeNamed('mnopq'[fleet.nodes.length - 1] ?? 'z'), random.uint32() % 8)
  } else if (choice < 15) {
    const others = fleet.nodes.filter((other) => other !== node).map((other) => other.name)
    fleet.partition([node.name], others)
  } else if (choice < 17) fleet.heal()
  else if (choice < 19 && node.isUp) crash(memory, node)
  else if (choice < 22 && !node.isUp) fleet.restart(node)
  else if (choice >= 22) retire(memory, node)
}

function issue(memory: Memory, node: NetworkNode): void {
  if (!node.isUp) return
  if (memory.random.uint32() % 3 === 0) {
    memory.fleet.issue(node, set(`p/${memory.random.uint32() % 3}`, memory.issued))
    return
  }
  memory.issued += 1
  const path = `once/${memory.issued}`
  const request = { writes: [{ path: path as never, kind: 'add' as const, argument: 1 }], guards: [] }
  const { id, isDraft } = memory.fleet.issue(node, request)
  const pending = memory.pending.get(node) ?? []
  pending.push({ id, isDraft, path })
  memory.pending.set(node, pending)
}

/** What was told durable must be there in the end, once. */
function noteDurable(memory: Memory): void {
  for (const [node, pending] of memory.pending) {
    for (const output of node.outputs) {
      const id = output.kind === 'durable' ? output.through : output.kind === 'draft-durable' ? output.draft : null
      if (id === null) continue
      for (const one of pending) {
        const isSame = one.isDraft === (output.kind === 'draft-durable') && one.id.member === id.member
        if (isSame && one.id.seq <= id.seq) memory.durable.add(one.path)
      }
    }
    node.outputs.splice(0, node.outputs.length, ...node.outputs.filter(({ kind }) => kind === 'alarm'))
  }
}

function crash(memory: Memory, node: NetworkNode): void {
  noteDurable(memory)
  memory.pending.delete(node)
  memory.fleet.crash(node)
}

/** One operator, who makes each epoch at a node that knows the one before. */
function retire(memory: Memory, target: NetworkNode, isMeant: (member: string) => boolean = () => true): void {
  const at = memory.fleet.nodes.find((node) => {
    const view = node.replica.inspect(memory.fleet.now)
    return node !== target && node.isUp && view.status === 'member' && view.epoch.number === memory.epoch
  })
  const known = at?.replica.inspect(memory.fleet.now).members.filter(({ member, isRetired }) => {
    return !isRetired && member.startsWith(target.node) && isMeant(member)
  })
  const [member] = known ?? []
  if (at === undefined || member === undefined) return
  const epoch = memory.fleet.retire(at, [member.member])
  if (epoch !== null) memory.epoch = epoch.number
}

function conclude(memory: Memory): Ending {
  const { fleet } = memory
  for (const node of fleet.nodes) if (!node.isUp) fleet.restart(node)
  fleet.faults = { ...NO_FAULTS, delayMs: 10 }
  fleet.heal()
  for (let round = 0; round < 12; round++) {
    fleet.run(40_000)
    noteDurable(memory)
    const members = fleet.nodes.filter((node) => node.replica.inspect(fleet.now).status === 'member')
    if (members.length === 0) return 'nobody'
    for (const node of fleet.nodes) replaceIfRefused(memory, node)
    if (isQuiet(fleet)) break
  }
  check(memory)
  return 'converged'
}

/** The operator does what the refusal says, and retires a life that its node has left: a late join may bring one back. */
function replaceIfRefused(memory: Memory, node: NetworkNode): void {
  const { status, refusal } = node.replica.inspect(memory.fleet.now)
  if (status === 'draft' && refusal?.includes('is a member already') === true) return retire(memory, node)
  const stale = (member: string): boolean => member.startsWith(node.node) && member !== node.replica.self
  if (status === 'member') retire(memory, node, stale)
}

function isQuiet(fleet: MembershipNetwork): boolean {
  return fleet.nodes.every((node) => {
    const view = node.replica.inspect(fleet.now)
    return view.status === 'member' && view.journalLength === 0 && view.drafts === 0
  })
}

function check(memory: Memory): void {
  const { fleet } = memory
  const first = fleet.nodes[0] as NetworkNode
  for (const node of fleet.nodes) {
    const view = node.replica.inspect(fleet.now)
    const why = `${node.name}: ${view.draftReason} ${view.refusal} ${JSON.stringify(view.floorHold)} ${JSON.stringify(view.dropped)}`
    if (process.env['VECTORS'] !== undefined) {
      console.log(node.name, view.self, view.floor, JSON.stringify(view.vector.map((e) => [e.member, e.seq])))
      console.log(JSON.stringify(view.members.map((m) => [m.member, m.since, m.isRetired, m.cut, m.heldSeq])))
      console.log(
        view
          .journal()
          .map((line) => `${line.operation}@${line.stage}=${line.outcome}`)
          .join(' '),
      )
    }
    assert.equal(view.status, 'member', why)
    assert.equal(view.journalLength, 0, why)
    assert.equal(view.floorDigest, first.replica.inspect(fleet.now).floorDigest, why)
    assert.deepEqual(stateOf(node.replica), stateOf(first.replica), node.name)
    const alarms = node.outputs.filter((output) => output.kind === 'alarm').map(({ alarm }) => JSON.stringify(alarm))
    assert.deepEqual(alarms, [], node.name)
  }
  const state = stateOf(first.replica)
  for (const path of memory.durable) assert.equal(state[path], 1, `${path} was told durable`)
  for (const [path, value] of Object.entries(state)) if (path.startsWith('once/')) assert.equal(value, 1, path)
}
