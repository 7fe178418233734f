import { earlier, isDue, type Monotonic } from '../base/clock.ts'
import type { Digest } from '../base/digest.ts'
import { unreachable } from '../base/errors.ts'
import { isFounding, type MemberId, type NodeId, nodeOf } from '../base/ids.ts'
import type { Cell } from '../state/cell.ts'
import type { OperationRequest } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import { isReserved } from '../state/reserved-point.ts'
import { maySetRules } from '../state/role.ts'
import { type DeviceRules, RuleTable } from '../state/rules/rules.ts'
import type { Value } from '../state/value.ts'
import type { Conflict } from './conflict.ts'
import { type Epoch, type EnrolmentChange, forceEpoch, NO_CHANGE, proposeEpoch } from './epoch.ts'
import { FrameEntrance } from './frame-entrance.ts'
import type { Input } from './input.ts'
import { type Inspection, inspect } from './inspection.ts'
import type { Issued } from './issue.ts'
import { Issuing } from './issuing.ts'
import { Joining } from './joining.ts'
import type { Reading } from './message.ts'
import { add, joined, NO_OUTPUTS, type Output } from './output.ts'
import { Receiving } from './receiving.ts'
import { recover } from './recovery.ts'
import { Renewal } from './renewal.ts'
import { Repeater } from './repeater.ts'
import { ReplicaCore } from './replica-core.ts'
import type { ReplicaOptions } from './replica-options.ts'
import { Retiring } from './retiring.ts'
import { Sponsoring } from './sponsoring.ts'
import { type MisfitLine, misfits, standingRules, type StandingRules } from './standing-rules.ts'
import type { FloorMark } from './stored-floor.ts'
import { TelemetryKeeper } from './telemetry.ts'
import { TokenUses } from './token-uses.ts'

/**
 * One node's replica of the device-state object: the only mutating entrance of the core, and pure. `issue`, `receive` and
 * `tick` take what happened and the time, and return everything that is to be done about it, as data. All outputs of one
 * call are carried out, in order, before the next call.
 *
 * Invariants: nothing of our own is sent before it is on the disk; an announcement states only what is on the disk; the
 * stages of our own operations only grow.
 */
export class Replica {
  readonly fleet: Digest
  readonly #core: ReplicaCore
  readonly #issuing: Issuing
  readonly #receiving: Receiving
  readonly #retiring: Retiring
  readonly #sponsoring: Sponsoring
  readonly #joining: Joining
  readonly #tokenUses: TokenUses
  readonly #telemetry: TelemetryKeeper
  readonly #repeater: Repeater
  readonly #entrance: FrameEntrance
  readonly #renewal: Renewal
  /** The life with which the node started is not on the disk yet. */
  readonly #isNew: boolean
  #hasStarted = false

  /** @throws FleetstepError `data-directory-damaged`, `data-directory-foreign` */
  constructor(options: ReplicaOptions) {
    const key = options.key ?? new Uint8Array()
    const recovery = recover(options.self, options.genesis, key, options.recovered, options.random)
    this.#core = new ReplicaCore(options, recovery)
    this.#isNew = recovery.isNew && this.#core.isDraft
    this.fleet = this.#core.fleet
    this.#issuing = new Issuing(this.#core, recovery.drafts)
    this.#receiving = new Receiving(this.#core)
    this.#retiring = new Retiring(this.#core)
    this.#sponsoring = new Sponsoring(this.#core)
    this.#joining = new Joining(this.#core)
    this.#tokenUses = new TokenUses(options.usesOf ?? (() => null))
    this.#telemetry = new TelemetryKeeper(this.#core, (path) => this.#cell(path))
    this.#repeater = new Repeater(options.random)
    const parts = {
      issuing: this.#issuing,
      receiving: this.#receiving,
      retiring: this.#retiring,
      sponsoring: this.#sponsoring,
      joining: this.#joining,
      telemetry: this.#telemetry,
      repeater: this.#repeater,
      entries: () => this.entries(),
    }
    this.#entrance = new FrameEntrance(this.#core, parts)
    this.#renewal = new Renewal(this.#core, parts)
  }

  /** The member id of this node in its present life. */
  get self(): MemberId {
    return this.#core.self
  }

  /** How often this node has started, this time included. */
  get start(): number {
    return this.#core.start
  }

  /** How far everything is settled, and the digest of that. */
  get floor(): FloorMark {
    const { floor, floorDigest } = this.#core.history
    return { stage: floor, digest: floorDigest }
  }

  /** The last of our own operations that is on the disk. */
  get durableSeq(): number {
    return this.#core.history.log(this.self).stored.seq
  }

  /** The earliest time at which `tick` has something to do, or null. */
  wakeAt(now: Monotonic): Monotonic | null {
    return this.#hasStarted ? earlier(this.#core.outbox.sealAt, this.#wakeAtBesidesSeal()) : now
  }

  #wakeAtBesidesSeal(): Monotonic | null {
    const ofMembership = earlier(this.#retiring.wakeAt, earlier(this.#sponsoring.wakeAt, this.#joining.wakeAt))
    const ofRelays = earlier(this.#repeater.wakeAt, this.#core.relay.wakeAt)
    const ofOthers = earlier(ofRelays, this.#telemetry.wakeAt())
    return earlier(this.#core.antiEntropy.wakeAt(), earlier(ofMembership, ofOthers))
  }

  /**
   * Executes a local operation at once, as a member or as a draft.
   * @param commitWithinMs how long it may wait for others before it is committed and sent; 0 for at once
   * @throws FleetstepError `operation-invalid`, `limit-reached`; nothing has changed then
   */
  issue(request: OperationRequest, commitWithinMs: number, now: Monotonic): Issued {
    const issued = this.#issuing.issue(request, now + commitWithinMs)
    this.#tick(now, issued.outputs)
    return issued
  }

  /**
   * A reading of this node: the others hear the newest one of each point, and no disk keeps it.
   * @throws FleetstepError `operation-invalid`, `operation-refused`, `path-unknown`, `limit-reached`; nothing has changed then
   */
  report(reading: Reading, now: Monotonic): readonly Output[] {
    return joined(this.#telemetry.report(reading, now), this.tick(now))
  }

  /** This node does not read the point any more. */
  withdraw(path: Path, now: Monotonic): readonly Output[] {
    return this.#telemetry.withdraw(path, now)
  }

  /** Readings here, of this node and of others. */
  get readings(): Pick<TelemetryKeeper, 'shown' | 'mayReport' | 'confirm' | 'vouch'> {
    return this.#telemetry
  }

  /** Whether this node may set rules of devices. */
  maySetRules(): boolean {
    const { role, self, history } = this.#core
    return maySetRules(role, isFounding(self), history.membership.charter)
  }

  /** The rules that stand here now, by device. */
  rules(): StandingRules[] {
    return standingRules(this.#core.history.local, this.#issuing.drafts.cells)
  }

  /** Values of a device that could not be written now, under `rules` or those that stand. */
  misfits(device: string, rules?: DeviceRules): MisfitLine[] {
    const standing = rules ?? this.rules().find((one) => one.device === device)?.rules
    return standing === undefined ? [] : misfits(this.entries(), device, new RuleTable(standing))
  }

  receive(input: Input, now: Monotonic): readonly Output[] {
    switch (input.kind) {
      case 'link-up':
        this.#core.antiEntropy.noteLinkUp(input.link, now)
        this.#telemetry.noteLinkUp(now)
        this.#joining.noteLinkUp(input.link, now)
        return this.tick(now)
      case 'link-down':
        this.#core.antiEntropy.noteLinkDown(input.link)
        this.#joining.noteLinkDown(input.link, now)
        return NO_OUTPUTS
      case 'link-congested':
      case 'link-writable':
        this.#core.antiEntropy.noteRoom(input.link, input.kind === 'link-writable')
        return this.tick(now)
      case 'frame':
        return this.#conclude(this.#entrance.frame(input.bytes, input.link, now), now)
      case 'stored':
        return this.#noteStored(input.through, now)
      case 'epoch':
        return this.#conclude(this.#retiring.take(input.epoch, now), now)
      case 'snapshot-due':
        this.#core.writer.noteSnapshotDue()
        return this.#snapshotIfDue()
      case 'resolve':
        this.#core.history.conflicts.resolve(input.conflict)
        return [this.#core.writer.store({ kind: 'resolved', conflict: input.conflict })]
      default:
        return unreachable(input)
    }
  }

  /** Does everything that time does. */
  tick(now: Monotonic): readonly Output[] {
    const outputs: Output[] = []
    this.#tick(now, outputs)
    return outputs
  }

  #tick(now: Monotonic, outputs: Output[]): void {
    if (!isDue(this.wakeAt(now), now)) return
    if (!this.#hasStarted) outputs.push(...this.#begin())
    if (isDue(this.#core.outbox.sealAt, now)) this.#core.seal(outputs)
    if (isDue(this.#wakeAtBesidesSeal(), now)) this.#tickBesidesSeal(now, outputs)
  }

  /** Apart: what its callback holds took 48 bytes at every input, though nearly always nothing is due. */
  #tickBesidesSeal(now: Monotonic, outputs: Output[]): void {
    const { antiEntropy } = this.#core
    add(outputs, this.#retiring.tick(now), this.#joining.tick(now))
    const admitted = this.#sponsoring.tick(now, (join) => this.#issuing.admit(join, now))
    add(outputs, admitted, antiEntropy.tick(now))
    add(outputs, this.#telemetry.tick(now), this.#repeater.tick(now))
    add(outputs, this.#core.relay.tick(now))
  }

  /** Seals what waits for its commit window, before an orderly end. */
  flush(now: Monotonic): readonly Output[] {
    const outputs: Output[] = []
    this.#tick(now, outputs)
    this.#core.seal(outputs)
    return outputs
  }

  get(path: Path): Value | undefined {
    return this.#cell(path).value
  }

  /** The node whose operation has written the point last, or null. */
  writerOf(path: Path): NodeId | null {
    const { writer } = this.#cell(path)
    return writer === null ? null : nodeOf(writer.id.member)
  }

  /** Every point with a value, in no order. */
  *entries(): Generator<[Path, Value]> {
    const { local } = this.#core.history
    const { cells } = this.#issuing.drafts
    for (const { path, cell } of local.registers()) {
      if (cell.value !== undefined && !cells.has(path) && !isReserved(path)) yield [path, cell.value]
    }
    for (const [path, { value }] of cells) if (value !== undefined && !isReserved(path)) yield [path, value]
  }

  /** Every point with a settled value, in no order. */
  *settledEntries(): Generator<[Path, Value]> {
    for (const [path, { value }] of this.#core.history.local.settledCells()) {
      if (value !== undefined && !isReserved(path)) yield [path, value]
    }
  }

  /** The value that no member can change without a new operation, or undefined. */
  settled(path: Path): Value | undefined {
    return this.#core.history.local.settledCell(path).value
  }

  conflicts(): readonly Conflict[] {
    return this.#core.history.conflicts.list()
  }

  /** What the operator is to sign in order to retire these members, as far as it is known here who still counts. */
  proposeEpoch(retire: readonly MemberId[], enrolment: EnrolmentChange = NO_CHANGE): Omit<Epoch, 'signature'> {
    return proposeEpoch(this.#core.history, this.#core.peers, this.self, retire, enrolment)
  }

  /** The same where nobody is left who counts, with members that the operator names: operations may be lost. */
  forceEpoch(
    retire: readonly MemberId[],
    counting: readonly MemberId[],
    enrolment: EnrolmentChange = NO_CHANGE,
  ): Omit<Epoch, 'signature'> {
    return forceEpoch(this.#core.history, this.#core.peers, this.self, { retire, counting, enrolment })
  }

  /** Why this epoch would not be taken in, in one line, or null: also for one that is held already. */
  problemOfEpoch(epoch: Epoch): string | null {
    return this.#retiring.problemOf(epoch)
  }

  inspect(now: Monotonic): Inspection {
    const { life, history, peers, floor, outbox, dropped, antiEntropy } = this.#core
    return inspect({
      self: life.member,
      status: life.draftReason === null ? 'member' : 'draft',
      draftReason: life.draftReason,
      tier: this.#core.priority.tier,
      refusal: this.#joining.refusal,
      candidates: this.#sponsoring.candidates,
      drafts: this.#issuing.drafts.list.length,
      history,
      peers,
      floorHold: floor.view.hold,
      outboxLength: outbox.length,
      dropped: dropped.toJSON(),
      links: [...antiEntropy.links],
      telemetry: this.#telemetry.counts(),
      now,
    })
  }

  #cell(path: Path): Cell {
    return this.#issuing.drafts.cell(path, this.#core.history.local)
  }

  #begin(): Output[] {
    this.#hasStarted = true
    const { writer, life, self, start } = this.#core
    const outputs = this.#isNew ? [writer.store({ kind: 'life', life })] : []
    outputs.push(writer.store({ kind: 'start', member: self, start }))
    return [...outputs, ...this.#retiring.alarms(), ...this.#issuing.settle()]
  }

  #noteStored(through: number, now: Monotonic): readonly Output[] {
    const outputs: Output[] = []
    this.#receiving.stored(through, now, outputs)
    add(outputs, this.#issuing.noteStored(through), this.#retiring.noteStored(through, now))
    const fetched = this.#joining.noteStored(through)
    if (fetched !== null) add(outputs, this.#renewal.adopt(fetched, now))
    add(outputs, this.#core.advanceFloor(), this.#sponsoring.noteStored(through, now), this.#snapshotIfDue())
    this.#concludeInto(outputs, now)
    return outputs
  }

  #snapshotIfDue(): readonly Output[] {
    // The parts of a snapshot that is to be adopted are in no state yet.
    const take = this.#joining.isAdopting ? null : () => this.#core.snapshot(this.#issuing.drafts.list)
    return this.#core.writer.snapshotIfDue(take)
  }

  #conclude(outputs: readonly Output[], now: Monotonic): readonly Output[] {
    const more: Output[] = []
    this.#concludeInto(more, now)
    return joined(outputs, more)
  }

  /** Looks whether what has just happened makes this node a draft, and lets time do the rest. */
  #concludeInto(outputs: Output[], now: Monotonic): void {
    const { returned } = this.#core
    const reason = this.#core.reasonToBeDraft()
    if (returned.length > 0) this.#issuing.takeBack(returned.splice(0))
    add(outputs, reason === null ? this.#issuing.settle() : this.#renewal.asDraft(reason, now))
    this.#tick(now, outputs)
    add(outputs, this.#core.alarms.raiseAll(this.#tokenUses.overused(this.#core.history.membership)))
  }
}
