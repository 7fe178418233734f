import type { Digest } from '../../runtime/base/digest.ts'
import { formatOperationId, type MemberId } from '../../runtime/base/ids.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { type Announcement, type Batch, lastOf, type Message } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { decodeRecord } from '../../runtime/sync/records.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { type VersionEntry, vectorDigest } from '../../runtime/sync/version-vector.ts'
import { assertEqualsReference } from './against-reference.ts'
import type { SimulatedNode } from './node.ts'

/** An invariant of PROTOCOL section 9 does not hold. */
class InvariantBroken extends Error {
  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.name = 'InvariantBroken'
  }
}

/** What is known of one node from outside. */
interface Observation {
  /** What is on its medium, of whom, and the highest stage of it. */
  readonly durable: Map<MemberId, VersionEntry>
  durableStage: number
  /** The same as far as the replica was told. */
  told: Map<MemberId, VersionEntry>
  toldStage: number
  /** Its own operations that are not on its medium. */
  undurable: { readonly seq: number; readonly stage: number; readonly floor: number }[]
  /** Own operations in records that were handed to the disk. */
  readonly sealed: Map<number, Operation>
  /**
   * The highest stage and floor that it ever announced. Nothing of its own may come at or below that stage, or state a
   * lower floor: others forget a tombstone once everybody has announced a floor above it.
   */
  announcedStage: number
  announcedFloor: number
  /** The highest seq that it called durable to its users. */
  promisedSeq: number
  hasHeard: boolean
}

/** Sees everything that happens in a fleet, and asserts on the spot what must hold at all times. */
export class Witness {
  /** Every operation that reached the medium of its issuer. */
  readonly operations: Map<string, Operation> = new Map()
  crashes = 0
  readonly #observations = new Map<MemberId, Observation>()
  /** I1: the digest at each floor that anybody ever had. */
  readonly #floorDigests = new Map<number, Digest>()
  readonly #isAlone: boolean

  constructor(genesis: Genesis) {
    this.#isAlone = genesis.founders.length === 1
  }

  noteStart(node: SimulatedNode): void {
    const seen = this.#of(node)
    seen.told = new Map(seen.durable)
    seen.toldStage = seen.durableStage
    seen.hasHeard = this.#isAlone
  }

  noteCrash(node: SimulatedNode): void {
    this.crashes += 1
    const seen = this.#of(node)
    seen.undurable = []
    seen.sealed.clear()
  }

  noteIssue(node: SimulatedNode, issued: Issued): void {
    const seen = this.#of(node)
    const { id, stage } = issued
    const { floor } = node.replica.inspect(0)
    const before = Math.max(seen.announcedStage, seen.durableStage, seen.undurable.at(-1)?.stage ?? 0)
    check('I4', stage > before, () => `${node.name} issues at stage ${stage} and has announced ${before}`)
    check(
      'floor',
      floor >= seen.announcedFloor,
      () => `${node.name} issues at floor ${floor} and has announced ${seen.announcedFloor}`,
    )
    seen.undurable.push({ seq: id.seq, stage, floor })
  }

  /** @param records on the medium of `node` from now on */
  noteCommit(node: SimulatedNode, records: readonly Uint8Array[]): void {
    const seen = this.#of(node)
    for (const bytes of records) {
      const record = decodeRecord(bytes)
      if (record.kind !== 'batch') continue
      const { batch } = record
      const { id, stage } = lastOf(batch).current
      seen.durable.set(batch.origin, { member: batch.origin, seq: id.seq, digest: batch.digest })
      seen.durableStage = Math.max(seen.durableStage, stage)
      if (batch.origin === node.member) this.#noteOwn(seen, batch)
    }
    if (!node.isUp) return
    seen.told = new Map(seen.durable)
    seen.toldStage = seen.durableStage
  }

  noteOutput(node: SimulatedNode, output: Output): void {
    const seen = this.#of(node)
    if (output.kind === 'alarm') check('I2', false, () => `${node.name} raises ${JSON.stringify(output.alarm)}`)
    else if (output.kind === 'durable') {
      const { seq } = output.through
      check(
        'durable',
        this.operations.has(formatOperationId(output.through)),
        () => `${node.name}:${seq} is not stored`,
      )
      seen.promisedSeq = Math.max(seen.promisedSeq, seq)
    } else if (output.kind === 'settled') this.noteFloor(node)
    else if (output.kind === 'store') this.#noteSealed(node, seen, output.record)
  }

  noteHeard(node: SimulatedNode, message: Message): void {
    if (message.kind === 'announcement') this.#of(node).hasHeard = true
  }

  noteSend(node: SimulatedNode, message: Message): void {
    const seen = this.#of(node)
    if (message.kind === 'batch') this.#checkSent(node, seen, message.batch)
    else if (message.kind === 'announcement' && message.announcement.member === node.member) {
      this.#checkAnnounced(node, seen, message.announcement)
    }
  }

  /** I1: the rolling digest at each floor is equal everywhere for ever. */
  noteFloor(node: SimulatedNode): void {
    const { floor, floorDigest } = node.replica.inspect(0)
    const known = this.#floorDigests.get(floor) ?? floorDigest
    check(
      'I1',
      known === floorDigest,
      () => `${node.name} has ${floorDigest} at floor ${floor}, and another had ${known}`,
    )
    this.#floorDigests.set(floor, floorDigest)
  }

  /** I7, I8: what a node holds now, executed anew by the reference, gives its order, outcomes, state and conflicts. */
  checkAgainstReference(node: SimulatedNode): void {
    const view = node.replica.inspect(0)
    if (view.outboxLength > 0) return
    const { sealed } = this.#of(node)
    const held: Operation[] = []
    for (const { member, heldSeq } of view.members) {
      for (let seq = 1; seq <= heldSeq; seq++) {
        const operation =
          this.operations.get(formatOperationId({ member, seq })) ??
          (member === node.member ? sealed.get(seq) : undefined)
        check(
          'I6',
          operation !== undefined,
          () => `${node.name} holds ${formatOperationId({ member, seq })}, which nobody stored`,
        )
        held.push(operation as Operation)
      }
    }
    assertEqualsReference(node, view, held)
  }

  /** I6: every operation on the medium of its issuer, and so every one told durable, is held by `node`. */
  checkComplete(node: SimulatedNode): void {
    const held = new Map(node.replica.inspect(0).members.map(({ member, heldSeq }) => [member, heldSeq]))
    for (const [member, seen] of this.#observations) {
      const seq = Math.max(seen.promisedSeq, seen.durable.get(member)?.seq ?? 0)
      check(
        'I6',
        held.get(member) === seq,
        () => `${node.name} holds ${held.get(member)} operations of ${member}, of which ${seq} are durable`,
      )
    }
    const total = [...held.values()].reduce((sum, seq) => sum + seq, 0)
    check(
      'I6',
      total === this.operations.size,
      () => `${node.name} holds ${total} operations, and ${this.operations.size} were stored`,
    )
  }

  #noteOwn(seen: Observation, batch: Batch): void {
    for (const { current } of batch.messages) {
      const id = formatOperationId(current.id)
      check('I4', !this.operations.has(id), () => `${id} is stored twice`)
      this.operations.set(id, current)
      seen.undurable = seen.undurable.filter((issued) => issued.seq !== current.id.seq)
    }
  }

  #noteSealed(node: SimulatedNode, seen: Observation, bytes: Uint8Array): void {
    const record = decodeRecord(bytes)
    if (record.kind !== 'batch' || record.batch.origin !== node.member) return
    for (const { current } of record.batch.messages) seen.sealed.set(current.id.seq, current)
  }

  #checkSent(node: SimulatedNode, seen: Observation, batch: Batch): void {
    if (batch.origin !== node.member) return
    const { seq } = lastOf(batch).current.id
    check(
      'sync before send',
      seq <= (seen.durable.get(node.member)?.seq ?? 0),
      () => `${node.name} sends ${seq} unsynced`,
    )
    check(
      'hear before you speak',
      seen.hasHeard,
      () => `${node.name} sends ${seq} and has heard nobody since its start`,
    )
  }

  /** I5: announcements state only what is on the disk; and nothing of its own is still to come at or below the stage. */
  #checkAnnounced(node: SimulatedNode, seen: Observation, announcement: Announcement): void {
    const { stage, ownSeq, vector, floor } = announcement
    check(
      'I5',
      stage <= seen.toldStage,
      () => `${node.name} announces stage ${stage} with ${seen.toldStage} on its disk`,
    )
    check('I5', ownSeq === (seen.told.get(node.member)?.seq ?? 0), () => `${node.name} announces own seq ${ownSeq}`)
    check(
      'I5',
      announcement.vectorDigest === vectorDigest(seen.told),
      () => `${node.name} announces a vector that is not on its disk`,
    )
    for (const entry of vector ?? []) {
      const stored = seen.told.get(entry.member)
      check(
        'I5',
        stored?.seq === entry.seq && stored.digest === entry.digest,
        () => `${node.name} announces ${entry.seq} of ${entry.member}`,
      )
    }
    for (const coming of seen.undurable) {
      check(
        'I4',
        coming.stage > stage,
        () => `${node.name} announces stage ${stage}, and its operation of stage ${coming.stage} is still to come`,
      )
      check(
        'floor',
        coming.floor >= floor,
        () =>
          `${node.name} announces floor ${floor}, and its operation issued at floor ${coming.floor} is still to come`,
      )
    }
    seen.announcedStage = Math.max(seen.announcedStage, stage)
    seen.announcedFloor = Math.max(seen.announcedFloor, floor)
  }

  #of(node: SimulatedNode): Observation {
    let seen = this.#observations.get(node.member)
    if (seen === undefined) {
      seen = {
        durable: new Map(),
        durableStage: 0,
        told: new Map(),
        toldStage: 0,
        undurable: [],
        sealed: new Map(),
        announcedStage: 0,
        announcedFloor: 0,
        promisedSeq: 0,
        hasHeard: this.#isAlone,
      }
      this.#observations.set(node.member, seen)
    }
    return seen
  }
}

export function check(invariant: string, holds: boolean, detail: () => string): void {
  if (!holds) throw new InvariantBroken(invariant, detail())
}
