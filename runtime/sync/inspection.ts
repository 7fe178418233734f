import type { Monotonic } from '../base/clock.ts'
import { toHex } from '../base/bytes.ts'
import type { Digest } from '../base/digest.ts'
import { formatOperationId, type MemberId } from '../base/ids.ts'
import type { Outcome } from '../state/operation.ts'
import type { Role } from '../state/role.ts'
import type { FloorHold } from './floor.ts'
import type { History } from './history.ts'
import { firstOf, lastOf } from './message.ts'
import type { Peers } from './peers.ts'
import type { TelemetryCounts } from './telemetry.ts'
import { sortedEntries, type VersionEntry } from './version-vector.ts'
import type { Waiting } from './waiting-list.ts'

/** Everything that a person may want to know of a replica, as plain data. */
export interface Inspection {
  readonly self: MemberId
  readonly status: 'member' | 'draft'
  readonly draftReason: string | null
  /** Of this node in its present life. */
  readonly tier: number
  /** Why the fleet did not take this draft in when it asked last, or null. */
  readonly refusal: string | null
  /** Drafts that have asked to join here, newest last. */
  readonly candidates: readonly CandidateLine[]
  /** Operations that wait until this node is a member. */
  readonly drafts: number
  /** The last operation in canonical order that was executed here. */
  readonly last: { readonly operation: string | null; readonly stage: number }
  readonly floor: number
  readonly floorDigest: Digest
  readonly floorHold: FloorHold | null
  /** The journal in canonical order. */
  readonly journal: () => readonly JournalLine[]
  readonly journalLength: number
  readonly waitingList: readonly WaitingLine[]
  readonly deferredQueue: readonly WaitingLine[]
  /** Always 0 between two inputs: what was undone has executed again. */
  readonly waitingQueueLength: number
  /** Operations that were undone and executed again since the start. */
  readonly reexecutions: number
  readonly outboxLength: number
  readonly epoch: EpochLine
  readonly members: readonly MemberLine[]
  readonly vector: readonly VersionEntry[]
  readonly conflicts: number
  readonly conflictsForgotten: number
  readonly paths: number
  readonly dropped: Readonly<Record<string, number>>
  readonly links: readonly string[]
  /** Readings that are no operations. */
  readonly telemetry: TelemetryCounts
}

export interface JournalLine {
  readonly operation: string
  readonly stage: number
  readonly outcome: Outcome | null
}

/** A draft as it asks to join: what the operator lets in by name. */
export interface CandidateLine {
  readonly member: MemberId
  readonly tier: number
  readonly role: Role
  /** Public key, hexadecimal. */
  readonly key: string
  /** Why it was not taken in, or null. */
  readonly refusal: string | null
}

export interface WaitingLine {
  readonly operations: readonly string[]
  readonly stage: number
  /** The operation that it waits for. */
  readonly waitsFor: string
}

export interface EpochLine {
  /** The newest epoch document, 0 if there has never been one. */
  readonly number: number
  /** The epoch that we announce. */
  readonly announced: number
  readonly counting: readonly MemberId[]
  readonly retired: readonly MemberId[]
  readonly knowsCuts: boolean
  readonly isForced: boolean
  /** It is on the disk here. */
  readonly isStored: boolean
  /** Enrolment tokens that hold no more. */
  readonly revoked: readonly Digest[]
  /** Drafts that the operator lets in by name. */
  readonly admitted: readonly MemberId[]
  /** Counting members that have not said what they hold of the retired. */
  readonly waitsFor: readonly MemberId[]
}

export interface MemberLine {
  readonly member: MemberId
  readonly tier: number
  readonly role: Role
  readonly isSelf: boolean
  /** Public key, hexadecimal; empty in a fleet without keys. */
  readonly key: string
  /** The enrolment token with which it joined, or null. */
  readonly token: Digest | null
  /** Stage of the join that counts, 0 for a founder. */
  readonly since: number
  readonly isRetired: boolean
  /** The highest seq of it that stands; null while it is not retired, or the cut is not known. */
  readonly cut: number | null
  /** Null if it has not been heard since our start. */
  readonly heardAgoMs: number | null
  readonly stage: number | null
  readonly floor: number | null
  /** Operations of it that we hold. */
  readonly heldSeq: number
}

export interface InspectionSources {
  readonly self: MemberId
  readonly status: 'member' | 'draft'
  readonly draftReason: string | null
  readonly tier: number
  /** Why the fleet did not take this draft in when it asked last, or null. */
  readonly refusal: string | null
  readonly candidates: readonly CandidateLine[]
  /** Operations that wait until this node is a member. */
  readonly drafts: number
  readonly history: History
  readonly peers: Peers
  readonly floorHold: FloorHold | null
  readonly outboxLength: number
  readonly dropped: Readonly<Record<string, number>>
  readonly links: readonly string[]
  readonly telemetry: TelemetryCounts
  readonly now: Monotonic
}

export function inspect(sources: InspectionSources): Inspection {
  const { history, self } = sources
  const { highWater } = history
  return {
    self,
    status: sources.status,
    draftReason: sources.draftReason,
    tier: sources.tier,
    refusal: sources.refusal,
    candidates: sources.candidates,
    drafts: sources.drafts,
    last: { operation: highWater.id === null ? null : formatOperationId(highWater.id), stage: highWater.stage },
    floor: history.floor,
    floorDigest: history.floorDigest,
    floorHold: sources.floorHold,
    journal: () => journalLines(history),
    journalLength: history.journal.length,
    waitingList: history.waitingList.waiting().map(waitingLine),
    deferredQueue: history.waitingList.deferred().map(waitingLine),
    waitingQueueLength: history.local.waitingQueueLength,
    reexecutions: history.local.reexecutions,
    outboxLength: sources.outboxLength,
    epoch: epochLine(sources),
    members: memberLines(sources),
    vector: sortedEntries(history.storedVector()),
    conflicts: history.conflicts.size,
    conflictsForgotten: history.conflicts.forgotten,
    paths: history.local.size,
    dropped: sources.dropped,
    links: sources.links,
    telemetry: sources.telemetry,
  }
}

function journalLines(history: History): JournalLine[] {
  return [...history.journal.entries()].map(({ operation, execution }) => ({
    operation: formatOperationId(operation.id),
    stage: operation.stage,
    outcome: execution?.outcome ?? null,
  }))
}

function waitingLine({ batch, missing }: Waiting): WaitingLine {
  return {
    operations: batch.messages.map((message) => formatOperationId(message.current.id)),
    stage: firstOf(batch).current.stage,
    waitsFor: formatOperationId(
      missing.seq > 0 ? missing : { member: missing.member, seq: lastOf(batch).current.id.seq },
    ),
  }
}

function memberLines({ history, peers, self, now }: InspectionSources): MemberLine[] {
  return history.membership.list().map((member) => {
    const peer = peers.get(member.id)
    return {
      member: member.id,
      tier: member.priority.tier,
      role: member.role,
      isSelf: member.id === self,
      key: toHex(member.key),
      token: member.token,
      since: member.since,
      isRetired: history.retirement.isRetired(member.id),
      cut: cutOf(member.id, history),
      heardAgoMs: peer === undefined ? null : now - peer.heardAt,
      stage: peer?.announcement.stage ?? null,
      floor: peer?.announcement.floor ?? null,
      heldSeq: history.log(member.id).held.seq,
    }
  })
}

function epochLine({ history: { retirement }, self }: InspectionSources): EpochLine {
  return {
    number: retirement.number,
    announced: retirement.announced(self),
    counting: retirement.epoch?.counting ?? [],
    retired: retirement.epoch?.retired ?? [],
    knowsCuts: retirement.cuts !== null,
    isForced: retirement.epoch?.isForced === true,
    isStored: retirement.isStored,
    revoked: retirement.epoch?.revoked ?? [],
    admitted: retirement.epoch?.admitted?.map(({ member }) => member) ?? [],
    waitsFor: retirement.cuts === null ? retirement.unstated(self) : [],
  }
}

function cutOf(member: MemberId, { retirement }: History): number | null {
  if (!retirement.isRetired(member) || retirement.cuts === null) return null
  return retirement.cuts.get(member)?.seq ?? 0
}
