import type { Digest } from '../base/digest.ts'
import { isFounding, type MemberId, type OperationId } from '../base/ids.ts'
import { aloneOf, type Path } from './path.ts'
import type { Priority } from './priority.ts'
import type { MarkedRole } from './role.ts'
import { memberPoint, originalPoint } from './reserved-point.ts'
import type { Value } from './value.ts'

export const WRITE_KINDS = ['set', 'delete', 'toggle', 'add', 'append'] as const
export type WriteKind = (typeof WRITE_KINDS)[number]

export const COMPARISONS = ['==', '!=', '<', '<=', '>', '>=', 'exists'] as const
export type Comparison = (typeof COMPARISONS)[number]

/** One change of one point. `argument` is null for `delete` and `toggle`. */
export interface Write {
  readonly path: Path
  readonly kind: WriteKind
  readonly argument: Value
  /**
   * The last writer of the path that the issuer had seen (a tombstone counts), or null if there was none.
   * Always null for `add` and `append`, which never yield.
   */
  readonly replaces: OperationId | null
}

/** A condition on the state right before the operation. With `exists` the value is a boolean. */
export interface Guard {
  readonly path: Path
  readonly comparison: Comparison
  readonly value: Value
}

/** Admits a member: issued by its sponsor. Of several joins of one member id the first in canonical order counts. */
export interface Join {
  readonly member: MemberId
  readonly tier: number
  /** Public key of the member, Ed25519 (32 bytes), or empty in a fleet without signatures. */
  readonly key: Uint8Array
  /** The enrolment token that it proved, so that all can count its uses; none if the operator let it in by name. */
  readonly token?: Digest
  /** A gateway if it is absent. */
  readonly role?: MarkedRole
  /** What traces the member back to the operator, in a fleet with keys: whoever comes later believes nothing less. */
  readonly credential?: Uint8Array
}

/**
 * What an operation was before it was issued again under another member id: an operation that was cut, or a draft. Whatever
 * has come back once is void when it comes again, and so is what another node has issued.
 */
export interface Original {
  readonly kind: 'operation' | 'draft'
  readonly id: OperationId
}

/** What is executed, all of its writes or none (PROTOCOL section 2). */
export interface Operation {
  readonly id: OperationId
  /** Logical position: one more than the stage of the operation that its issuer had executed last. */
  readonly stage: number
  /** The issuer's floor when it issued: what was settled for it, it had seen. */
  readonly floor: number
  readonly priority: Priority
  readonly writes: readonly Write[]
  readonly guards: readonly Guard[]
  /** Not null for a join, which has no writes and no guards. */
  readonly join: Join | null
  readonly original: Original | null
  /** Every point that it meets, once: those of its writes and guards, then the reserved ones of membership. */
  readonly paths: readonly Path[]
}

/** What an issuer asks for; the replica adds identity, stage and what each write replaces. */
export interface OperationRequest {
  readonly writes: readonly Omit<Write, 'replaces'>[]
  readonly guards: readonly Guard[]
}

/**
 * - `applied`: all its writes are in the state.
 * - `superseded`: a write of higher priority, which its issuer had not seen, stands on one of its points.
 * - `refused`: a guard was false or a write did not fit the value that it met.
 * - `void`: its issuer was no member at that place, or neither its role nor the rules of the device let it do this.
 */
export type Outcome = 'applied' | 'superseded' | 'refused' | 'void'

export function pathsOf(
  writes: readonly { readonly path: Path }[],
  guards: readonly { readonly path: Path }[],
): readonly Path[] {
  const first = writes[0]
  if (writes.length === 1 && guards.length === 0 && first !== undefined) return aloneOf(first.path)
  return [...new Set([...writes, ...guards].map((part) => part.path))]
}

/** Adds the reserved points that an operation meets to those of its writes and guards. */
export function pathsMet(
  paths: readonly Path[],
  issuer: MemberId,
  join: Join | null,
  original: Original | null,
): readonly Path[] {
  if (isFounding(issuer) && join === null && original === null) return paths
  const met = [...paths]
  if (!isFounding(issuer)) met.push(memberPoint(issuer))
  if (join !== null) met.push(memberPoint(join.member))
  if (original !== null) met.push(originalPoint(original))
  return met
}

/**
 * Canonical order: stage ascending, priority descending, nonce ascending, seq ascending. The one order on which all
 * replicas converge. Negative if `left` comes first.
 */
export function compareCanonically(left: Positioned, right: Positioned): number {
  if (left.stage !== right.stage) return left.stage - right.stage
  if (left.id.member === right.id.member) return left.id.seq - right.id.seq
  if (left.priority.tier !== right.priority.tier) return right.priority.tier - left.priority.tier
  if (left.priority.node !== right.priority.node) return left.priority.node > right.priority.node ? -1 : 1
  return compareText(left.id.member, right.id.member)
}

/** What the canonical order looks at. */
export interface Positioned {
  readonly id: OperationId
  readonly stage: number
  readonly priority: Priority
}

function compareText(left: MemberId, right: MemberId): number {
  return left < right ? -1 : 1
}
