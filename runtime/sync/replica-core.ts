import type { Digest } from '../base/digest.ts'
import { equalBytes } from '../base/bytes.ts'
import type { Monotonic } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import { type MemberId, type NodeId, nodeOf, type OperationId, sameOperationId } from '../base/ids.ts'
import type { Operation } from '../state/operation.ts'
import { type Priority, priorityOf } from '../state/priority.ts'
import { type Role, ROLE_DEFAULT } from '../state/role.ts'
import { Alarms } from './alarms.ts'
import { AntiEntropy } from './anti-entropy.ts'
import { NewerReleaseError } from './codec-fields.ts'
import { isOfOriginal } from './conflict.ts'
import { describeIntegration, describeRemoval } from './describe-integration.ts'
import { DropCounter } from './drop-counter.ts'
import { FloorKeeper } from './floor-keeper.ts'
import { type Draft, draftsAmong } from './draft.ts'
import type { History, Integration, Removal } from './history.ts'
import { snapshotOf } from './history-snapshot.ts'
import { isJournalLong } from './journal-room.ts'
import type { Life } from './life.ts'
import { fleetIdOf, type Member } from './membership.ts'
import { type Announcement, type Batch, firstOf, type Message, type Request } from './message.ts'
import { dropReason, encodeBatchFrame, encodeFrame } from './message-codec.ts'
import { Outbox } from './outbox.ts'
import { type Destination, NO_OUTPUTS, type Output } from './output.ts'
import { announcedStage, ownStatement } from './own-statement.ts'
import { isVectorOfItsDigest, type OwnVector, Peers } from './peers.ts'
import { RecordWriter } from './record-writer.ts'
import type { Recovery } from './recovery.ts'
import type { ReplicaOptions } from './replica-options.ts'
import { Relay } from './relay.ts'
import { Requests } from './requests.ts'
import { type Self, Signatures } from './signatures.ts'
import { Speaking } from './speaking.ts'
import type { Snapshot } from './snapshot.ts'
import { StateDigests } from './state-digest.ts'
import { StoredVector } from './stored-vector.ts'
import type { VersionEntry } from './version-vector.ts'

/** What the parts of one replica share: who it is, what it holds, and what it has under way. */
export class ReplicaCore {
  readonly options: ReplicaOptions
  readonly node: NodeId
  readonly fleet: Digest
  /** How often this node has started, this time included. */
  readonly start: number
  readonly peers: Peers = new Peers()
  readonly outbox: Outbox = new Outbox()
  readonly dropped: DropCounter = new DropCounter()
  readonly alarms: Alarms = new Alarms()
  readonly states: StateDigests = new StateDigests()
  readonly writer: RecordWriter
  readonly antiEntropy: AntiEntropy
  readonly signatures: Signatures
  readonly requests: Requests
  readonly relay: Relay
  readonly speaking: Speaking
  life: Life
  history: History
  floor: FloorKeeper
  /** The last of our own operations that stood on the disk when we started. */
  readonly lastAtStart: OperationId
  /** Operations of our former lives that have just left the journal: they are to be issued again. */
  readonly returned: Draft[] = []
  readonly #storedVector = new StoredVector(this.peers)
  #setBackReason: string | null = null
  #own: Self
  readonly #sign = (batch: Batch): Batch => this.sign(batch)

  constructor(options: ReplicaOptions, recovery: Recovery) {
    this.options = options
    this.node = nodeOf(options.self)
    this.fleet = fleetIdOf(options.genesis)
    this.start = recovery.start + 1
    this.life = recovery.life
    this.#own = { member: this.self, key: options.key ?? new Uint8Array() }
    this.history = recovery.history
    const { signature } = options
    assert((signature === undefined) === (options.genesis.operator === undefined), 'a fleet is signed if it has keys')
    this.signatures = new Signatures(this.fleet, signature ?? null, options.problemOfJoin)
    this.relay = new Relay(options.random)
    this.requests = new Requests(this.start, this.signatures, this.dropped)
    this.watchSignatures()
    this.lastAtStart = { member: this.self, seq: this.history.log(this.self).held.seq }
    this.floor = new FloorKeeper(this.history, this.peers)
    this.speaking = new Speaking(this)
    const { floor, floorDigest } = this.history
    const mark = { stage: floor, digest: floorDigest }
    this.writer = new RecordWriter(options.recovered, recovery.storedStage, mark, options.snapshotJournalBytes)
    const parts = {
      fleet: this.fleet,
      peers: this.peers,
      random: options.random,
      statement: () =>
        this.isDraft || this.reasonToBeDraft() !== null ? null : ownStatement(this, this.#firstUnstored()),
      sign: (announcement: Announcement) => this.signatures.signAnnouncement(announcement),
      signRequest: (request: Request) => this.requests.sign(request),
      ownVector: () => this.storedVector(),
      maySpeak: () => this.speaking.maySpeak(),
      dropped: this.dropped,
    }
    this.antiEntropy = new AntiEntropy(parts, this.self, this.history)
  }

  get self(): MemberId {
    return this.life.member
  }

  get isDraft(): boolean {
    return this.life.draftReason !== null
  }

  /** A frame of a link that means nothing here. */
  noteUndecodable(error: unknown): readonly Output[] {
    this.dropped.add(dropReason(error))
    if (!(error instanceof NewerReleaseError)) return NO_OUTPUTS
    return this.alarms.raise({ name: 'newer-release', reason: error.message })
  }

  /** The fleet knows more of us than we do: our data directory is older than what we have said, or somebody is our clone. */
  noteSetBack(reason: string): void {
    this.dropped.add('sign that this node was set back or cloned')
    this.#setBackReason ??= reason
  }

  get isSetBack(): boolean {
    return this.#setBackReason !== null
  }

  /** Whose own signature it verifies by which key. */
  get own(): Self {
    return this.#own
  }

  /** Why this node is to begin a new life as a draft, or null. Until it has, it says nothing and settles nothing. */
  reasonToBeDraft(): string | null {
    const { retirement, membership } = this.history
    const { adoptedJoin, draftReason } = this.life
    if (this.#setBackReason !== null) return this.#setBackReason
    if (retirement.isRetired(this.self)) return `it was retired by epoch ${retirement.number}`
    if (draftReason !== null) return null
    const member = membership.get(this.self)
    if (member === undefined) return 'its join was cut'
    if (adoptedJoin === null) return null
    if (retirement.isCut(adoptedJoin.member, adoptedJoin.seq)) return 'its join was cut'
    return this.#isAsAdopted(member, adoptedJoin) ? null : 'an earlier join of it gives it another priority or role'
  }

  /** Whether the join that counts says of this node what the one said that it has adopted: else what it issues is void. */
  #isAsAdopted({ join, priority, role }: Member, adoptedJoin: OperationId): boolean {
    if (sameOperationId(join, adoptedJoin)) return true
    const adopted = this.history.log(adoptedJoin.member).messageAt(adoptedJoin.seq)?.current.join ?? null
    return adopted === null || (adopted.tier === priority.tier && (adopted.role ?? ROLE_DEFAULT) === role)
  }

  /** This node goes on as `life`. */
  begin(life: Life): void {
    this.life = life
    this.#own = { ...this.#own, member: life.member }
    this.#setBackReason = null
  }

  /** All that is held. @param drafts those of this node, or null for a snapshot that others adopt */
  snapshot(drafts: readonly Draft[] | null): Snapshot {
    const held = snapshotOf(this.history, this.self, this.outbox.firstPrevious)
    const conflicts = drafts === null ? held.conflicts.filter((one) => !isOfOriginal(one)) : held.conflicts
    return { ...held, conflicts, life: this.life, start: this.start, drafts: drafts ?? [] }
  }

  /** With which our operations are issued, or will be. */
  get priority(): Priority {
    const member = this.history.membership.get(this.self)
    if (member !== undefined) return member.priority
    const { genesis, tier } = this.options
    const founder = genesis.founders.find(({ node }) => node === this.node)
    return priorityOf(this.self, tier ?? founder?.tier ?? 0)
  }

  /** With which our operations are judged, or will be. */
  get role(): Role {
    const member = this.history.membership.get(this.self)
    if (member !== undefined) return member.role
    const { genesis, role } = this.options
    return role ?? genesis.founders.find(({ node }) => node === this.node)?.role ?? ROLE_DEFAULT
  }

  /** The version vector of what is on the disk. */
  storedVector(): OwnVector {
    return this.#storedVector.of(this.history)
  }

  /** What is held up to `entry` is on the disk. */
  noteStored(entry: VersionEntry): void {
    this.#storedVector.note(this.history, entry)
  }

  /** What is held or on the disk has changed. */
  dropVector(): void {
    this.#storedVector.drop()
  }

  send(message: Message, channel: Destination['channel'], links: Destination['links']): Output {
    return { kind: 'send', frame: encodeFrame(this.fleet, message), to: { channel, links } }
  }

  sendBatch(batch: Batch, links: Destination['links']): Output {
    const to = links === 'all' ? OPERATIONS_TO_ALL : ({ channel: 'operations', links } as const)
    return { kind: 'send', frame: encodeBatchFrame(this.fleet, batch), to }
  }

  /** What one link has brought, to the others. */
  passOn(batch: Batch, link: string, now: Monotonic): Output[] {
    const frame = encodeBatchFrame(this.fleet, batch)
    const passed = { name: batch.digest, member: batch.origin, frame, to: { channel: 'operations' } } as const
    return this.relay.pass(passed, link, this.antiEntropy.links, now)
  }

  /** Received operations are stored in the order of their integration. */
  keep({ batch }: Integration, outputs: Output[]): void {
    if (batch !== null) this.#storeBatch(batch, outputs)
  }

  describe(integration: Integration, outputs: Output[]): void {
    describeIntegration(integration, outputs)
    if (isJournalLong(this.history.journal)) outputs.push(...this.#warnOfJournal())
  }

  keepAndDescribe(integrations: readonly Integration[], outputs: Output[]): void {
    for (const integration of integrations) {
      this.keep(integration, outputs)
      this.describe(integration, outputs)
    }
  }

  /** The record of its cause stands for what has left the journal. Behind the last removal follows {@link reconsider}, or {@link reconsiderGone}. */
  remove(removal: Removal): Output[] {
    this.dropVector()
    this.returned.push(...draftsAmong(removal.messages, this.node))
    return describeRemoval(removal)
  }

  /** Takes what had waited and has become ready by an epoch or its cuts. All that waits is judged for that. */
  reconsider(): Output[] {
    const outputs: Output[] = []
    this.keepAndDescribe(this.history.reconsider(), outputs)
    return outputs
  }

  /** The same by removals: anybody can cause those, so what waits for others costs nothing. */
  reconsiderGone(): Output[] {
    const outputs: Output[] = []
    this.keepAndDescribe(this.history.reconsiderGone(), outputs)
    return outputs
  }

  /** A batch of our own, as it is stored and sent. */
  sign(batch: Batch): Batch {
    return this.signatures.sign(batch)
  }

  /** Why a batch is not from whom it says, or null. */
  problemOfSignature(batch: Batch): string | null {
    return this.signatures.problemOf(batch, this.history, this.#own)
  }

  /** The same of an announcement; `unknown` while the key of its member is not known. */
  problemOfAnnouncement(announcement: Announcement): string | null {
    const { member, sealed } = announcement
    const known = this.peers.get(member)?.announcement.sealed
    // A node with several links hears each several times.
    if (known !== undefined && sealed !== undefined && equalBytes(known, sealed)) return null
    const problem = this.signatures.problemOfAnnouncement(announcement, this.history, this.#own)
    if (problem !== null || isVectorOfItsDigest(announcement)) return problem
    return 'announcement whose vector is not the one of its digest'
  }

  /** Whether a message shows that it is not from whom it says. */
  isForged(message: Message): boolean {
    return this.signatures.isForged(message, this.history, this.#own)
  }

  /** What waited for the join of its member is looked at when that is here; from the own disk everything is trusted. */
  watchSignatures(): void {
    this.history.problemOf = (batch) => this.problemOfSignature(batch)
  }

  /** Makes batches of our operations and hands them to the store; they are sent when they are on the disk. */
  seal(outputs: Output[]): void {
    for (const batch of this.outbox.seal(this.self, this.history.log(this.self).held.digest, this.#sign)) {
      this.history.seal(batch)
      this.#storeBatch(batch, outputs)
    }
  }

  /**
   * A draft issues nothing that could come below, but keeps what it has issued: that may have to come back. Nothing is settled that a
   * power cut could take from our disk: whoever has it besides may be retired by then.
   */
  advanceFloor(): readonly Output[] {
    if (this.reasonToBeDraft() !== null) return NO_OUTPUTS
    let outputs = NO_OUTPUTS
    if (!this.floor.isHeldStill(this.self)) {
      const bound = this.isDraft ? this.#stageBelowOwn() : announcedStage(this.writer, this.#firstUnstored())
      outputs = this.floor.advance(this.self, Math.min(bound, this.writer.wholeStage), this.outbox.first?.stage ?? null)
    }
    this.speaking.noteSettled()
    return outputs
  }

  #stageBelowOwn(): number {
    let stage = Number.MAX_SAFE_INTEGER
    for (const { member, batches } of this.history.logs()) {
      const [first] = nodeOf(member) === this.node ? batches : []
      if (first !== undefined) stage = Math.min(stage, firstOf(first).current.stage - 1)
    }
    return stage
  }

  /** The first operation of our own that is not on the disk, sealed or not. Stages and floors grow from there. */
  #firstUnstored(): Operation | null {
    const log = this.history.log(this.self)
    return log.messageAt(log.stored.seq + 1)?.current ?? this.outbox.first
  }

  /** What is late here, or another life than what is settled here, has to leave the journals of others: they hear our floor. */
  storeFloor(outputs: Output[] = []): readonly Output[] {
    const { floor: stage, floorDigest: digest } = this.history
    if (this.writer.lacksFloor(stage)) outputs.push(this.writer.storeFloor({ stage, digest }))
    return outputs
  }

  /** A floor that the disk does not know yet goes before the batch: all that lies below it is in earlier records. */
  #storeBatch(batch: Batch, outputs: Output[]): void {
    this.storeFloor(outputs)
    outputs.push(this.writer.store({ kind: 'batch', batch }))
  }

  #warnOfJournal(): Output[] {
    const { length } = this.history.journal
    const waitingFor = this.floor.view.hold?.member ?? null
    return this.alarms.raise({ name: 'journal-long', operations: length, waitingFor })
  }
}

const OPERATIONS_TO_ALL: Destination = { channel: 'operations', links: 'all' }
