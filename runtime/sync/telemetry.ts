import { earlier, type Monotonic } from '../base/clock.ts'
import { FleetstepError } from '../base/errors.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
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
import { objectionToReading } from '../state/rules/judge.ts'
import { equalValues, ownValue, valueProblem } from '../state/value.ts'
import { type HeldReading, HeldReadings } from './held-readings.ts'
import type { Reading, Telemetry } from './message.ts'
import { MessageOrder } from './message-order.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import { type OwnReading, OwnReadings, portionsOf } from './own-readings.ts'
import { assertMayReport } from './permission.ts'
import { nameOf } from './relay.ts'
import type { ReplicaCore } from './replica-core.ts'
import { ShownReadings } from './shown-readings.ts'
import { telemetryProblem } from './telemetry-codec.ts'

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
 */
export class TelemetryKeeper {
  readonly shown: ShownReadings
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
    this.shown = new ShownReadings(core, cellAt, this.#own, this.#held)
  }

  wakeAt(): Monotonic | null {
    return earlier(this.#own.wakeAt, this.#lookAt)
  }

  counts(): TelemetryCounts {
    const held = [...this.#held.all()]
    const stale = held.filter(({ isStale }) => isStale).length
    return { own: this.#own.size, others: held.length, stale, bytes: this.#held.bytes }
  }

  /** Whether a reading of this node is telemetry at `path`: not if others may write the point too, or operations have. */
  mayReport(path: Path): boolean {
    if (belowDevice(path) === '' || this.shown.valueAt(path) !== undefined) return false
    const table = this.shown.rulesOf(path)
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
    assertMayReport(path, value, { self, role, rulesOf: (point) => this.shown.rulesOf(point) })
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
    if (objectionToReading(path, value, this.#core.node, this.shown.rulesOf(path)) !== null) return
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
    const name = nameOf('telemetry', telemetry)
    core.relay.noteHeard(name, link)
    const problem = this.shown.problemOfSender(member)
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
    const passed = { name, member, frame, to: { channel: 'telemetry' } } as const
    if (isNews) outputs.push(...core.relay.pass(passed, link, core.antiEntropy.links, now))
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

  /** @returns whether anything of it was taken */
  #takeAll({ member, start, number, readings }: Telemetry, now: Monotonic, outputs: Output[]): boolean {
    let isNews = false
    for (const reading of readings) {
      const { path, value } = reading
      const held = this.#held.get(member, path)
      if (held !== undefined && held.start === start && held.number > number) continue
      const table = this.shown.rulesOf(path)
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
      const isGone = now - held.heardAt >= this.#forgetMs || !this.shown.stands(held)
      if (isGone) outputs.push(...this.#changing(held.path, now, () => this.#held.remove(held)))
      else if (this.#isStale(held, now) !== held.isStale)
        outputs.push(...this.#changing(held.path, now, () => void (held.isStale = !held.isStale)))
    }
    this.#lookAt = this.#held.size === 0 ? null : now + TELEMETRY_LOOK_MS
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
    const standing = this.shown.valueAt(path)
    if (isVouched ? standing === undefined || !equalValues(standing, value) : standing !== undefined) return false
    return objectionToReading(path, value, this.#core.node, this.shown.rulesOf(path)) === null
  }

  #sayAllSoon(now: Monotonic): void {
    if (this.#own.size === 0) return
    this.#own.sayAllBy(now + (this.#refreshMs / SOON) * fraction(this.#core.options.random))
  }

  /** Tells of the point if it is another one after `act`. */
  #changing(path: Path, now: Monotonic, act: () => void): readonly Output[] {
    const before = this.shown.reading(path, now)
    act()
    const after = this.shown.reading(path, now)
    if (before?.quality === after?.quality && equalValues(before?.value, after?.value)) return NO_OUTPUTS
    const quality = after?.quality ?? 'stale'
    return [{ kind: 'change', change: { path, before: before?.value, after: after?.value, settled: false, quality } }]
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

function refusedBy(code: string): string {
  return `reading that the rules of its device refuse: ${code}`
}
