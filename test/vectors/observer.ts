import { formatOperationId, type MemberId, nodeOf } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { type Epoch, epochDigest } from '../../runtime/sync/epoch.ts'
import type { Inspection, WaitingLine } from '../../runtime/sync/inspection.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import {
  sortedEntries,
  vectorDigest,
  type VersionEntry,
  versionVector,
  type VersionVector,
} from '../../runtime/sync/version-vector.ts'
import { ScenarioFrames } from './scenario-frames.ts'
import type { Delivery, Ending, Scenario, Step } from './scenario.ts'

/** The observer of a scenario: a real replica that gets real frames, and a disk that has written before the next one. */
export class Observer {
  readonly #frames: ScenarioFrames
  readonly #replica: Replica
  /** The last outcome that was seen of each operation, also of those that were folded or removed since. */
  readonly #outcomes = new Map<string, string>()
  #announcements = 0
  #epoch: Epoch | null = null
  /** What stands of the retired. */
  readonly #frozen: VersionEntry[] = []
  #nowMs = 0

  constructor(scenario: Scenario) {
    this.#frames = new ScenarioFrames(scenario)
    this.#replica = new Replica({
      self: this.#frames.memberOf(scenario.observer),
      genesis: this.#frames.genesis(),
      random: seededRandom(1),
      recovered: { snapshot: null, records: [], last: 0 },
      verifyEpoch: () => true,
    })
    this.#carryOut(this.#replica.tick(this.#nowMs))
  }

  deliver(delivery: Delivery): Step {
    const before = this.#look()
    // The listing of the journal is made when it is asked for, and this is the time.
    const journalBefore = this.#journalOf(before)
    const outputs = this.#give(delivery)
    const after = this.#look()
    const how = this.#howOf(delivery, outputs, before, after)
    const journal = this.#journalOf(after)
    const outcomes = Object.fromEntries(after.journal().map((line) => [this.#name(line.operation), `${line.outcome}`]))
    for (const [name, outcome] of Object.entries(outcomes)) this.#outcomes.set(name, outcome)
    if ((how === 'late' || how === 'cut') && typeof delivery === 'string') this.#outcomes.set(delivery, how)
    for (const id of removedBy(outputs)) this.#outcomes.set(this.#name(id), 'cut')
    return {
      d: delivery,
      how,
      executed: outputs.flatMap((output) =>
        output.kind === 'integrated' ? output.operations.map((id) => this.#name(formatOperationId(id))) : [],
      ),
      undone: how === 'insert' && typeof delivery === 'string' ? journalBefore.filter(this.#isBehind(delivery)) : [],
      removed: removedBy(outputs).map((id) => this.#name(id)),
      journal,
      waiting: this.#namesOf(after.waitingList),
      deferred: this.#namesOf(after.deferredQueue),
      outcomes,
      floor: after.floor,
    }
  }

  ending(): Ending {
    const view = this.#look()
    const outcomes = new Map(this.#outcomes)
    for (const name of [...this.#namesOf(view.waitingList), ...this.#namesOf(view.deferredQueue)])
      outcomes.set(name, 'waiting')
    const conflicts = this.#replica.conflicts().map((conflict) => ({
      op: this.#name(formatOperationId(conflict.loser.operation)),
      path: conflict.path as string,
      by: this.#name(formatOperationId(conflict.winner.operation)),
    }))
    return {
      outcomes: Object.fromEntries(outcomes),
      state: Object.fromEntries(this.#replica.entries()),
      // A superseded operation shows as its outcome; this list is for what fell under a later operation.
      conflicts: conflicts.filter(({ op, by }) => this.#frames.isBefore(op, by)),
      members: view.members.filter(({ isRetired }) => !isRetired).map(({ member }) => this.#frames.nodeName(member)),
    }
  }

  #give(delivery: Delivery): Output[] {
    this.#nowMs += 1
    if (typeof delivery === 'string') {
      const batch = this.#frames.batchOf(delivery)
      return this.#receive(encodeFrame(this.#replica.fleet, { kind: 'batch', batch }))
    }
    if ('fold' in delivery) return this.#announceAll(delivery.fold)
    return this.#retire(delivery.epoch)
  }

  /** An epoch in which everybody else counts and has frozen just what stands, so that the cuts are known at once. */
  #retire(cuts: Readonly<Record<string, string | null>>): Output[] {
    const { members, epoch: before } = this.#look()
    for (const [node, last] of Object.entries(cuts)) {
      const known = members.filter(({ member, isRetired }) => !isRetired && this.#frames.nodeName(member) === node)
      const member = known.at(-1)?.member ?? this.#frames.memberOf(node)
      this.#frozen.push(
        last === null ? nothingOf(member) : this.#frames.entryOf(member, this.#frames.idOf(last).seq, Infinity),
      )
    }
    const retired = this.#frozen.map(({ member }) => member).toSorted()
    const counting = members
      .map(({ member }) => member)
      .filter((member) => !retired.includes(member) && nodeOf(member) !== nodeOf(this.#replica.self))
      .toSorted()
    this.#epoch = { number: before.number + 1, counting, retired, signature: new Uint8Array() }
    const outputs = this.#receive(encodeFrame(this.#replica.fleet, { kind: 'epoch', epoch: this.#epoch }))
    for (const member of counting) outputs.push(...this.#announce(member, 0, new Map()))
    return outputs
  }

  /** What lets the floor rule advance to `stage` and no further: everybody else states this stage and what is below. */
  #announceAll(stage: number): Output[] {
    const { members, self } = this.#look()
    const vector = versionVector(members.map((line) => this.#frames.entryOf(line.member, line.heldSeq, stage)))
    return members
      .filter(({ member, isRetired }) => member !== self && !isRetired)
      .flatMap(({ member }) => this.#announce(member, stage, vector))
  }

  #announce(member: MemberId, stage: number, vector: VersionVector): Output[] {
    this.#announcements += 1
    const number = this.#epoch?.number ?? 0
    const announcement: Announcement = {
      member,
      start: 1,
      number: this.#announcements,
      epoch: number,
      newestEpoch: number,
      epochDigest: epochDigest(this.#epoch),
      knowsCuts: true,
      frozen: this.#frozen,
      stage,
      ownSeq: vector.get(member)?.seq ?? 0,
      floor: 0,
      floorDigest: EMPTY_DIGEST,
      vectorDigest: vectorDigest(vector),
      vector: sortedEntries(vector),
    }
    return this.#receive(encodeFrame(this.#replica.fleet, { kind: 'announcement', announcement }))
  }

  #receive(bytes: Uint8Array): Output[] {
    return this.#carryOut(this.#replica.receive({ kind: 'frame', link: 'vectors', bytes }, this.#nowMs))
  }

  /** Confirms every record at once. @returns all outputs, with those that the confirmation brought */
  #carryOut(outputs: readonly Output[]): Output[] {
    const all = [...outputs]
    let confirmed = 0
    for (let through = lastRecord(all); through > confirmed; through = lastRecord(all)) {
      confirmed = through
      all.push(...this.#replica.receive({ kind: 'stored', through }, this.#nowMs))
    }
    return all
  }

  #howOf(delivery: Delivery, outputs: readonly Output[], before: Inspection, after: Inspection): string {
    if (typeof delivery !== 'string') return 'fold' in delivery ? 'fold' : 'epoch'
    if (after.status === 'draft') return 'draft'
    const id = this.#frames.idOf(delivery)
    for (const output of outputs) {
      if (
        output.kind === 'integrated' &&
        output.operations.some(({ member, seq }) => member === id.member && seq === id.seq)
      )
        return output.place
    }
    for (const [reason, count] of Object.entries(after.dropped)) {
      if (count > (before.dropped[reason] ?? 0)) return DROPS[reason] ?? `dropped: ${reason}`
    }
    const waitedBefore = [...this.#namesOf(before.waitingList), ...this.#namesOf(before.deferredQueue)].includes(
      delivery,
    )
    if (waitedBefore) return 'known'
    if (this.#namesOf(after.waitingList).includes(delivery)) return 'wait'
    if (this.#namesOf(after.deferredQueue).includes(delivery)) return 'defer'
    return after.members.some(({ member, heldSeq }) => member === id.member && heldSeq >= id.seq) ? 'known' : 'vanished'
  }

  #isBehind(place: string): (name: string) => boolean {
    return (name) => this.#frames.isBefore(place, name)
  }

  #look(): Inspection {
    return this.#replica.inspect(this.#nowMs)
  }

  #journalOf(view: Inspection): string[] {
    return view.journal().map((line) => this.#name(line.operation))
  }

  #namesOf(lines: readonly WaitingLine[]): string[] {
    return lines.flatMap((line) => line.operations.map((id) => this.#name(id)))
  }

  #name(id: string): string {
    return this.#frames.nameOf(id)
  }
}

/** Reasons of drops that the format has a word for. */
const DROPS: Readonly<Record<string, string>> = {
  'operation at or below the floor': 'late',
  'operation of a retired member that does not stand': 'cut',
}

function nothingOf(member: MemberId): VersionEntry {
  return { member, seq: 0, digest: EMPTY_DIGEST }
}

function removedBy(outputs: readonly Output[]): string[] {
  return outputs.flatMap((output) => (output.kind === 'removed' ? output.operations.map(formatOperationId) : []))
}

function lastRecord(outputs: readonly Output[]): number {
  return outputs.reduce((last, output) => (output.kind === 'store' ? Math.max(last, output.number) : last), 0)
}
