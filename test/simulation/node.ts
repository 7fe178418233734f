import { equalBytes } from '../../runtime/base/bytes.ts'
import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { fraction, type Random } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Message } from '../../runtime/sync/message.ts'
import type { Destination, Output } from '../../runtime/sync/output.ts'
import type { Input } from '../../runtime/sync/input.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { joinPieces } from '../../runtime/sync/snapshot.ts'
import { type DiskImage, EMPTY_IMAGE, type PowerLoss, SimulatedDisk } from './disk.ts'
import type { EventQueue } from './event-queue.ts'
import { LocalClock } from './local-clock.ts'
import { signatureOf } from './operator.ts'
import { signingOf } from './signing.ts'

export interface NodeOptions {
  readonly name: string
  readonly node: NodeId
  readonly tier: number
  /** What is on its disk when it is put into service. */
  readonly image?: DiskImage
  readonly genesis: Genesis
  readonly random: Random
  readonly events: EventQueue
  /** The fleet's time, which no node knows. */
  readonly now: () => number
  readonly snapshotJournalBytes: number | null
  /** Reads a frame once for all who hear it. */
  readonly readFrame: (bytes: Uint8Array) => Message
  /** Takes each output once the disk has had its part of it; null says that the power has failed instead. */
  readonly carryOut: (node: SimulatedNode, output: Output | null) => void
  readonly noteIssue: (node: SimulatedNode, issued: Issued) => void
  /** Told of records on the medium, right before the replica is. */
  readonly noteCommit: (node: SimulatedNode, records: readonly Uint8Array[]) => void
}

/** One gateway: a replica with its disk and its clock. It can lose power at any point, also between two outputs. */
export class SimulatedNode {
  readonly name: string
  readonly node: NodeId
  readonly tier: number
  readonly disk: SimulatedDisk
  /** All outputs but frames and records of tests that ask for them; null for not. */
  outputs: Output[] | null = null
  readonly linksUp: Set<string> = new Set()
  replica: Replica
  clock: LocalClock
  isUp = true
  /** It will never have power again. */
  isGone = false
  /** How long a commit takes at most, and how late this node may look at what has arrived or is due. */
  syncDelayMs = 0
  slownessMs = 0
  /** The power fails after so many more outputs; null for not. */
  outputsToCrash: number | null = null
  /** Which life this is: what was planned in an earlier one does not happen any more. */
  #life = 0
  #wakeAt = Infinity
  readonly #congested = new Set<string>()
  readonly #options: NodeOptions

  constructor(options: NodeOptions) {
    this.#options = options
    this.name = options.name
    this.node = options.node
    this.tier = options.tier
    this.disk = new SimulatedDisk(options.image ?? EMPTY_IMAGE)
    this.clock = new LocalClock(options.now(), options.now())
    this.replica = this.#open()
  }

  /** Who it is in its present life. */
  get member(): MemberId {
    return this.replica.self
  }

  issue(request: OperationRequest, commitWithinMs: number): Issued {
    const issued = this.replica.issue(request, commitWithinMs, this.#reading)
    this.#options.noteIssue(this, issued)
    this.#carryOut(issued.outputs)
    return issued
  }

  receive(input: Input): void {
    this.#carryOut(this.replica.receive(input, this.#reading))
  }

  start(): void {
    this.#carryOut(this.replica.tick(this.#reading))
  }

  linkUp(link: string): void {
    this.linksUp.add(link)
    this.receive({ kind: 'link-up', link })
  }

  linkDown(link: string): void {
    this.linksUp.delete(link)
    this.receive({ kind: 'link-down', link })
  }

  /** Power off: what is not on the medium is gone. A commit in flight may have reached it and never been reported. */
  crash(loss: PowerLoss = fraction(this.#options.random) < 0.5 ? 'kept' : 'lost'): void {
    this.isUp = false
    this.outputsToCrash = null
    this.#life += 1
    this.#wakeAt = Infinity
    this.linksUp.clear()
    this.#congested.clear()
    const kept = this.disk.losePower(loss, this.#options.random)
    if (kept.length > 0) this.#options.noteCommit(this, kept)
  }

  /** A new process with a clock that starts anywhere. The caller starts it and raises the links afterwards. */
  reopen(): void {
    const rate = this.clock.rate
    this.clock = new LocalClock(this.#options.now(), this.#options.random.uint32() / 4096)
    this.clock.setRate(rate, this.#options.now())
    this.isUp = true
    this.replica = this.#open()
  }

  /** There is room on its disk again. */
  freeDisk(): void {
    this.disk.isFull = false
    this.#planCommit()
  }

  /** Plans the next tick; to be called after a change of the clock too. */
  plan(): void {
    const { events, random } = this.#options
    const now = this.#options.now()
    const wakeAt = this.isUp ? this.replica.wakeAt(this.#reading) : null
    const at = wakeAt === null ? Infinity : Math.max(now, this.clock.timeOf(wakeAt))
    if (at === this.#wakeAt) return
    this.#wakeAt = at
    if (wakeAt === null) return
    events.add(at + this.slownessMs * fraction(random), () => {
      if (this.#wakeAt !== at) return
      this.#wakeAt = Infinity
      // Rounding must not leave the clock a hair before the moment that it was woken for.
      this.clock.advanceTo(wakeAt, this.#options.now())
      this.#carryOut(this.replica.tick(this.#reading))
    })
  }

  get #reading(): number {
    return this.clock.read(this.#options.now())
  }

  #carryOut(outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (this.outputsToCrash === 0) {
        this.crash()
        this.#options.carryOut(this, null)
        return
      }
      if (this.outputsToCrash !== null) this.outputsToCrash -= 1
      if (output.kind === 'store') this.disk.write(output.number, output.record)
      else if (output.kind === 'snapshot') this.#planSnapshot(joinPieces([...output.pieces]), output.through)
      if (output.kind !== 'send' && output.kind !== 'store') this.outputs?.push(output)
      if (output.kind === 'send' && output.to.channel === 'answers') this.#congest(output.to.links)
      this.#options.carryOut(this, output)
    }
    this.#planCommit()
    this.plan()
  }

  /** Answers wait in the link of a slow node, as long as it is slow. */
  #congest(links: Destination['links']): void {
    if (this.slownessMs === 0 || links === 'all' || !('only' in links) || this.#congested.has(links.only)) return
    const link = links.only
    this.#congested.add(link)
    this.#later(0, () => this.receive({ kind: 'link-congested', link }))
    this.#later(this.slownessMs, () => {
      this.#congested.delete(link)
      this.receive({ kind: 'link-writable', link })
    })
  }

  /** Group commit: what is written while one is in flight goes into the next. */
  #planCommit(): void {
    if (this.disk.isCommitting || this.disk.isFull || !this.disk.hasWritten) return
    this.disk.startCommit()
    this.#later(this.syncDelayMs * fraction(this.#options.random), () => {
      const { through, records } = this.disk.finishCommit()
      this.#options.noteCommit(this, records)
      this.receive({ kind: 'stored', through })
    })
  }

  #planSnapshot(bytes: Uint8Array, through: number): void {
    this.#later(2 * this.syncDelayMs * fraction(this.#options.random), () => this.disk.takeSnapshot(bytes, through))
  }

  /** Unless the power fails before. */
  #later(delayMs: number, happen: () => void): void {
    const life = this.#life
    this.#options.events.add(this.#options.now() + delayMs, () => {
      if (life === this.#life) happen()
    })
  }

  #open(): Replica {
    const { node, tier, genesis, random, snapshotJournalBytes, readFrame } = this.#options
    return new Replica({
      self: memberIdOf(node, 0),
      tier,
      genesis,
      readFrame,
      verifyEpoch: (payload, signature) => equalBytes(signature, signatureOf(payload)),
      random,
      ...signingOf(genesis, node),
      recovered: this.disk.recover(),
      ...(snapshotJournalBytes === null ? {} : { snapshotJournalBytes }),
    })
  }
}
