import type { Digest } from '../base/digest.ts'
import type { MemberId, OperationId } from '../base/ids.ts'
import { compareCanonically, type Join, type Operation } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import type { MarkedRole } from '../state/role.ts'
import type { Value } from '../state/value.ts'
import type { Epoch } from './epoch.ts'
import type { VersionEntry } from './version-vector.ts'

/**
 * The synchronization message: the operation with its execution stage, the previous operation with its stage and its
 * originator, and the unique priority of the sender (which stands in `current.priority`). PROTOCOL section 2.
 */
export interface SyncMessage {
  readonly current: Operation
  readonly previous: Previous
}

/** The last operation in canonical order that the issuer had executed when it issued; its member is the originator. */
export interface Previous {
  /** Null stands for the genesis, at stage 0. */
  readonly id: OperationId | null
  readonly stage: number
}

/** Messages of one origin, without gaps: the unit that is committed, sent, relayed byte for byte, and integrated whole. */
export interface Batch {
  readonly origin: MemberId
  /** Chain digest of all that the origin issued before. */
  readonly link: Digest
  /** Chain digest of all that the origin issued up to here: of the batch without its signature, which holds `link`. */
  readonly digest: Digest
  readonly messages: readonly SyncMessage[]
  /** As its origin made it, with the signature if there is one: so it is stored and passed on. */
  readonly payload: Uint8Array
  readonly isSigned: boolean
}

/** What a member says of itself, by interval and when asked (PROTOCOL section 7). It states only what is on its disk. */
export interface Announcement {
  readonly member: MemberId
  /** How often the member has started, then how often it has announced since: the order of announcements. */
  readonly start: number
  readonly number: number
  /** The epoch in which all that is stated here is meant. */
  readonly epoch: number
  /** The newest epoch document that the member has; above `epoch` while it does not know the cuts. */
  readonly newestEpoch: number
  /** Digest of that document, so that two epochs of one number are seen; zeros at epoch 0. */
  readonly epochDigest: Digest
  /** Whether it knows the cuts of `newestEpoch`. */
  readonly knowsCuts: boolean
  /** What it held of the retired when it learned `epoch`, or the cuts once it knows them; null if it does not count, or if everybody knows. */
  readonly frozen: readonly VersionEntry[] | null
  /** Highest stage that the member holds: it will never issue at or below it. */
  readonly stage: number
  readonly ownSeq: number
  readonly floor: number
  /** Digest of the snapshot at `floor`. */
  readonly floorDigest: Digest
  /** Digest of the whole version vector. */
  readonly vectorDigest: Digest
  /** The version vector, or null where the digest is expected to suffice. */
  readonly vector: readonly VersionEntry[] | null
  /** Digest of the settled state at a stage, where its floor has come to rest. */
  readonly state?: { readonly stage: number; readonly digest: Digest }
  /** All of it as its member has signed it, in a fleet with keys: so it is passed on. */
  readonly sealed?: Uint8Array
}

/** What an announcement tells of: a newer one with the same subject says all that it said, and newer. */
export function subjectOf({ member, vector, frozen }: Announcement): string {
  return `${member}${vector === null ? '' : ' whole'}${frozen === null ? '' : ' frozen'}`
}

/** Which request of its sender it is, so that nobody plays it again. Both numbers only grow. */
export interface Turn {
  /** How often the sender has started, then how often it has asked since. */
  readonly start: number
  readonly number: number
}

/** What is asked for in a fleet with keys. */
interface Asked {
  readonly turn?: Turn
  /** All of it as its sender has signed it. */
  readonly sealed?: Uint8Array
}

/** Asks for exactly what is missing. */
export interface Request extends Asked {
  readonly from: MemberId
  /** Who shall answer, or null for whoever can. */
  readonly to: MemberId | null
  readonly gaps: readonly Gap[]
}

/** The operations of `member` behind `after` up to and including `through`. */
export interface Gap {
  readonly member: MemberId
  readonly after: number
  readonly through: number
}

/** A draft asks to become a member. */
export interface JoinRequest {
  readonly member: MemberId
  readonly tier: number
  /** A gateway if it is absent. */
  readonly role?: MarkedRole
  /** Its public key, or empty in a fleet without signatures. */
  readonly key: Uint8Array
  /** Proof of enrolment, which the gateway's check understands; empty where none is asked for. */
  readonly proof: Uint8Array
  /** The newest epoch that it knows. */
  readonly epoch: number
}

export interface Refusal {
  readonly to: MemberId
  readonly from: MemberId
  /** One line for people. */
  readonly reason: string
}

/** A snapshot may be fetched: as the welcome of a new member, or by a member that cannot catch up otherwise. */
export interface Offer {
  readonly to: MemberId
  readonly from: MemberId
  readonly purpose: 'welcome' | 'catch-up'
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** The join of `from`, in a fleet with keys: by it a draft traces whoever offers it a welcome back to the operator. */
  readonly sponsor?: Join
  /** All of it as its sender has signed it, in a fleet with keys. */
  readonly sealed?: Uint8Array
}

export interface ChunkRequest extends Asked {
  readonly from: MemberId
  readonly to: MemberId
  /** Of the snapshot that was offered. */
  readonly digest: Digest
  readonly offset: number
}

export interface Chunk {
  readonly digest: Digest
  readonly offset: number
  readonly bytes: Uint8Array
}

/** How good a member says that its reading is. */
export const QUALITIES = ['good', 'uncertain', 'bad'] as const
export type StatedQuality = (typeof QUALITIES)[number]

/** One point as its member has read it. */
export interface Reading {
  readonly path: Path
  readonly value: Value
  readonly quality: StatedQuality
  /** Time since it was read until the message was made. What it spent on its way comes on top, and nobody knows it. */
  readonly ageMs: number
}

/** Readings of a device that are no operations: of each point the newest counts, and no disk keeps it. */
export interface Telemetry {
  readonly member: MemberId
  /** How often the member has started, then how many such messages it has made since: which of two readings is newer. */
  readonly start: number
  readonly number: number
  /** Every point is below it. */
  readonly device: string
  readonly readings: readonly Reading[]
  /** All of it as its member has signed it, in a fleet with keys: so it is passed on. */
  readonly sealed?: Uint8Array
}

export type Message =
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'announcement'; readonly announcement: Announcement }
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'epoch'; readonly epoch: Epoch }
  | { readonly kind: 'join-request'; readonly request: JoinRequest }
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
  | { readonly kind: 'offer'; readonly offer: Offer }
  | { readonly kind: 'chunk-request'; readonly request: ChunkRequest }
  | { readonly kind: 'chunk'; readonly chunk: Chunk }
  | { readonly kind: 'telemetry'; readonly telemetry: Telemetry }

/** The first and the last message of a batch; a batch is never empty. */
export function firstOf(batch: Batch): SyncMessage {
  return batch.messages[0] as SyncMessage
}

export function lastOf(batch: Batch): SyncMessage {
  return batch.messages.at(-1) as SyncMessage
}

/** The canonical order of batches is that of their first operations. */
export function compareByFirst(left: Batch, right: Batch): number {
  return compareCanonically(firstOf(left).current, firstOf(right).current)
}
