import type { MemberId } from '../../runtime/base/ids.ts'
import { fraction, type Random } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { Input } from '../../runtime/sync/input.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { joinPieces } from '../../runtime/sync/snapshot.ts'
import { SimulatedDisk } from './disk.ts'
import type { EventQueue } from './event-queue.ts'
import { LocalClock } from './local-clock.ts'

export interface NodeOptions {
  readonly name: string
  readonly member: MemberId
  readonly genesis: Genesis
  readonly random: Random
  readonly events: EventQueue
  /** The fleet's time, which no node knows. */
  readonly now: () => number
  readonly snapshotJournalBytes: number | null
  /** Takes each output once the disk has had its part of it; null says that the power has failed instead. */
  readonly carryOut: (node: SimulatedNode, output: Output | null) => void
  readonly noteIssue: (node: SimulatedNode, issued: Issued) => void
  /** Told of records on the medium, right before the replica is. */
  readonly noteCommit: (node: SimulatedNode, records: readonly Uint8Array[]) => void
}

/** One gateway: a replica with its disk and its clock. It can lose power at any point, also between two outputs. */
export class SimulatedNode {
  readonly name: string
  readonly member: MemberId
  readonly disk: SimulatedDisk = new SimulatedDisk()
  readonly linksUp: Set<string> = new Set()
  replica: Replica
  clock: LocalClock
  isUp = true
  /** How long a commit takes at most, and how late this node may look at what has arrived or is due. */
  syncDelayMs = 0
  slownessMs = 0
  /** The power fails after so many more outputs; null for not. */
  outputsToCrash: number | null = null
  /** Which life this is: what was planned in an earlier one does not happen any more. */
  #life = 0
  #wakeAt = Infinity
  readonly #options: NodeOptions

  constructor(options: NodeOptions) {
    this.#options = options
    this.name = options.name
    this.member = options.member
    this.clock = new LocalClock(options.now(), options.now())
    this.replica = this.#open()
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
  crash(): void {
    this.isUp = false
    this.outputsToCrash = null
    this.#life += 1
    this.#wakeAt = Infinity
    this.linksUp.clear()
    const kept = this.disk.losePower(fraction(this.#options.random) < 0.5)
    if (kept.length > 0) this.#options.noteCommit(this, kept)
  }

  /** A new process with a clock that starts anywhere. The caller raises the links afterwards. */
  restart(): void {
    const rate = this.clock.rate
    this.clock = new LocalClock(this.#options.now(), this.#options.random.uint32() / 4096)
    this.clock.setRate(rate, this.#options.now())
    this.isUp = true
    this.replica = this.#open()
    this.start()
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
      this.#options.carryOut(this, output)
    }
    this.#planCommit()
    this.plan()
  }

  /** Group commit: what is written while one is in flight goes into the next. */
  #planCommit(): void {
    if (this.disk.isCommitting || !this.disk.hasWritten) return
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
    const { member, genesis, random, snapshotJournalBytes } = this.#options
    return new Replica({
      self: member,
      genesis,
      random,
      recovered: this.disk.recover(),
      ...(snapshotJournalBytes === null ? {} : { snapshotJournalBytes }),
    })
  }
}
