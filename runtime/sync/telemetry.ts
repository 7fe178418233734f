import { earlier, type Monotonic } from '../base/clock.ts'
import { FleetstepError } from '../base/errors.ts'
import { type MemberId, type NodeId, nodeOf } from '../base/ids.ts'
import {
  ANNOUNCE_INTERVAL_MAX_MS,
  ANNOUNCE_INTERVAL_MEMBERS,
  TELEMETRY_FORGET_INTERVALS,
  TELEMETRY_INTERVAL_MS,
  TELEMETRY_LOOK_MS,
  TELEMETRY_REFRESH_MEMBERS,
  TELEMETRY_REFRESH_MS,
  TELEMETRY_STALE_INTERVALS,
  TELEMETRY_STALE_REFRESHES,
} from '../base/limits.ts'
import { fraction } from '../base/random.ts'
import type { Cell } from '../state/cell.ts'
import { belowDevice, deviceOf, type Path } from '../state/path.ts'
import { comparePriority } from '../state/priority.ts'
import { rulesPoint } from '../state/reserved-point.ts'
import { objectionToReading } from '../state/rules/judge.ts'
import { ruleTableAt } from '../state/rules/rules-codec.ts'
import type { RuleTable } from '../state/rules/rules.ts'
import { equalValues, ownValue, type Value, valueProblem } from '../state/value.ts'
import { type HeldReading, HeldReadings } from './held-readings.ts'
import type { Reading, Telemetry } from './message.ts'
import { MessageOrder } from './message-order.ts'
import { NO_OUTPUTS, type Output, type Quality } from './output.ts'
import { type OwnReading, OwnReadings, portionsOf } from './own-readings.ts'
import { assertMayReport } from './permission.ts'
import type { ReplicaCore } from './replica-core.ts'
import { telemetryProblem } from './telemetry-codec.ts'

/** A reading as it stands here now. */
export interface ShownReading {
  readonly path: Path
  readonly value: Value
  readonly quality: Quality
  /** At least: since it was read, less what its message spent on its way. By monotonic clocks alone. */
  readonly ageMs: number
  /** The node that has read it. */
  readonly node: NodeId
}

/** How many readings there are. */
export interface TelemetryCounts {
  readonly own: number
  readonly others: number
  readonly stale: number
  /** Bytes of paths and values of others. */
  readonly bytes: number
}

/**
 * Readings that are no operations: of each point the newest counts; nothing of it is ordered, stored or asked for. Each member
 * says what changed, gathered, and everything again from time to time. Whoever has several links passes each message on once.
 *
 * A point that an operation has written is not shown as telemetry, so operations win; of these the node that reads them says
 * the same way how old they are ({@link vouched}). Where rules stand for the device, a point
 * is telemetry of the one node that may write it; else of whoever says it, and of several the one of highest priority is shown.
 */
export class TelemetryKeeper {
  readonly #core: ReplicaCore
  /** What operations have made of a point, as it is seen here. */
  readonly #cellAt: (path: Path) => Cell
  readonly #own = new OwnReadings()
  readonly #held = new HeldReadings()
  readonly #senders = new Map<MemberId, Sender>()
  #number = 0
  #lookAt: Monotonic | null = null

  constructor(core: ReplicaCore, cellAt: (path: Path) => Cell) {
    this.#core = core
    this.#cellAt = cellAt
  }

  wakeAt(): Monotonic | null {
    return earlier(this.#own.wakeAt, this.#lookAt)
  }

  counts(): TelemetryCounts {
    const held = [...this.#held.all()]
    const stale = held.filter(({ isStale }) => isStale).length
    return { own: this.#own.size, others: held.length, stale, bytes: this.#held.bytes }
  }

  /** What is shown of a point, or null: there is none, or operations have written it. */
  reading(path: Path, now: Monotonic): ShownReading | null {
    if (this.#valueAt(path) !== undefined) return null
    const own = this.#own.get(path)
    const held = this.#foremost(path)
    if (own?.isVouched === false && (held === null || !this.#isAbove(held))) {
      return this.#shownOwn(own, now)
    }
    return held === null ? null : shownReading(held, now)
  }

  /**
   * How lately the value that an operation has made of a point was read, by the node whose operation it was; null where that
   * node has not said so of this very value. So what comes late, as behind a split, is of no age here until its node is heard.
   */
  vouched(path: Path, now: Monotonic): ShownReading | null {
    const { value, writer } = this.#cellAt(path)
    if (value === undefined || writer === null) return null
    const node = nodeOf(writer.id.member)
    const own = this.#own.get(path)
    if (node === this.#core.node) {
      return own !== undefined && equalValues(own.value, value) ? this.#shownOwn(own, now) : null
    }
    let youngest: ShownReading | null = null
    for (const held of this.#held.of(path)) {
      if (nodeOf(held.member) !== node || !equalValues(held.value, value) || !this.#stands(held)) continue
      const shown = shownReading(held, now)
      if (youngest === null || shown.ageMs < youngest.ageMs) youngest = shown
    }
    return youngest
  }

  /** Everything that is shown, in no order. */
  *readings(now: Monotonic): Generator<ShownReading> {
    for (const path of new Set([...this.#held.paths(), ...[...this.#own.all()].map((one) => one.path)])) {
      const shown = this.reading(path, now)
      if (shown !== null) yield shown
    }
  }

  /** Whether a reading of this node is telemetry at `path`: not if others may write the point too, or operations have. */
  mayReport(path: Path): boolean {
    if (belowDevice(path) === '' || this.#valueAt(path) !== undefined) return false
    const table = this.#rulesOf(path)
    const rule = table?.ruleOf(belowDevice(path)) ?? null
    return table === null || (rule !== null && table.writerOf(rule) === this.#core.node)
  }

  /**
   * A reading of this node.
   * @throws FleetstepError `operation-invalid`, `operation-refused`, `path-unknown`, `limit-reached`; nothing has changed then
   */
  report({ path, value, quality, ageMs }: Reading, now: Monotonic): readonly Output[] {
    const isAge = Number.isFinite(ageMs) && ageMs >= 0
    const problem = valueProblem(value) ?? telemetryProblem(path, value) ?? (isAge ? null : 'an age is not negative')
    if (problem !== null) throw new FleetstepError('operation-invalid', `${path}: ${problem}`)
    const { self, role } = this.#core
    assertMayReport(path, value, { self, role, rulesOf: (point) => this.#rulesOf(point) })
    const reading = { path, value: ownValue(value), quality, readAt: now - ageMs, isVouched: false }
    return this.#changing(path, now, () => this.#own.put(reading, this.#intervalMs, this.#refreshMs, now))
  }

  /** This node has read the same again. */
  confirm(path: Path, now: Monotonic): void {
    const reading = this.#own.get(path)
    if (reading?.isVouched === false) this.#own.put({ ...reading, readAt: now }, this.#intervalMs, this.#refreshMs, now)
  }

  /**
   * This node has read what an operation of its own says: the others learn how old that is. Nothing is done for a point that
   * others may write too, and for what no telemetry can say.
   */
  vouch({ path, quality, ageMs }: Omit<Reading, 'value'>, now: Monotonic): void {
    const { value, writer } = this.#cellAt(path)
    if (value === undefined || writer === null || nodeOf(writer.id.member) !== this.#core.node) return
    if (telemetryProblem(path, value) !== null || belowDevice(path) === '' || !this.#own.hasRoomFor(path)) return
    if (objectionToReading(path, value, this.#core.node, this.#rulesOf(path)) !== null) return
    const reading = { path, value, quality, readAt: now - ageMs, isVouched: true }
    this.#own.put(reading, this.#intervalMs, this.#refreshMs, now)
  }

  /** This node does not read the point any more. */
  withdraw(path: Path, now: Monotonic): readonly Output[] {
    return this.#own.get(path) === undefined ? NO_OUTPUTS : this.#changing(path, now, () => this.#own.remove(path))
  }

  noteLinkUp(now: Monotonic): void {
    this.#sayAllSoon(now)
  }

  /** A member was heard. One that has just started knows no readings; where many would answer it waits until they are due. */
  noteHeard(member: MemberId, start: number, now: Monotonic): void {
    if (this.#core.history.membership.get(member) === undefined) return
    const sender = this.#senderOf(member)
    if (sender.heardStart === start) return
    sender.heardStart = start
    if (this.#core.history.membership.size <= ANNOUNCE_INTERVAL_MEMBERS) this.#sayAllSoon(now)
  }

  receive(telemetry: Telemetry, frame: Uint8Array, link: string, now: Monotonic): readonly Output[] {
    const core = this.#core
    const { member, start, number } = telemetry
    if (member === core.self) return NO_OUTPUTS
    const problem = this.#problemOfSender(member)
    if (problem !== null) {
      core.dropped.add(problem)
      return NO_OUTPUTS
    }
    const sender = this.#senderOf(member)
    if (!sender.order.isNew(start, number)) return NO_OUTPUTS
    const forged = core.signatures.problemOfTelemetry(telemetry, core.history)
    if (forged !== null) {
      core.dropped.add(forged)
      return NO_OUTPUTS
    }
    sender.order.note(start, number)
    sender.heardAt = now
    const outputs: Output[] = []
    const isNews = this.#takeAll(telemetry, now, outputs)
    if (isNews && core.antiEntropy.links.size > 1)
      outputs.push({ kind: 'send', frame, to: { channel: 'telemetry', links: { except: link } } })
    return outputs
  }

  /** Does all that is due. */
  tick(now: Monotonic): readonly Output[] {
    const wakeAt = this.wakeAt()
    if (wakeAt === null || wakeAt > now) return NO_OUTPUTS
    const outputs: Output[] = []
    if ((this.#own.wakeAt ?? Infinity) <= now) this.#say(now, outputs)
    if ((this.#lookAt ?? Infinity) <= now) this.#look(now, outputs)
    return outputs
  }

  #problemOfSender(member: MemberId): string | null {
    const { membership, retirement } = this.#core.history
    const known = membership.get(member)
    if (known === undefined || retirement.isRetired(member)) return 'telemetry of a node that is no member'
    return known.role === 'observer' ? 'telemetry of an observer' : null
  }

  /** @returns whether anything of it was taken */
  #takeAll({ member, start, number, readings }: Telemetry, now: Monotonic, outputs: Output[]): boolean {
    let isNews = false
    for (const reading of readings) {
      const { path, value } = reading
      const held = this.#held.get(member, path)
      if (held !== undefined && held.start === start && held.number > number) continue
      const table = this.#rulesOf(path)
      const objection = objectionToReading(path, value, nodeOf(member), table)
      const isTooMany = held === undefined && this.#held.isSpentBy(member)
      if (objection !== null || isTooMany) {
        this.#core.dropped.add(objection === null ? 'reading beyond those of one member' : refusedBy(objection.code))
        continue
      }
      isNews = true
      const taken: HeldReading = { ...reading, member, start, number, heardAt: now, judgedBy: table, isStale: false }
      outputs.push(...this.#changing(path, now, () => this.#held.put(taken)))
      this.#makeRoom(now, outputs)
    }
    if (isNews) this.#lookAt ??= now + TELEMETRY_LOOK_MS
    return isNews
  }

  #makeRoom(now: Monotonic, outputs: Output[]): void {
    for (let { surplus } = this.#held; surplus !== null; { surplus } = this.#held) {
      const leaving = surplus
      outputs.push(...this.#changing(leaving.path, now, () => this.#held.remove(leaving)))
      this.#core.dropped.add('reading that was heard longest ago: there are too many')
    }
  }

  /** Looks which readings of others do not stand any more, and which nobody has confirmed for long. */
  #look(now: Monotonic, outputs: Output[]): void {
    for (const held of this.#held.all()) {
      const isGone = now - held.heardAt >= this.#forgetMs || !this.#stands(held)
      if (isGone) outputs.push(...this.#changing(held.path, now, () => this.#held.remove(held)))
      else if (this.#isStale(held, now) !== held.isStale)
        outputs.push(...this.#changing(held.path, now, () => void (held.isStale = !held.isStale)))
    }
    this.#lookAt = this.#held.size === 0 ? null : now + TELEMETRY_LOOK_MS
  }

  /** Its member counts, and the rules of its device, which may be others by now, let it through. */
  #stands(held: HeldReading): boolean {
    if (this.#problemOfSender(held.member) !== null) return false
    const table = this.#rulesOf(held.path)
    if (table === held.judgedBy) return true
    const objection = objectionToReading(held.path, held.value, nodeOf(held.member), table)
    if (objection === null) held.judgedBy = table
    return objection === null
  }

  #isStale({ member, heardAt }: HeldReading, now: Monotonic): boolean {
    const memberHeardAt = Math.max(this.#senderOf(member).heardAt, this.#core.peers.get(member)?.heardAt ?? -Infinity)
    const silentMs = TELEMETRY_STALE_INTERVALS * ANNOUNCE_INTERVAL_MAX_MS * this.#growth
    return now - memberHeardAt >= silentMs || now - heardAt >= TELEMETRY_STALE_REFRESHES * this.#refreshMs
  }

  #say(now: Monotonic, outputs: Output[]): void {
    const core = this.#core
    if (core.antiEntropy.links.size === 0) return this.#own.postpone(null)
    if (core.isDraft || core.reasonToBeDraft() !== null || !core.writer.hasStarted)
      return this.#own.postpone(now + this.#intervalMs)
    const due = this.#own.takeDue(now, now + this.#refreshMs * (1 - fraction(core.options.random) / 4))
    for (const portion of portionsOf(due.filter((one) => this.#isToBeSaid(one)))) {
      this.#number += 1
      const telemetry = core.signatures.signTelemetry({
        member: core.self,
        start: core.start,
        number: this.#number,
        device: deviceOf(portion[0].path),
        readings: portion.map(({ path, value, quality, readAt }) => {
          return { path, value, quality, ageMs: Math.round(now - readAt) }
        }),
      })
      outputs.push(core.send({ kind: 'telemetry', telemetry }, 'telemetry', 'all'))
    }
  }

  /** Others would not show or take it. */
  #isToBeSaid({ path, value, isVouched }: OwnReading): boolean {
    const standing = this.#valueAt(path)
    if (isVouched ? standing === undefined || !equalValues(standing, value) : standing !== undefined) return false
    return objectionToReading(path, value, this.#core.node, this.#rulesOf(path)) === null
  }

  #sayAllSoon(now: Monotonic): void {
    if (this.#own.size === 0) return
    this.#own.sayAllBy(now + (this.#refreshMs / SOON) * fraction(this.#core.options.random))
  }

  /** The reading of another member that is shown of a point, if this node has none: one that is not stale, of highest priority. */
  #foremost(path: Path): HeldReading | null {
    let foremost: HeldReading | null = null
    for (const held of this.#held.of(path)) {
      if (!this.#stands(held)) continue
      if (foremost === null || this.#compare(held, foremost) > 0) foremost = held
    }
    return foremost
  }

  #compare(left: HeldReading, right: HeldReading): number {
    if (left.isStale !== right.isStale) return left.isStale ? -1 : 1
    const { membership } = this.#core.history
    const [one, other] = [membership.get(left.member), membership.get(right.member)]
    return one === undefined || other === undefined ? 0 : comparePriority(one.priority, other.priority)
  }

  /** Above this node's own reading of the same point. */
  #isAbove({ member, isStale }: HeldReading): boolean {
    const priority = this.#core.history.membership.get(member)?.priority
    return !isStale && priority !== undefined && comparePriority(priority, this.#core.priority) > 0
  }

  /** Tells of the point if it is another one after `act`. */
  #changing(path: Path, now: Monotonic, act: () => void): readonly Output[] {
    const before = this.reading(path, now)
    act()
    const after = this.reading(path, now)
    if (before?.quality === after?.quality && equalValues(before?.value, after?.value)) return NO_OUTPUTS
    const quality = after?.quality ?? 'stale'
    return [{ kind: 'change', change: { path, before: before?.value, after: after?.value, settled: false, quality } }]
  }

  #shownOwn({ path, value, quality, readAt }: OwnReading, now: Monotonic): ShownReading {
    return { path, value, quality, ageMs: Math.round(now - readAt), node: this.#core.node }
  }

  #valueAt(path: Path): Value | undefined {
    return this.#cellAt(path).value
  }

  #rulesOf(path: Path): RuleTable | null {
    return ruleTableAt(this.#valueAt(rulesPoint(deviceOf(path))))
  }

  #senderOf(member: MemberId): Sender {
    let sender = this.#senders.get(member)
    if (sender === undefined) {
      sender = { order: new MessageOrder(), heardAt: -Infinity, heardStart: null }
      this.#senders.set(member, sender)
    }
    return sender
  }

  /** So many times as long as in a small fleet are its intervals. */
  get #growth(): number {
    return Math.max(1, this.#core.history.membership.size / ANNOUNCE_INTERVAL_MEMBERS)
  }

  get #intervalMs(): number {
    return TELEMETRY_INTERVAL_MS * this.#growth
  }

  get #refreshMs(): number {
    return TELEMETRY_REFRESH_MS * Math.max(1, this.#core.history.membership.size / TELEMETRY_REFRESH_MEMBERS)
  }

  get #forgetMs(): number {
    return TELEMETRY_FORGET_INTERVALS * ANNOUNCE_INTERVAL_MAX_MS * this.#growth
  }
}

interface Sender {
  readonly order: MessageOrder
  heardAt: Monotonic
  /** The start that its last announcement named. */
  heardStart: number | null
}

/** Part of the time between two refreshes in which everything is said to somebody who knows nothing. */
const SOON = 12

function shownReading(held: HeldReading, now: Monotonic): ShownReading {
  const { path, value, quality, ageMs, heardAt, member, isStale } = held
  const wholeMs = Math.round(ageMs + now - heardAt)
  return { path, value, quality: isStale ? 'stale' : quality, ageMs: wholeMs, node: nodeOf(member) }
}

function refusedBy(code: string): string {
  return `reading that the rules of its device refuse: ${code}`
}
