import type { NodeId } from '../../runtime/base/ids.ts'
import { fraction, type Random } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { check } from './check.ts'
import { type DiskImage, EMPTY_IMAGE, type PowerLoss } from './disk.ts'
import type { EventLog } from './event-log.ts'
import { EventQueue } from './event-queue.ts'
import { logOutput, shortId } from './log-output.ts'
import { type Domain, type Faults, type Frame, NO_FAULTS, SimulatedNetwork } from './network.ts'
import { SimulatedNode } from './node.ts'
import { Operator } from './operator.ts'
import { Witness } from './witness.ts'

/** Many times what any schedule needs: beyond it, something goes on without an end. */
const EVENTS_MAX = 300_000

export interface FleetOptions {
  readonly genesis: Genesis
  readonly random: Random
  readonly faults?: Faults
  /** Null for one domain with everybody on it. */
  readonly domains?: readonly Domain[] | null
  readonly snapshotJournalBytes?: number | null
  readonly log?: EventLog | null
}

/**
 * A fleet in one process: replicas, network, disks, clocks and an operator, all from one seed. Nothing here waits: `run`
 * goes from one event to the next. A witness sees everything and asserts the invariants of PROTOCOL section 9 all the time.
 */
export class SimulatedFleet {
  /** Every machine there ever was, also those without power and those that are gone. */
  readonly nodes: SimulatedNode[] = []
  readonly network: SimulatedNetwork
  readonly operator: Operator
  readonly witness: Witness
  readonly random: Random
  readonly genesis: Genesis
  readonly log: EventLog | null
  now = 1000
  readonly #events = new EventQueue()
  #happened = 0
  readonly #snapshotJournalBytes: number | null

  constructor(options: FleetOptions) {
    this.genesis = options.genesis
    this.random = options.random
    this.log = options.log ?? null
    this.#snapshotJournalBytes = options.snapshotJournalBytes ?? null
    this.witness = new Witness(this.genesis)
    this.operator = new Operator((node, epoch) => {
      if (node.isUp) node.receive({ kind: 'epoch', epoch })
    })
    this.network = new SimulatedNetwork(
      options.domains ?? [{ link: 'air', nodes: this.genesis.founders.map(({ node }) => nameOf(node)) }],
      options.faults ?? NO_FAULTS,
      this.random,
      this.#events,
      (to, link, frame) => this.#arrive(this.node(to), link, frame),
    )
    for (const { node, tier } of this.genesis.founders) this.#open(nameOf(node), node, tier, EMPTY_IMAGE)
    for (const node of this.nodes) this.#start(node)
  }

  /** A new machine with an empty disk, on one of the domains, or on this one: it starts as a draft. */
  add(nodeId: NodeId, tier: number, link: string | null = null): SimulatedNode {
    const name = nameOf(nodeId)
    const { links } = this.network
    this.network.connect(name, link ?? (links[this.random.uint32() % links.length] as string))
    const node = this.#open(name, nodeId, tier, EMPTY_IMAGE)
    this.log?.add(this.now, name, 'join', null, 'a new machine')
    this.#start(node)
    return node
  }

  /** A second machine with a copy of the disk, which thinks that it is the same node. */
  clone(original: SimulatedNode): SimulatedNode {
    const name = `${original.name}2`
    for (const link of this.network.linksOf(original.name)) this.network.connect(name, link)
    const clone = this.#open(name, original.node, original.tier, original.disk.image)
    this.log?.add(this.now, name, 'clone', null, `of ${original.name}`)
    this.witness.noteCloned(original, clone)
    this.#start(clone)
    return clone
  }

  node(name: string): SimulatedNode {
    const node = this.nodes.find((candidate) => candidate.name === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  issue(node: SimulatedNode, request: OperationRequest, commitWithinMs: number = 0): Issued {
    this.log?.add(this.now, node.name, 'request', null, describe(request))
    return node.issue(request, commitWithinMs)
  }

  crash(node: SimulatedNode, loss?: PowerLoss): void {
    if (!node.isUp) return
    node.crash(loss)
    this.#noteCrash(node)
  }

  /** The machine burns, or is taken out of service: it and its card never come back. */
  destroy(node: SimulatedNode): void {
    this.crash(node)
    node.isGone = true
    this.log?.add(this.now, node.name, 'destroy', null, 'it never comes back')
  }

  /** Puts another card into a machine: an old backup, or an empty one. It is started by whoever starts machines. */
  replaceDisk(node: SimulatedNode, image: DiskImage): void {
    this.crash(node)
    node.disk.replace(image)
    this.log?.add(this.now, node.name, 'restore', null, `through record ${image.last}`)
    this.witness.noteReplaced(node, image)
  }

  restart(node: SimulatedNode): void {
    if (node.isUp || node.isGone) return
    this.log?.add(this.now, node.name, 'restart', null, '')
    node.reopen()
    this.#start(node)
  }

  raiseLinks(node: SimulatedNode): void {
    for (const link of this.network.linksOf(node.name)) {
      if (node.isUp && !node.linksUp.has(link)) node.linkUp(link)
    }
  }

  /** Cuts fall away; everybody is told as if the links had just come up. */
  heal(): void {
    this.network.cuts.clear()
    this.network.mute.clear()
    for (const node of this.nodes) for (const link of this.network.linksOf(node.name)) if (node.isUp) node.linkUp(link)
  }

  /** Lets time pass, going from one event to the next. */
  run(durationMs: number): void {
    const until = this.now + durationMs
    while (this.#events.nextAt <= until) {
      this.now = Math.max(this.now, this.#events.nextAt)
      this.#happened += 1
      check('bounded', this.#happened < EVENTS_MAX, () => `${EVENTS_MAX} events have not brought it to an end`)
      this.#events.take()?.()
    }
    this.now = until
  }

  #open(name: string, node: NodeId, tier: number, image: DiskImage): SimulatedNode {
    const opened = new SimulatedNode({
      name,
      node,
      tier,
      image,
      genesis: this.genesis,
      random: this.random,
      events: this.#events,
      now: () => this.now,
      snapshotJournalBytes: this.#snapshotJournalBytes,
      readFrame: (bytes) => this.witness.ledger.readFrame(bytes),
      carryOut: (from, output) => this.#carryOut(from, output),
      noteIssue: (by, issued) => this.#noteIssue(by, issued),
      noteCommit: (by, records) => this.witness.noteCommit(by, records),
    })
    this.nodes.push(opened)
    return opened
  }

  #start(node: SimulatedNode): void {
    this.witness.noteStart(node)
    node.start()
    this.raiseLinks(node)
  }

  #arrive(to: SimulatedNode, link: string, frame: Frame): void {
    const delayMs = to.slownessMs * fraction(this.random)
    if (delayMs > 0) this.#events.add(this.now + delayMs, () => this.#hear(to, link, frame))
    else this.#hear(to, link, frame)
  }

  #hear(to: SimulatedNode, link: string, frame: Frame): void {
    if (!to.isUp || !to.linksUp.has(link)) return
    this.witness.noteHeard(to, frame.message)
    to.receive({ kind: 'frame', link, bytes: frame.bytes })
  }

  #carryOut(node: SimulatedNode, output: Output | null): void {
    if (output === null) {
      this.#noteCrash(node)
      return
    }
    if (this.log !== null) logOutput(this.log, this.now, node.name, output)
    this.witness.noteOutput(node, output)
    if (output.kind !== 'send') return
    const frame: Frame = { bytes: output.frame, message: this.witness.ledger.readFrame(output.frame) }
    this.witness.noteSend(node, frame.message)
    for (const link of node.linksUp) {
      const { links } = output.to
      if (links === 'all' || ('only' in links ? links.only === link : links.except !== link)) {
        this.network.broadcast(node.name, link, frame, this.now)
      }
    }
  }

  #noteIssue(node: SimulatedNode, issued: Issued): void {
    this.log?.add(this.now, node.name, 'issue', issued.stage, `${shortId(issued.id)} ${issued.execution.outcome}`)
    this.witness.noteIssue(node, issued)
  }

  #noteCrash(node: SimulatedNode): void {
    this.log?.add(this.now, node.name, 'crash', null, '')
    this.witness.noteCrash(node)
  }
}

/** The id of a node that is not there yet. */
export function freeNodeId(fleet: SimulatedFleet): NodeId {
  const first = 0x0a + new Set(fleet.nodes.map(({ node }) => node)).size
  return `${first.toString(16).padStart(2, '0')}00000000000001` as NodeId
}

/** `a` for node 0a…, `b` for 0b…, and so on. */
export function nameOf(node: NodeId): string {
  return String.fromCharCode(0x61 + Number.parseInt(node.slice(0, 2), 16) - 0x0a)
}

function describe(request: OperationRequest): string {
  const guards = request.guards.map(
    ({ path, comparison, value }) => `if ${path} ${comparison} ${JSON.stringify(value)} `,
  )
  const writes = request.writes.map(({ path, kind, argument }) => `${kind} ${path} ${JSON.stringify(argument)}`)
  return guards.join('') + writes.join(', ')
}
