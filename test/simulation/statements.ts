import type { Digest } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Issued } from '../../runtime/sync/issue.ts'
import { type Announcement, type Batch, firstOf, lastOf } from '../../runtime/sync/message.ts'
import { type VersionEntry, vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import type { Allowances } from './allowances.ts'
import { check } from './check.ts'
import type { DiskFacts } from './disk-facts.ts'
import type { SimulatedNode } from './node.ts'

/** An operation that its machine has executed and that is not on its medium. */
type Undurable = Pick<Operation, 'stage' | 'floor'> & { readonly seq: number }

/** What one machine says, against what it said before and what is on its disk: I4, I5, sync and hear before you speak. */
export class Statements {
  hasHeard = false
  #undurable: Undurable[] = []
  /** Vectors that were found on the disk as they are announced. */
  readonly #verified = new Set<Digest>()
  readonly #node: SimulatedNode
  readonly #announced: Announced
  readonly #allowances: Allowances
  #facts: DiskFacts

  constructor(node: SimulatedNode, facts: DiskFacts, announced: Announced, allowances: Allowances) {
    this.#node = node
    this.#facts = facts
    this.#announced = announced
    this.#allowances = allowances
  }

  /** Another card is in the machine. */
  replaceFacts(facts: DiskFacts): void {
    this.#facts = facts
    this.#verified.clear()
  }

  /** The machine starts, or begins another life: what was not on the disk is gone. */
  forget(): void {
    this.#undurable = []
  }

  noteIssue({ id, stage }: Issued): void {
    this.#checkIssued(stage, this.#node.replica.floor.stage)
    this.#undurable.push({ seq: id.seq, stage, floor: this.#node.replica.floor.stage })
  }

  /** Own operations were handed to the disk. */
  noteSealed(batch: Batch): void {
    const from = this.#undurable.at(-1)?.seq ?? 0
    for (const { current } of batch.messages) {
      if (current.id.seq <= from) continue
      this.#checkIssued(current.stage, current.floor)
      this.#undurable.push({ seq: current.id.seq, stage: current.stage, floor: current.floor })
    }
  }

  /** Own operations are on the medium. */
  noteDurable(batch: Batch): void {
    const { seq } = lastOf(batch).current.id
    this.#undurable = this.#undurable.filter((issued) => issued.seq > seq)
  }

  checkSent(batch: Batch): void {
    const { name } = this.#node
    const sync = (): string => `${name} sends ${firstOf(batch).current.id.seq} unsynced`
    check('sync before send', this.#facts.holdsBatch(batch.digest), sync)
    if (this.hasHeard) return
    const others = this.#node.replica
      .inspect(0)
      .members.filter((member) => !member.isRetired && !member.member.startsWith(this.#node.node))
    const isAlone = others.every(({ since }) => since > this.#node.replica.floor.stage)
    check('hear before you speak', isAlone, () => `${name} sends its own and has heard nobody since its start`)
  }

  /** I5: announcements state only what is on the disk; I4: and nothing of its own is still to come at or below the stage. */
  checkAnnounced(announcement: Announcement): void {
    const { name } = this.#node
    const { stage, floor, vector, member } = announcement
    const held = this.#facts.stage
    check('I5', stage <= held, () => `${name} announces stage ${stage} with ${held} on its disk`)
    this.#checkVector(announcement)
    const own = vector?.find((entry) => entry.member === member)?.seq ?? announcement.ownSeq
    check('I5', own === announcement.ownSeq, () => `${name} announces own seq ${announcement.ownSeq} and ${own}`)
    for (const coming of this.#undurable) {
      const what = (): string =>
        `${name} announces ${stage} at floor ${floor}, and ${JSON.stringify(coming)} is to come`
      check('I4', coming.stage > stage, what)
      check('floor', coming.floor >= floor, what)
    }
    this.#announced.raise(member, stage, floor)
  }

  #checkVector({ vector, vectorDigest: digest }: Announcement): void {
    if (this.#verified.has(digest)) return
    const entries = vector ?? this.#node.replica.inspect(0).vector
    for (const entry of entries) this.#checkEntry(entry)
    const ofEntries = vectorDigest(versionVector(entries))
    check('I5', ofEntries === digest, () => `${this.#node.name} announces the digest of another vector`)
    this.#verified.add(digest)
  }

  #checkEntry(entry: VersionEntry): void {
    const what = (): string => `${this.#node.name} announces ${entry.seq} of ${entry.member}, not on its disk`
    check('I5', this.#facts.holds(entry), what)
  }

  /** Nothing comes at or below an announced stage; and others forget a tombstone once all have announced a floor above it. */
  #checkIssued(stage: number, floor: number): void {
    const { name, member } = this.#node
    if (this.#allowances.isResumed(member)) return
    const said = this.#announced.of(member)
    check('I4', stage > said.stage, () => `${name} issues at stage ${stage} and has announced ${said.stage}`)
    check('floor', floor >= said.floor, () => `${name} issues at floor ${floor} and has announced ${said.floor}`)
  }
}

/** The highest stage and floor that each life ever announced, on whatever machine. */
export class Announced {
  readonly #said = new Map<MemberId, { readonly stage: number; readonly floor: number }>()

  of(member: MemberId): { readonly stage: number; readonly floor: number } {
    return this.#said.get(member) ?? { stage: 0, floor: 0 }
  }

  raise(member: MemberId, stage: number, floor: number): void {
    const said = this.of(member)
    this.#said.set(member, { stage: Math.max(said.stage, stage), floor: Math.max(said.floor, floor) })
  }
}
