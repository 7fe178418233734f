import type { Monotonic } from '../base/clock.ts'
import type { Digest } from '../base/digest.ts'
import { assert, FleetstepError, unreachable } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import { JOURNAL_OPERATIONS_MAX, JOURNAL_OPERATIONS_WARNING, PATHS_MAX } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { type Operation, type OperationRequest, pathsMet } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import type { Priority } from '../state/priority.ts'
import { isReserved } from '../state/reserved-point.ts'
import type { Value } from '../state/value.ts'
import { Alarms } from './alarms.ts'
import { AntiEntropy, type OwnStatement } from './anti-entropy.ts'
import type { Conflict } from './conflict.ts'
import { describeIntegration } from './describe-integration.ts'
import { DropCounter } from './drop-counter.ts'
import { type FloorView, possibleFloor } from './floor.ts'
import type { Input } from './input.ts'
import type { History, Integration, Reception } from './history.ts'
import { type Inspection, inspect } from './inspection.ts'
import { checkOperation, type Issued } from './issue.ts'
import type { Genesis } from './membership.ts'
import { fleetIdOf } from './membership.ts'
import { type Announcement, type Batch, lastOf } from './message.ts'
import { decodeFrame, dropReason, encodeFrame } from './message-codec.ts'
import { Outbox } from './outbox.ts'
import type { Output } from './output.ts'
import { announcedStage, ownStatement } from './own-statement.ts'
import { type OwnVector, Peers } from './peers.ts'
import { RecordWriter } from './record-writer.ts'
import { type Recovered, recoverHistory } from './recovery.ts'
import { encodeSnapshot } from './snapshot.ts'
import { settle } from './settle.ts'
import type { FloorMark } from './stored-floor.ts'
import { Tombstones } from './tombstones.ts'
import { vectorDigest } from './version-vector.ts'

export interface ReplicaOptions {
  /** The member that this node is. */
  readonly self: MemberId
  readonly genesis: Genesis
  readonly random: Random
  /** What the store gave back. */
  readonly recovered: Recovered
  /** Journal bytes after which a snapshot is cut; SNAPSHOT_JOURNAL_BYTES if absent. */
  readonly snapshotJournalBytes?: number
}

/**
 * One member's replica of the device-state object: the only mutating entrance of the core, and pure. `issue`, `receive` and
 * `tick` take what happened and the time, and return everything that is to be done about it, as data. All outputs of one
 * call are carried out, in order, before the next call.
 *
 * Invariants: nothing of our own is sent before it is on the disk; an announcement states only what is on the disk; the
 * stages of our own operations only grow.
 */
export class Replica {
  readonly self: MemberId
  readonly fleet: Digest
  readonly #history: History
  readonly #peers = new Peers()
  readonly #outbox = new Outbox()
  readonly #antiEntropy: AntiEntropy
  readonly #dropped = new DropCounter()
  readonly #tombstones: Tombstones
  readonly #writer: RecordWriter
  readonly #alarms = new Alarms()
  readonly #priority: Priority
  readonly #start: number
  #hasStarted = false
  #hasHeard: boolean
  #draftReason: string | null = null
  #nextSeq: number
  #ownVector: OwnVector | null = null
  #floorView: FloorView

  /** @throws FleetstepError `data-directory-damaged`, `config-invalid` */
  constructor(options: ReplicaOptions) {
    this.self = options.self
    this.fleet = fleetIdOf(options.genesis)
    const recovery = recoverHistory(options.self, options.genesis, options.recovered)
    this.#history = recovery.history
    const member = this.#history.membership.get(options.self)
    if (member === undefined) {
      throw new FleetstepError(
        'config-invalid',
        `node ${options.self} is not among the fleet's members: add it to fleet.members in every gateway's config`,
      )
    }
    this.#priority = member.priority
    this.#start = recovery.start + 1
    const { recovered, snapshotJournalBytes } = options
    this.#writer = new RecordWriter(recovered, recovery.storedStage, this.#floor, snapshotJournalBytes)
    this.#tombstones = new Tombstones(this.#history)
    this.#nextSeq = this.#history.log(this.self).held.seq + 1
    this.#hasHeard = this.#history.membership.size === 1
    this.#floorView = { stage: this.#history.floor, hold: null }
    this.#antiEntropy = new AntiEntropy({
      self: this.self,
      fleet: this.fleet,
      history: this.#history,
      peers: this.#peers,
      random: options.random,
      statement: () => this.#statement(),
      ownVector: () => this.#storedVector(),
      maySpeak: () => this.#maySpeak(),
    })
  }

  /** How often this member has started, this time included. */
  get start(): number {
    return this.#start
  }

  /** The last of our own operations that is on the disk. */
  get durableSeq(): number {
    return this.#history.log(this.self).stored.seq
  }

  /** The earliest time at which `tick` has something to do, or null. */
  wakeAt(now: Monotonic): Monotonic | null {
    if (!this.#hasStarted) return now
    const antiEntropyAt = this.#antiEntropy.wakeAt()
    const sealAt = this.#outbox.sealAt
    if (antiEntropyAt === null || sealAt === null) return antiEntropyAt ?? sealAt
    return Math.min(antiEntropyAt, sealAt)
  }

  /**
   * Executes a local operation at once.
   * @param commitWithinMs how long it may wait for others before it is committed and sent; 0 for at once
   * @throws FleetstepError `operation-invalid`, `operation-refused`, `limit-reached`; nothing has changed then
   */
  issue(request: OperationRequest, commitWithinMs: number, now: Monotonic): Issued {
    this.#assertMayIssue()
    const checked = checkOperation(request, (path) => this.#history.local.cell(path))
    this.#assertRoomFor(checked.paths)
    const previous = this.#history.highWater
    const operation: Operation = {
      id: { member: this.self, seq: this.#nextSeq },
      stage: previous.stage + 1,
      floor: this.#history.floor,
      priority: this.#priority,
      writes: checked.writes,
      guards: checked.guards,
      join: null,
      original: null,
      paths: pathsMet(checked.paths, this.self, null, null),
    }
    this.#nextSeq += 1
    const integration = this.#history.execute(operation)
    this.#outbox.add({ current: operation, previous }, checked.bytes, now + commitWithinMs)
    const outputs = [...this.#describe(integration), ...this.tick(now)]
    const execution = integration.entries[0]?.execution
    assert(execution, 'a local operation is executed at once')
    return { id: operation.id, stage: operation.stage, execution, outputs }
  }

  receive(input: Input, now: Monotonic): Output[] {
    switch (input.kind) {
      case 'link-up':
        this.#antiEntropy.noteLinkUp(input.link, now)
        return this.tick(now)
      case 'link-down':
        this.#antiEntropy.noteLinkDown(input.link)
        return []
      case 'frame':
        return [...this.#receiveFrame(input.bytes, input.link, now), ...this.tick(now)]
      case 'stored':
        return [...this.#noteStored(input.through, now), ...this.tick(now)]
      case 'resolve':
        this.#history.conflicts.resolve(input.conflict)
        return [this.#writer.store({ kind: 'resolved', conflict: input.conflict })]
      default:
        return unreachable(input)
    }
  }

  /** Does everything that time does. */
  tick(now: Monotonic): Output[] {
    const outputs: Output[] = []
    if (!this.#hasStarted) {
      this.#hasStarted = true
      outputs.push(this.#writer.store({ kind: 'start', member: this.self, start: this.#start }))
    }
    const { sealAt } = this.#outbox
    if (sealAt !== null && sealAt <= now) outputs.push(...this.#seal())
    outputs.push(...this.#antiEntropy.tick(now))
    return outputs
  }

  /** Seals what waits for its commit window, before an orderly end. */
  flush(now: Monotonic): Output[] {
    return [...this.tick(now), ...this.#seal()]
  }

  get(path: Path): Value | undefined {
    return this.#history.local.get(path)
  }

  /** Every point with a value, in no order. */
  *entries(): Generator<[Path, Value]> {
    for (const register of this.#history.local.registers()) {
      const { value } = register.cell
      if (value !== undefined && !isReserved(register.path)) yield [register.path, value]
    }
  }

  /** Every point with a settled value, in no order. */
  *settledEntries(): Generator<[Path, Value]> {
    for (const [path, { value }] of this.#history.local.settledCells())
      if (value !== undefined && !isReserved(path)) yield [path, value]
  }

  /** The value that no member can change without a new operation, or undefined. */
  settled(path: Path): Value | undefined {
    return this.#history.local.settledCell(path).value
  }

  conflicts(): readonly Conflict[] {
    return this.#history.conflicts.list()
  }

  inspect(now: Monotonic): Inspection {
    return inspect({
      self: this.self,
      status: this.#draftReason === null ? 'member' : 'draft',
      draftReason: this.#draftReason,
      history: this.#history,
      peers: this.#peers,
      floorHold: this.#floorView.hold,
      outboxLength: this.#outbox.length,
      dropped: this.#dropped.toJSON(),
      links: [...this.#antiEntropy.links],
      now,
    })
  }

  #receiveFrame(bytes: Uint8Array, link: string, now: Monotonic): Output[] {
    let message
    try {
      message = decodeFrame(this.fleet, bytes)
    } catch (error) {
      this.#dropped.add(dropReason(error))
      return []
    }
    switch (message.kind) {
      case 'batch':
        return this.#receiveBatch(message.batch, link, now)
      case 'announcement':
        return this.#receiveAnnouncement(message.announcement, bytes, link, now)
      case 'request':
        if (message.request.from !== this.self) this.#antiEntropy.noteRequest(message.request, link, now)
        return []
      default:
        return unreachable(message)
    }
  }

  #receiveBatch(batch: Batch, link: string, now: Monotonic): Output[] {
    const last = lastOf(batch).current.id
    if (batch.origin === this.self && last.seq > this.#history.log(this.self).held.seq) {
      return this.#becomeDraft(`the fleet holds operation ${last.seq} of this node, which this node does not know`)
    }
    if (this.#draftReason !== null) {
      this.#dropped.add('this node is a draft')
      return []
    }
    const reception = this.#history.receive(batch)
    const outputs = this.#describeVerdict(batch, reception)
    for (const integration of reception.integrations) {
      outputs.push(...this.#keep(integration), ...this.#relay(integration, link), ...this.#describe(integration))
    }
    // What was refused must not be asked for again and again.
    if (reception.verdict.kind !== 'refused' && reception.verdict.kind !== 'late')
      this.#antiEntropy.noteBatch(batch, link, now)
    return outputs
  }

  #receiveAnnouncement(announcement: Announcement, frame: Uint8Array, link: string, now: Monotonic): Output[] {
    if (announcement.member === this.self) return []
    if (this.#history.membership.get(announcement.member) === undefined) {
      this.#dropped.add('announcement of a node that is no member')
      return []
    }
    const peer = this.#peers.note(announcement, this.#storedVector(), link, now)
    if (peer === null) return []
    const own = peer.vector.get(this.self)
    const log = this.#history.log(this.self)
    const outputs: Output[] = []
    if (own !== undefined && own.seq > log.held.seq) {
      outputs.push(
        ...this.#becomeDraft(`the fleet holds ${own.seq} operations of this node, which knows only ${log.held.seq}`),
      )
    } else if (own !== undefined && (log.digestAt(own.seq) ?? own.digest) !== own.digest) {
      outputs.push(...this.#becomeDraft('the fleet holds other operations of this node than this node itself'))
    }
    if (!this.#hasHeard) this.#antiEntropy.noteStored(now)
    this.#hasHeard = true
    this.#antiEntropy.noteAnnouncement(peer, now)
    if (this.#antiEntropy.links.size > 1) {
      outputs.push({ kind: 'send', frame, to: { channel: 'announcements', links: { except: link } } })
    }
    outputs.push(...this.#checkDivergence(announcement), ...this.#advanceFloor())
    return outputs
  }

  #noteStored(through: number, now: Monotonic): Output[] {
    const outputs: Output[] = []
    for (const batch of this.#writer.advance(through)) {
      this.#history
        .log(batch.origin)
        .markStored({ member: batch.origin, seq: lastOf(batch).current.id.seq, digest: batch.digest })
      if (batch.origin !== this.self) continue
      this.#outbox.noteStored()
      outputs.push({ kind: 'durable', through: lastOf(batch).current.id })
      if (this.#maySpeak()) outputs.push(this.#send(batch, 'all'))
    }
    this.#ownVector = null
    this.#antiEntropy.noteStored(now)
    return [...outputs, ...this.#advanceFloor(), ...this.#snapshotIfDue()]
  }

  #seal(): Output[] {
    const batches = this.#outbox.seal(this.self, this.#history.log(this.self).held.digest)
    return batches.flatMap((batch) => {
      this.#history.seal(batch)
      return this.#writer.storeBatch(batch, this.#floor)
    })
  }

  /** Received operations are stored in the order of their integration. */
  #keep(integration: Integration): Output[] {
    return integration.batch === null ? [] : this.#writer.storeBatch(integration.batch, this.#floor)
  }

  /** A node with several links carries for those who have only one. */
  #relay(integration: Integration, link: string): Output[] {
    if (integration.batch === null || this.#antiEntropy.links.size < 2) return []
    return [this.#send(integration.batch, { except: link })]
  }

  #send(batch: Batch, links: { readonly except: string } | 'all'): Output {
    return {
      kind: 'send',
      frame: encodeFrame(this.fleet, { kind: 'batch', batch }),
      to: { channel: 'operations', links },
    }
  }

  #describe(integration: Integration): Output[] {
    return [...describeIntegration(integration, this.#history.local), ...this.#warnOfJournal()]
  }

  #describeVerdict(batch: Batch, reception: Reception): Output[] {
    const { verdict } = reception
    const { member, seq } = lastOf(batch).current.id
    switch (verdict.kind) {
      case 'late':
        this.#dropped.add('operation at or below the floor')
        return this.#alarms.raise({ name: 'late-operation', member, seq })
      case 'used-twice':
        this.#dropped.add('operation of a second life of its member')
        return this.#alarms.raise({ name: 'identity-used-twice', member, seq })
      case 'refused':
        this.#dropped.add(verdict.reason)
        return []
      case 'wait':
        if (reception.waits === 'full') this.#dropped.add('the waiting list is full')
        return []
      case 'known':
      case 'ready':
        return []
      default:
        return unreachable(verdict)
    }
  }

  #advanceFloor(): Output[] {
    const view = possibleFloor(
      this.#history,
      this.#peers,
      this.self,
      this.#ownBound(),
      this.#outbox.first?.stage ?? null,
    )
    this.#floorView = view
    if (view.stage <= this.#history.floor) return []
    const { paths, changes } = settle(this.#history, view.stage)
    this.#tombstones.follow(paths, this.#peers, this.self)
    return [{ kind: 'settled', floor: view.stage, changes }]
  }

  /** A draft issues nothing under its old member id any more, so its own disk does not hold the floor. */
  #ownBound(): number {
    return this.#draftReason === null ? announcedStage(this.#writer, this.#firstUnstored()) : Number.MAX_SAFE_INTEGER
  }

  /** The first operation of our own that is not on the disk, sealed or not. Stages and floors grow from there. */
  #firstUnstored(): Operation | null {
    const log = this.#history.log(this.self)
    return log.messageAt(log.stored.seq + 1)?.current ?? this.#outbox.first
  }

  #checkDivergence(announcement: Announcement): Output[] {
    const digest = this.#history.floorDigests.get(announcement.floor)
    if (digest === undefined || digest === announcement.floorDigest) return []
    return this.#alarms.raise({ name: 'divergence', member: announcement.member, floor: announcement.floor })
  }

  #snapshotIfDue(): Output[] {
    if (!this.#writer.isSnapshotDue) return []
    const snapshot = this.#history.snapshot(this.self, this.#start, this.#outbox.firstPrevious)
    return [this.#writer.snapshot(encodeSnapshot(snapshot))]
  }

  #becomeDraft(reason: string): Output[] {
    if (this.#draftReason !== null) return []
    this.#draftReason = reason
    this.#history.waitingList.clear()
    return this.#alarms.raise({ name: 'regressed', reason })
  }

  #warnOfJournal(): Output[] {
    const { length } = this.#history.journal
    if (length < JOURNAL_OPERATIONS_WARNING) return []
    return this.#alarms.raise({
      name: 'journal-long',
      operations: length,
      waitingFor: this.#floorView.hold?.member ?? null,
    })
  }

  #assertMayIssue(): void {
    if (this.#draftReason !== null) {
      throw new FleetstepError('operation-refused', `this node may not issue operations: ${this.#draftReason}`)
    }
    if (this.#history.journal.length >= JOURNAL_OPERATIONS_MAX) {
      const member = this.#floorView.hold?.member ?? 'its own disk'
      throw new FleetstepError(
        'limit-reached',
        `the journal is full with ${JOURNAL_OPERATIONS_MAX} operations: it waits for ${member}`,
      )
    }
  }

  #assertRoomFor(paths: readonly Path[]): void {
    const { local } = this.#history
    if (local.size + paths.length <= PATHS_MAX || paths.every((path) => local.has(path))) return
    throw new FleetstepError(
      'limit-reached',
      `the state is full with ${PATHS_MAX} points: remove some that are not used`,
    )
  }

  #statement(): OwnStatement | null {
    if (this.#draftReason !== null) return null
    return ownStatement(this.#start, this.#writer, this.#firstUnstored(), this.#history)
  }

  get #floor(): FloorMark {
    return { stage: this.#history.floor, digest: this.#history.floorDigest }
  }

  #maySpeak(): boolean {
    return this.#hasHeard && this.#draftReason === null
  }

  #storedVector(): OwnVector {
    if (this.#ownVector === null) {
      const vector = this.#history.storedVector()
      this.#ownVector = { vector, digest: vectorDigest(vector) }
    }
    return this.#ownVector
  }
}
