import { joinPieces } from '../../runtime/sync/snapshot.ts'
import { equalBytes } from '../../runtime/base/bytes.ts'
import { digestOf } from '../../runtime/base/digest.ts'
import type { MemberId, NodeId } from '../../runtime/base/ids.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import { memberIdOf } from '../../runtime/base/ids.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import { type Epoch, epochPayload } from '../../runtime/sync/epoch.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { type Role, ROLE_DEFAULT } from '../../runtime/state/role.ts'
import type { Input } from '../../runtime/sync/input.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { genesisOf } from './replica-network.ts'

/** What may happen to a frame on its way; each a probability in [0, 1]. */
export interface Faults {
  readonly drop: number
  readonly duplicate: number
  /** Frames arrive after a random delay of up to so many milliseconds, and so out of order. */
  readonly delayMs: number
}

const NO_FAULTS: Faults = { drop: 0, duplicate: 0, delayMs: 0 }

/** What a node's disk holds: a power cut leaves it as it is. */
interface Disk {
  snapshot: Uint8Array | null
  records: Uint8Array[]
  last: number
}

export interface NetworkNode {
  readonly name: string
  readonly node: NodeId
  readonly tier: number
  /** With which it asks to join. */
  readonly role: Role
  replica: Replica
  disk: Disk
  unsynced: { readonly record: Uint8Array; readonly number: number }[]
  isUp: boolean
  /** Its disk is full: nothing more is written to it. */
  isFull: boolean
  readonly outputs: Output[]
}

/** A fleet whose members come and go: founders, drafts, an operator who signs epochs, crashes and restored disks. */
export class MembershipNetwork {
  readonly nodes: NetworkNode[] = []
  readonly random: Random
  readonly genesis: Genesis
  faults: Faults
  now = 1000
  /** Pairs `a|b` of names between which nothing passes, each direction on its own. */
  readonly cuts: Set<string> = new Set()
  readonly #inFlight: { readonly at: number; readonly to: NetworkNode; readonly bytes: Uint8Array }[] = []

  /** @param started founders that run; the others are there by name alone */
  constructor(founders: Genesis, seed: number, faults: Faults = NO_FAULTS, started: number = founders.founders.length) {
    this.genesis = founders
    this.random = seededRandom(seed)
    this.faults = faults
    for (const { node, tier } of founders.founders.slice(0, started)) this.add(node, tier)
  }

  node(name: string): NetworkNode {
    const node = this.nodes.find((candidate) => candidate.name === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  /** A new node with an empty disk; unless it is a founder, it starts as a draft. */
  add(nodeId: NodeId, tier: number, role: Role = ROLE_DEFAULT): NetworkNode {
    const disk: Disk = { snapshot: null, records: [], last: 0 }
    const node: NetworkNode = {
      name: nameOf(nodeId),
      node: nodeId,
      tier,
      role,
      replica: this.#open(nodeId, tier, role, disk),
      disk,
      unsynced: [],
      isUp: true,
      isFull: false,
      outputs: [],
    }
    this.nodes.push(node)
    this.#carryOut(node, node.replica.tick(this.now))
    this.receive(node, { kind: 'link-up', link: 'air' })
    return node
  }

  /** A second machine with a copy of the disk, which thinks that it is the same node. */
  clone(node: NetworkNode): NetworkNode {
    const disk = this.backup(node)
    const replica = this.#open(node.node, node.tier, node.role, disk)
    const clone: NetworkNode = { ...node, name: `${node.name}2`, replica, disk, unsynced: [], isUp: true, outputs: [] }
    this.nodes.push(clone)
    this.#carryOut(clone, replica.tick(this.now))
    this.receive(clone, { kind: 'link-up', link: 'air' })
    return clone
  }

  issue(node: NetworkNode, request: OperationRequest, commitWithinMs: number = 0): Issued {
    const issued = node.replica.issue(request, commitWithinMs, this.now)
    this.#carryOut(node, issued.outputs)
    return issued
  }

  receive(node: NetworkNode, input: Input): void {
    this.#carryOut(node, node.replica.receive(input, this.now))
  }

  /** The operator retires members, as far as `at` knows who counts. @returns the epoch, or null if nobody would count */
  retire(at: NetworkNode, members: readonly MemberId[]): Epoch | null {
    const proposed = at.replica.proposeEpoch(members)
    return proposed.counting.length === 0 ? null : this.sign(at, proposed)
  }

  /** The operator has no other way left. */
  force(at: NetworkNode, members: readonly MemberId[], counting: readonly MemberId[]): Epoch {
    return this.sign(at, at.replica.forceEpoch(members, counting))
  }

  /** Signs an epoch as the operator would, and gives it to a node. */
  sign(at: NetworkNode, proposed: Omit<Epoch, 'signature'>): Epoch {
    const epoch = { ...proposed, signature: signatureOf(epochPayload(at.replica.fleet, proposed)) }
    this.receive(at, { kind: 'epoch', epoch })
    return epoch
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
  crash(node: NetworkNode): void {
    node.isUp = false
    node.unsynced.length = 0
  }

  restart(node: NetworkNode): void {
    node.isUp = true
    node.replica = this.#open(node.node, node.tier, node.role, node.disk)
    this.#carryOut(node, node.replica.tick(this.now))
    this.receive(node, { kind: 'link-up', link: 'air' })
  }

  /** What a backup would hold now. */
  backup(node: NetworkNode): Disk {
    return { ...node.disk, records: [...node.disk.records] }
  }

  /** Puts an old backup on the disk of a node that is down. */
  restore(node: NetworkNode, backup: Disk): void {
    node.disk = { ...backup, records: [...backup.records] }
  }

  /** Syncs what a node has written. */
  sync(node: NetworkNode): void {
    const last = node.unsynced.at(-1)
    if (!node.isUp || node.isFull || last === undefined) return
    node.disk.records.push(...node.unsynced.map(({ record }) => record))
    node.unsynced.length = 0
    node.disk.last = last.number
    this.receive(node, { kind: 'stored', through: last.number })
  }

  /** Lets time pass, going from one event to the next. */
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

  /** Runs until `condition` holds. @returns false if it did not within `limitMs` */
  runUntil(condition: () => boolean, limitMs: number): boolean {
    const until = this.now + limitMs
    while (!condition()) {
      if (this.now >= until) return false
      this.run(100)
    }
    return true
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

  #carryOut(node: NetworkNode, outputs: readonly Output[]): void {
    node.outputs.push(...outputs)
    for (const output of outputs) {
      if (output.kind === 'store') node.unsynced.push({ record: output.record, number: output.number })
      else if (output.kind === 'send') this.#broadcast(node, output.frame)
      else if (output.kind === 'snapshot') {
        node.disk.snapshot = joinPieces([...output.pieces])
        const { records, last } = node.disk
        node.disk.records = records.slice(records.length - (last - output.through))
      }
    }
  }

  #broadcast(from: NetworkNode, bytes: Uint8Array): void {
    for (const to of this.nodes) {
      if (to === from || this.cuts.has(`${from.name}|${to.name}`)) continue
      const copies =
        fraction(this.random) < this.faults.drop ? 0 : fraction(this.random) < this.faults.duplicate ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        this.#inFlight.push({ at: this.now + 1 + this.faults.delayMs * fraction(this.random), to, bytes })
      }
    }
  }

  #open(node: NodeId, tier: number, role: Role, disk: Disk): Replica {
    return new Replica({
      self: memberIdOf(node, 0),
      tier,
      ...(this.genesis.founders.some((founder) => founder.node === node) ? {} : { role }),
      genesis: this.genesis,
      random: this.random,
      recovered: { snapshot: disk.snapshot, records: disk.records, last: disk.last },
      verifyEpoch: (payload, signature) => equalBytes(signature, signatureOf(payload)),
    })
  }
}

/** Stands for the operator's signature: nobody else in the simulation knows the word. */
function signatureOf(payload: Uint8Array): Uint8Array {
  return new TextEncoder().encode(digestOf(Buffer.concat([Buffer.from('operator'), payload])))
}

/** `a` for node 0a…, `b` for 0b…, and so on. */
function nameOf(node: NodeId): string {
  return String.fromCharCode(0x61 + Number.parseInt(node.slice(0, 2), 16) - 0x0a)
}

/** The node that is called `name`. */
export function nodeNamed(name: string): NodeId {
  return `${(name.charCodeAt(0) - 0x61 + 0x0a).toString(16).padStart(2, '0')}00000000000001` as NodeId
}

/** A network of founders that have heard each other. */
export function startedNetwork(founders: number): MembershipNetwork {
  const fleet = new MembershipNetwork(genesisOf(founders), founders)
  fleet.run(3000)
  return fleet
}

export function isMember(node: NetworkNode): boolean {
  return node.replica.inspect(0).status === 'member'
}

/** The names of the alarms that a node has raised. */
export function alarmsOf(node: NetworkNode): string[] {
  return node.outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm.name] : []))
}

export function viewOf(fleet: MembershipNetwork, node: NetworkNode): ReturnType<NetworkNode['replica']['inspect']> {
  return node.replica.inspect(fleet.now)
}
