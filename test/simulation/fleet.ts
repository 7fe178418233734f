import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { fraction, type Random } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import { fleetIdOf, type Genesis } from '../../runtime/sync/membership.ts'
import { decodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import type { EventLog } from './event-log.ts'
import { EventQueue } from './event-queue.ts'
import { Witness } from './invariants.ts'
import { logOutput, shortId } from './log-output.ts'
import { type Domain, type Faults, type Frame, NO_FAULTS, SimulatedNetwork } from './network.ts'
import { SimulatedNode } from './node.ts'

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
 * A fleet in one process: replicas, network, disks and clocks, all from one seed. Nothing here waits: `run` goes from one
 * event to the next. A witness sees everything and asserts the invariants of PROTOCOL section 9 all the time.
 */
export class SimulatedFleet {
  readonly nodes: readonly SimulatedNode[]
  readonly network: SimulatedNetwork
  readonly witness: Witness
  readonly random: Random
  readonly genesis: Genesis
  readonly log: EventLog | null
  now = 1000
  readonly #events = new EventQueue()

  constructor(options: FleetOptions) {
    this.genesis = options.genesis
    this.random = options.random
    this.log = options.log ?? null
    const fleet = fleetIdOf(this.genesis)
    this.witness = new Witness(this.genesis)
    const names = this.genesis.founders.map(({ node }) => nameOf(node))
    this.network = new SimulatedNetwork(
      options.domains ?? [{ link: 'air', nodes: names }],
      options.faults ?? NO_FAULTS,
      this.random,
      this.#events,
      (to, link, frame) => this.#arrive(this.node(to), link, frame),
    )
    this.nodes = this.genesis.founders.map(
      ({ node }) =>
        new SimulatedNode({
          name: nameOf(node),
          member: memberIdOf(node, 0),
          genesis: this.genesis,
          random: this.random,
          events: this.#events,
          now: () => this.now,
          snapshotJournalBytes: options.snapshotJournalBytes ?? null,
          carryOut: (from, output) => this.#carryOut(from, output, fleet),
          noteIssue: (by, issued) => this.#noteIssue(by, issued),
          noteCommit: (by, records) => this.witness.noteCommit(by, records),
        }),
    )
    for (const node of this.nodes) {
      this.witness.noteStart(node)
      node.start()
      this.raiseLinks(node)
    }
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

  crash(node: SimulatedNode): void {
    if (!node.isUp) return
    node.crash()
    this.#noteCrash(node)
  }

  restart(node: SimulatedNode): void {
    if (node.isUp) return
    this.log?.add(this.now, node.name, 'restart', null, '')
    this.witness.noteStart(node)
    node.restart()
    this.raiseLinks(node)
  }

  raiseLinks(node: SimulatedNode): void {
    for (const link of this.network.linksOf(node.name)) {
      if (node.isUp && !node.linksUp.has(link)) node.linkUp(link)
    }
  }

  /** Cuts fall away; everybody is told as if the links had just come up. */
  heal(): void {
    this.network.cuts.clear()
    for (const node of this.nodes) for (const link of this.network.linksOf(node.name)) if (node.isUp) node.linkUp(link)
  }

  /** Lets time pass, going from one event to the next. */
  run(durationMs: number): void {
    const until = this.now + durationMs
    while (this.#events.nextAt <= until) {
      this.now = Math.max(this.now, this.#events.nextAt)
      this.#events.take()?.()
    }
    this.now = until
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

  #carryOut(node: SimulatedNode, output: Output | null, fleet: ReturnType<typeof fleetIdOf>): void {
    if (output === null) {
      this.#noteCrash(node)
      return
    }
    if (this.log !== null) logOutput(this.log, this.now, node.name, output)
    this.witness.noteOutput(node, output)
    if (output.kind !== 'send') return
    const frame: Frame = { bytes: output.frame, message: decodeFrame(fleet, output.frame) }
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
