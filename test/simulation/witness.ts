import { formatOperationId, nodeOf } from '../../runtime/base/ids.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { type Batch, lastOf, type Message } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { assertEqualsReference } from './against-reference.ts'
import { Allowances } from './allowances.ts'
import { check } from './check.ts'
import { Cuts } from './cuts.ts'
import { Floors } from './floors.ts'
import type { DiskImage } from './disk.ts'
import { DiskFacts } from './disk-facts.ts'
import { batchOf, Ledger } from './ledger.ts'
import type { SimulatedNode } from './node.ts'
import { Promises } from './promises.ts'
import { Announced, Statements } from './statements.ts'

/** What is known of one machine from outside. */
interface Observation {
  facts: DiskFacts
  readonly statements: Statements
  /** Own batches that were handed to the disk, and of which it was not told yet that they are durable. */
  handedOver: Batch[]
  readonly drafts: Map<string, Operation>
}

/** Sees everything that happens in a fleet, and asserts on the spot what must hold at all times (PROTOCOL section 9). */
export class Witness {
  readonly ledger: Ledger
  readonly allowances: Allowances = new Allowances()
  crashes = 0
  /** How often each alarm was raised. */
  readonly alarms: Map<string, number> = new Map()
  readonly #promises = new Promises()
  readonly #cuts: Cuts
  readonly #announced = new Announced()
  readonly #observations = new Map<SimulatedNode, Observation>()
  readonly #floors: Floors

  constructor(genesis: Genesis) {
    this.ledger = new Ledger(genesis)
    this.#cuts = new Cuts(this.ledger, this.allowances)
    this.#floors = new Floors(this.allowances)
  }

  noteStart(node: SimulatedNode): void {
    const { statements } = this.#of(node)
    statements.hasHeard = false
    statements.forget()
    this.allowances.noteResumed(node.member)
  }

  noteCrash(node: SimulatedNode): void {
    this.crashes += 1
    const seen = this.#of(node)
    seen.handedOver = []
    seen.statements.forget()
  }

  /** Another card is put into a machine that has no power. */
  noteReplaced(node: SimulatedNode, image: DiskImage): void {
    const seen = this.#of(node)
    this.allowances.noteSetBack(node.node)
    seen.facts = new DiskFacts(image, this.ledger)
    seen.statements.replaceFacts(seen.facts)
    const others = [...this.#observations].flatMap(([other, { facts }]) =>
      other === node || other.isGone ? [] : facts,
    )
    this.#promises.noteReplaced(node, seen.facts, others)
    this.#floors.forget(node)
  }

  noteCloned(original: SimulatedNode, clone: SimulatedNode): void {
    this.allowances.noteCloned(original.node)
    for (const node of [original, clone]) this.allowances.noteResumed(node.member)
  }

  /** What none of those holds who count from now on may be lost; what they have settled is what is settled. */
  noteForced(counting: readonly SimulatedNode[]): void {
    this.allowances.noteForced()
    this.#promises.noteForced(counting.map((node) => this.#of(node).facts))
    this.#floors.keepOf(counting)
  }

  noteIssue(node: SimulatedNode, issued: Issued): void {
    if (!issued.isDraft) this.#of(node).statements.noteIssue(issued)
  }

  /** @param records on the medium of `node` from now on */
  noteCommit(node: SimulatedNode, records: readonly Uint8Array[]): void {
    const { facts, statements } = this.#of(node)
    for (const bytes of records) {
      const record = this.ledger.readRecord(bytes)
      facts.note(record)
      const batch = batchOf(record)
      if (batch?.origin === node.member) statements.noteDurable(batch)
    }
  }

  noteOutput(node: SimulatedNode, output: Output): void {
    switch (output.kind) {
      case 'alarm': {
        const { alarm } = output
        this.alarms.set(alarm.name, (this.alarms.get(alarm.name) ?? 0) + 1)
        const isPermitted = this.allowances.permits(alarm, node.node)
        const broken = alarm.name === 'cut-below-floor' ? 'I3' : 'I2'
        return check(broken, isPermitted, () => `${node.name} raises ${JSON.stringify(alarm)}`)
      }
      case 'durable':
        return this.#notePromise(node, output.through.member, output.through.seq)
      case 'draft-durable':
        return this.#noteDraftPromise(node, formatOperationId(output.draft))
      case 'settled':
        this.#cuts.checkFolded(node)
        return this.noteFloor(node)
      case 'standing':
        this.#of(node).statements.forget()
        return this.noteFloor(node)
      case 'store':
        return this.#noteHandedOver(node, output.record)
      default:
        return undefined
    }
  }

  /** An announcement, or a snapshot, which stands for more than one. */
  noteHeard(node: SimulatedNode, message: Message): void {
    const isOther = message.kind === 'announcement' && message.announcement.member !== node.member
    if (isOther || message.kind === 'chunk') this.#of(node).statements.hasHeard = true
  }

  noteSend(node: SimulatedNode, message: Message): void {
    const { statements } = this.#of(node)
    if (message.kind === 'batch' && message.batch.origin === node.member) statements.checkSent(message.batch)
    if (message.kind !== 'announcement' || message.announcement.member !== node.member) return
    statements.checkAnnounced(message.announcement)
    this.#floors.note(node, message.announcement.floor, message.announcement.floorDigest)
  }

  /** I1: the rolling digest at each floor is equal everywhere for ever. */
  noteFloor(node: SimulatedNode): void {
    const { stage, digest } = node.replica.floor
    this.#floors.note(node, stage, digest)
  }

  /**
   * I7, I8: what a member holds now, executed anew by the reference, gives its order, outcomes, state, conflicts and digest.
   * Only while all of it is in batches on its disk, since then its vector says what it holds.
   */
  checkAgainstReference(node: SimulatedNode): void {
    const view = node.replica.inspect(0)
    if (view.status !== 'member' || view.outboxLength > 0) return
    const stored = new Map(view.vector.map(({ member, seq }) => [member, seq]))
    if (view.members.some(({ member, heldSeq }) => heldSeq !== (stored.get(member) ?? 0))) return
    const run = this.ledger.run(view.vector)
    if (typeof run === 'string') return check('I6', false, () => `${node.name} holds what nobody stored of ${run}`)
    assertEqualsReference(node, view, run)
  }

  /** I6, once everybody holds the same. */
  checkPromises(nodes: readonly SimulatedNode[]): void {
    this.#floors.checkDoubted()
    this.#cuts.checkDoubted()
    const run = this.ledger.run(nodes[0]?.replica.inspect(0).vector ?? [])
    if (typeof run !== 'string') this.#promises.checkKept(run, nodes, this.allowances)
  }

  #notePromise(node: SimulatedNode, member: string, seq: number): void {
    const seen = this.#of(node)
    const told = seen.handedOver.filter((batch) => batch.origin === member && lastOf(batch).current.id.seq <= seq)
    check('durable', told.length > 0, () => `${node.name} calls ${member}:${seq} durable, which it did not store`)
    for (const batch of told) {
      check('durable', seen.facts.holdsBatch(batch.digest), () => `${node.name}: ${member}:${seq} is not stored`)
      for (const { current } of batch.messages) this.#promises.note(node, current, batch)
    }
    seen.handedOver = seen.handedOver.filter((batch) => !told.includes(batch))
  }

  #noteDraftPromise(node: SimulatedNode, id: string): void {
    const draft = this.#of(node).drafts.get(id)
    check('durable', draft !== undefined, () => `${node.name} calls draft ${id} durable, which it did not store`)
    if (draft !== undefined) this.#promises.note(node, draft, null)
  }

  #noteHandedOver(node: SimulatedNode, bytes: Uint8Array): void {
    const seen = this.#of(node)
    const record = this.ledger.readRecord(bytes)
    if (record.kind === 'cuts') this.#cuts.noteCuts(node, record.cuts, this.#living())
    if (record.kind === 'draft') seen.drafts.set(formatOperationId(record.draft.current.id), record.draft.current)
    const batch = batchOf(record)
    if (batch === null || nodeOf(batch.origin) !== node.node) return
    seen.handedOver.push(batch)
    if (batch.origin === node.member) seen.statements.noteSealed(batch)
  }

  #living(): SimulatedNode[] {
    return [...this.#observations.keys()].filter(({ isUp, isGone }) => isUp && !isGone)
  }

  #of(node: SimulatedNode): Observation {
    let seen = this.#observations.get(node)
    if (seen === undefined) {
      const facts = new DiskFacts(node.disk.image, this.ledger)
      const statements = new Statements(node, facts, this.#announced, this.allowances)
      seen = { facts, statements, handedOver: [], drafts: new Map() }
      this.#observations.set(node, seen)
    }
    return seen
  }
}
