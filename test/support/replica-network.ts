import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { Input } from '../../runtime/sync/input.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { Replica } from '../../runtime/sync/replica.ts'

/** What may happen to a frame on its way; each a probability in [0, 1]. */
export interface Faults {
  readonly drop: number
  readonly duplicate: number
  /** Frames arrive after a random delay of up to so many milliseconds, and so out of order. */
  readonly delayMs: number
}

export const NO_FAULTS: Faults = { drop: 0, duplicate: 0, delayMs: 0 }

/** A disk that keeps what was synced when its node loses power. */
interface Disk {
  snapshot: Uint8Array | null
  records: Uint8Array[]
  last: number
  unsynced: { readonly record: Uint8Array; readonly number: number }[]
}

export interface SimulatedNode {
  readonly name: string
  readonly member: MemberId
  replica: Replica
  readonly disk: Disk
  isUp: boolean
  readonly outputs: Output[]
}

/** A fleet in one process: replicas, a broadcast network, disks and the clock, all from one seed. Nothing here waits. */
export class ReplicaNetwork {
  readonly nodes: SimulatedNode[] = []
  readonly random: Random
  readonly genesis: Genesis
  faults: Faults
  now = 1000
  /** Pairs `a|b` of names between which nothing passes, each direction on its own. */
  readonly cuts: Set<string> = new Set()
  readonly #inFlight: { readonly at: number; readonly to: SimulatedNode; readonly bytes: Uint8Array }[] = []

  constructor(genesis: Genesis, seed: number, faults: Faults = NO_FAULTS) {
    this.genesis = genesis
    this.random = seededRandom(seed)
    this.faults = faults
    for (const founder of genesis.founders) this.#add(founder.node)
  }

  node(name: string): SimulatedNode {
    const node = this.nodes.find((candidate) => candidate.name === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  issue(node: SimulatedNode, request: OperationRequest, commitWithinMs: number = 0): Issued {
    const issued = node.replica.issue(request, commitWithinMs, this.now)
    this.#carryOut(node, issued.outputs)
    return issued
  }

  receive(node: SimulatedNode, input: Input): void {
    this.#carryOut(node, node.replica.receive(input, this.now))
  }

  /** Cuts both ways between the groups. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const [index, group] of groups.entries()) {
      for (const other of groups.slice(index + 1).flat()) {
        for (const name of group) this.cuts.add(`${name}|${other}`).add(`${other}|${name}`)
      }
    }
  }

  heal(): void {
    this.cuts.clear()
    for (const node of this.nodes) if (node.isUp) this.receive(node, { kind: 'link-up', link: 'air' })
  }

  /** Power off: what was not synced is gone. */
  crash(node: SimulatedNode): void {
    node.isUp = false
    node.disk.unsynced.length = 0
  }

  restart(node: SimulatedNode): void {
    node.isUp = true
    node.replica = this.#open(node.member, node.disk)
    this.#carryOut(node, node.replica.tick(this.now))
    this.receive(node, { kind: 'link-up', link: 'air' })
  }

  /** Syncs what a node has written. */
  sync(node: SimulatedNode): void {
    const last = node.disk.unsynced.at(-1)
    if (!node.isUp || last === undefined) return
    node.disk.records.push(...node.disk.unsynced.map(({ record }) => record))
    node.disk.unsynced.length = 0
    node.disk.last = last.number
    this.receive(node, { kind: 'stored', through: last.number })
  }

  /** Lets time pass until `until`, going from one event to the next. */
  run(durationMs: number): void {
    const until = this.now + durationMs
    for (;;) {
      for (const node of this.nodes) this.sync(node)
      const next = this.#nextEvent()
      if (next > until) break
      this.now = Math.max(this.now, next)
      this.#deliverDue()
      for (const node of this.nodes) {
        const wakeAt = node.isUp ? node.replica.wakeAt(this.now) : null
        if (wakeAt !== null && wakeAt <= this.now) this.#carryOut(node, node.replica.tick(this.now))
      }
    }
    this.now = until
  }

  #nextEvent(): number {
    let next = Infinity
    for (const frame of this.#inFlight) next = Math.min(next, frame.at)
    for (const node of this.nodes) {
      if (node.isUp) next = Math.min(next, node.replica.wakeAt(this.now) ?? Infinity)
    }
    return next
  }

  #deliverDue(): void {
    const due = this.#inFlight.filter(({ at }) => at <= this.now)
    const later = this.#inFlight.filter(({ at }) => at > this.now)
    this.#inFlight.length = 0
    this.#inFlight.push(...later)
    due.sort((left, right) => left.at - right.at)
    for (const { to, bytes } of due) if (to.isUp) this.receive(to, { kind: 'frame', link: 'air', bytes })
  }

  #carryOut(node: SimulatedNode, outputs: readonly Output[]): void {
    node.outputs.push(...outputs)
    for (const output of outputs) {
      if (output.kind === 'store') node.disk.unsynced.push({ record: output.record, number: output.number })
      else if (output.kind === 'send') this.#broadcast(node, output.frame)
      else if (output.kind === 'snapshot') {
        node.disk.snapshot = output.bytes
        node.disk.records = []
      }
    }
  }

  #broadcast(from: SimulatedNode, bytes: Uint8Array): void {
    for (const to of this.nodes) {
      if (to === from || this.cuts.has(`${from.name}|${to.name}`)) continue
      const copies =
        fraction(this.random) < this.faults.drop ? 0 : fraction(this.random) < this.faults.duplicate ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        this.#inFlight.push({ at: this.now + 1 + this.faults.delayMs * fraction(this.random), to, bytes })
      }
    }
  }

  #add(nodeId: NodeId): void {
    const member = memberIdOf(nodeId, 0)
    const disk: Disk = { snapshot: null, records: [], last: 0, unsynced: [] }
    const node: SimulatedNode = {
      name: nameOf(nodeId),
      member,
      replica: this.#open(member, disk),
      disk,
      isUp: true,
      outputs: [],
    }
    this.nodes.push(node)
    this.#carryOut(node, node.replica.tick(this.now))
    this.receive(node, { kind: 'link-up', link: 'air' })
  }

  #open(member: MemberId, disk: Disk): Replica {
    const recovered = { snapshot: disk.snapshot, records: disk.records, last: disk.last }
    return new Replica({ self: member, genesis: this.genesis, random: this.random, recovered })
  }
}

/** A genesis of founders named `a`, `b`, `c` …; the first has the highest priority. */
export function genesisOf(count: number): Genesis {
  const founders = Array.from({ length: count }, (_, index) => ({
    node: `${(0x0a + index).toString(16).padStart(2, '0')}00000000000001` as NodeId,
    tier: count - index,
  }))
  return { name: 'test', founders }
}

/** `a` for node 0a…, `b` for 0b…, and so on. */
export function nameOf(node: NodeId): string {
  return String.fromCharCode(0x61 + Number.parseInt(node.slice(0, 2), 16) - 0x0a)
}

export function stateOf(replica: Replica): Record<string, Value> {
  return Object.fromEntries([...replica.entries()].sort(([left], [right]) => (left < right ? -1 : 1)))
}

export function set(path: string, value: Value): OperationRequest {
  return { writes: [{ path: path as Path, kind: 'set', argument: value }], guards: [] }
}
