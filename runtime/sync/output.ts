import type { Digest } from '../base/digest.ts'
import type { MemberId, OperationId } from '../base/ids.ts'
import type { Original, Outcome } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import type { Value } from '../state/value.ts'
import type { Conflict } from './conflict.ts'
import type { Place } from './consistency.ts'
import type { StatedQuality } from './message.ts'

/** What the replica wants done, as data, in this order. The pump gives each to its port. */
export type Output =
  | { readonly kind: 'store'; readonly record: Uint8Array; readonly number: number }
  /** To be gathered piece by piece, each some milliseconds of work; all of them are one snapshot. */
  | { readonly kind: 'snapshot'; readonly pieces: Iterable<Uint8Array>; readonly through: number }
  | { readonly kind: 'send'; readonly frame: Uint8Array; readonly to: Destination }
  | { readonly kind: 'change'; readonly change: Change }
  | {
      readonly kind: 'integrated'
      readonly operations: readonly OperationId[]
      readonly place: Place
      readonly own: boolean
    }
  | {
      readonly kind: 'outcome'
      readonly operation: OperationId
      readonly outcome: Outcome
      readonly before: Outcome | null
      /** Why it was refused or is void, or null. */
      readonly reason: string | null
    }
  /** Operations that were applied and are superseded now, all by one: to be told one by one to whoever wants to know. */
  | {
      readonly kind: 'superseded'
      readonly operations: Iterable<OperationId>
      /** One of each of them, but for those that a person has dealt with. */
      readonly conflicts: Iterable<Conflict>
    }
  /** The rules of a device are others than before, here and now; null for none. */
  | { readonly kind: 'rules'; readonly device: string; readonly before: Digest | null; readonly after: Digest | null }
  /** Operations that do not stand any more: they were cut, came late, or share their id with another one. */
  | { readonly kind: 'removed'; readonly operations: readonly OperationId[] }
  | { readonly kind: 'conflict'; readonly conflict: Conflict }
  | { readonly kind: 'durable'; readonly through: OperationId }
  /** A draft is on the disk. */
  | { readonly kind: 'draft-durable'; readonly draft: OperationId }
  /** A draft, or an operation that did not stand, was issued anew; null: see the conflicts, or it is back already. */
  | {
      readonly kind: 'draft-settled'
      readonly original: Original
      readonly issued: { readonly id: OperationId; readonly stage: number } | null
    }
  /** This node has another member id, or is a draft, or is one no more. */
  | { readonly kind: 'standing'; readonly member: MemberId; readonly draftReason: string | null }
  | { readonly kind: 'settled'; readonly floor: number; readonly changes: readonly Change[] }
  | { readonly kind: 'alarm'; readonly alarm: Alarm }
  /** All that is held, as a snapshot to be gathered piece by piece and kept for people under a name. */
  | { readonly kind: 'evidence'; readonly name: string; readonly pieces: Iterable<Uint8Array> }

/** What most inputs bring about at most places: one list for all of them. */
export const NO_OUTPUTS: readonly Output[] = []

/** Adds lists to one, which all that one input brings about share: each list of its own would take room for 17. */
export function add(
  outputs: Output[],
  first: readonly Output[],
  second: readonly Output[] = NO_OUTPUTS,
  third: readonly Output[] = NO_OUTPUTS,
): void {
  // Nearly always all are empty, and a list of the lists would be made for each input.
  for (let index = 0; index < first.length; index++) outputs.push(first[index] as Output)
  for (let index = 0; index < second.length; index++) outputs.push(second[index] as Output)
  for (let index = 0; index < third.length; index++) outputs.push(third[index] as Output)
}

/** One list behind the other; no copy where one of them is empty, which it nearly always is. */
export function joined(first: readonly Output[], second: readonly Output[]): readonly Output[] {
  if (second.length === 0) return first
  return first.length === 0 ? second : [...first, ...second]
}

/** Where a frame goes: what it is for, and by which links. */
export interface Destination {
  readonly channel: 'operations' | 'announcements' | 'requests' | 'answers' | 'telemetry'
  /** What an announcement is of: a newer one of the same says all that it said. */
  readonly of?: string
  /** One link; all; or all but the one that brought it. */
  readonly links: { readonly only: string } | { readonly except: string } | 'all'
}

/** As its member said when it read it; stale: nobody has heard of it for long. */
export type Quality = StatedQuality | 'stale'

/** A point has another value than before. Undefined is an absent point. */
export interface Change {
  readonly path: Path
  readonly before: Value | undefined
  readonly after: Value | undefined
  /** True if it cannot change without a new operation. */
  readonly settled: boolean
  /** Of a point that is telemetry, or was before; absent where an operation wrote it. */
  readonly quality?: Quality
}

/** What people must know. Each has a stable name. */
export type Alarm =
  | { readonly name: 'late-operation'; readonly member: MemberId; readonly seq: number }
  /** `digests`: the chain digests of the batch that stands and of the other one, as evidence. */
  | {
      readonly name: 'identity-used-twice'
      readonly member: MemberId
      readonly seq: number
      readonly digests: readonly [stands: Digest | null, other: Digest]
    }
  /** A member has announced what cannot be true, for a reason in one line. */
  | { readonly name: 'untrue-announcement'; readonly member: MemberId; readonly reason: string }
  | { readonly name: 'regressed'; readonly reason: string }
  | { readonly name: 'divergence'; readonly member: MemberId; readonly floor: number }
  /** A welcome of this sponsor shows another settled state than these announce: nothing of it was taken. */
  | { readonly name: 'welcome-doubted'; readonly member: MemberId; readonly by: readonly MemberId[] }
  | { readonly name: 'epoch-conflict'; readonly number: number }
  /** The operator has made an epoch in which members count that could not know: operations may be lost. */
  | { readonly name: 'epoch-forced'; readonly number: number }
  /** Somebody asks to join under a member id to which another key is bound. */
  | { readonly name: 'second-key'; readonly member: MemberId }
  /** More member ids have joined with a token than it is for: a split let in some on each side. */
  | { readonly name: 'token-overused'; readonly token: Digest; readonly used: number; readonly uses: number }
  | { readonly name: 'cut-below-floor'; readonly member: MemberId; readonly seq: number }
  /** A node of the fleet says what this release has no meaning for: it was dropped, and what hangs on it waits. */
  | { readonly name: 'newer-release'; readonly reason: string }
  | { readonly name: 'journal-long'; readonly operations: number; readonly waitingFor: MemberId | null }
