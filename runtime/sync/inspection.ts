import type { Monotonic } from '../base/clock.ts'
import { toHex } from '../base/bytes.ts'
import type { Digest } from '../base/digest.ts'
import { formatOperationId, type MemberId } from '../base/ids.ts'
import type { Outcome } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import { memberOfPoint, showPoint } from '../state/reserved-point.ts'
import type { Role } from '../state/role.ts'
import type { FloorHold } from './floor.ts'
import type { History } from './history.ts'
import type { Undo } from './last-undo.ts'
import { type Batch, firstOf } from './message.ts'
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
  /** Batches of which something is missing, in canonical order; of several claims on one place the one of highest priority. */
  readonly waitingList: readonly WaitingLine[]
  /** The other claims. */
  readonly deferredQueue: readonly WaitingLine[]
  /** The waiting queue is empty whenever somebody can look; this is what went through it last, or null. */
  readonly lastUndo: UndoLine | null
  /** Operations that were undone into the waiting queue and executed again since the start. */
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
  /** What is missing of it. */
  readonly reason: WaitingReason
  /** The operation that it waits for; the first one of its member while its join is not known. */
  readonly waitsFor: string
  /** In the deferred queue: the operation of higher priority that has its place in the waiting list, or null. */
  readonly behind: string | null
}

/** The join of its member, the operation of its member before it, or the one that it follows as its previous. */
export type WaitingReason = 'join' | 'earlier' | 'previous'

/** What had to be undone into the waiting queue and executed again, and why. */
export interface UndoLine {
  /** Whether operations came late and took a place before them, or have left the journal. */
  readonly reason: 'late' | 'left'
  /** The first of the operations that are the reason, and how many there were. */
  readonly by: readonly string[]
  readonly byCount: number
  /** The first operations that executed again. */
  readonly undone: readonly UndoneLine[]
  readonly undoneCount: number
  /** Plain writes of one point that came to yield to a late one, all at once. */
  readonly togetherCount: number
}

export interface UndoneLine {
  readonly operation: string
  readonly stage: number
  /** The points that it meets, at some of which something else stands before it now. */
  readonly points: readonly string[]
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
    waitingList: history.waitingList.waiting().map((waiting) => waitingLine(waiting, null)),
    deferredQueue: history.waitingList.deferred().map(({ behind, ...waiting }) => waitingLine(waiting, behind)),
    lastUndo: undoLine(history.local.lastUndo),
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

function waitingLine({ batch, missing }: Waiting, behind: Batch | null): WaitingLine {
  const first = firstOf(batch).current
  return {
    operations: batch.messages.map((message) => formatOperationId(message.current.id)),
    stage: first.stage,
    reason: missing.seq === 0 ? 'join' : missing.member === batch.origin ? 'earlier' : 'previous',
    waitsFor: formatOperationId({ member: missing.member, seq: Math.max(1, missing.seq) }),
    behind: behind === null ? null : formatOperationId(firstOf(behind).current.id),
  }
}

function undoLine(undo: Undo | null): UndoLine | null {
  if (undo === null) return null
  return {
    ...undo,
    by: undo.by.map(({ id }) => formatOperationId(id)),
    undone: undo.undone.map(({ id, stage, paths }) => {
      return { operation: formatOperationId(id), stage, points: paths.filter(isShown).map(showPoint) }
    }),
  }
}

/** Most operations meet the point of their issuer, and that says nothing. */
function isShown(path: Path): boolean {
  return memberOfPoint(path) === null
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
