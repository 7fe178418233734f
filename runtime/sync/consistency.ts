import type { OperationId } from '../base/ids.ts'
import { STAGE_LEAP_MAX } from '../base/limits.ts'
import { compareCanonically, type Operation } from '../state/operation.ts'
import type { Journal } from './journal.ts'
import type { MemberLog } from './member-log.ts'
import type { Membership } from './membership.ts'
import type { Retirement } from './cut.ts'
import { type Batch, firstOf, lastOf } from './message.ts'

/** What is held, as the comparison needs it. */
export interface Holdings {
  readonly membership: Membership
  readonly journal: Journal
  readonly retirement: Retirement
  log(member: Batch['origin']): MemberLog
}

/**
 * The comparison of a received batch with what is held (PROTOCOL section 4).
 * - `known`: held already.
 * - `wait`: we are at an earlier stage; `missing` is the first operation that it needs.
 * - `late`: at or below the floor and not held, which no honest member of the epoch can send.
 * - `used-twice`: the same seqs with another content: two lives of one member id.
 * - `cut`: its member is retired, and it lies beyond what stands of it, or may stand as far as is known.
 * - `refused`: it contradicts itself or what is held.
 * - `ready`: it can take its place now.
 */
export type Verdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'wait'; readonly missing: OperationId }
  | { readonly kind: 'late' }
  | { readonly kind: 'used-twice' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'ready' }

export function judge(batch: Batch, holdings: Holdings): Verdict {
  const member = holdings.membership.get(batch.origin)
  const first = firstOf(batch).current
  const last = lastOf(batch).current
  const bound = holdings.retirement.bound(batch.origin)
  if (bound !== null && last.id.seq > bound) return { kind: 'cut' }
  if (member === undefined && holdings.retirement.evidence.has(batch.origin)) return { kind: 'cut' }
  if (member === undefined) return { kind: 'wait', missing: { member: batch.origin, seq: 0 } }
  // Of any other member the join that counts may be another one than it knew: what it issued under that is void where it stands.
  if (member.join === null && member.priority.tier !== first.priority.tier)
    return { kind: 'refused', reason: 'priority is not the one of its founder' }
  const log = holdings.log(batch.origin)
  const { seq } = log.held
  if (last.id.seq <= seq) return isSameLife(batch, log) ? { kind: 'known' } : { kind: 'used-twice' }
  if (first.stage <= holdings.journal.floor) return { kind: 'late' }
  if (first.id.seq > seq + 1) return { kind: 'wait', missing: { member: batch.origin, seq: first.id.seq - 1 } }
  if (first.id.seq !== seq + 1 || batch.link !== log.held.digest) return { kind: 'used-twice' }
  return judgePrevious(batch, holdings)
}

/** Where the integration of an operation puts it. */
export type Place = 'append' | 'behind' | 'insert'

/**
 * - `append`: behind everything, at a new highest stage (the fast path).
 * - `behind`: the journal entry of the last stage has higher priority: it executes right behind it.
 * - `insert`: the journal entry at its place has lower priority: that one and all after it are undone.
 */
export function placeOf(operation: Operation, journal: Journal): Place {
  const last = journal.last?.operation
  if (last === undefined || last.stage < operation.stage) return 'append'
  return compareCanonically(last, operation) < 0 ? 'behind' : 'insert'
}

function isSameLife(batch: Batch, log: MemberLog): boolean {
  return !log.contradicts(lastOf(batch).current.id.seq, batch.digest)
}

function judgePrevious(batch: Batch, holdings: Holdings): Verdict {
  for (const { previous } of batch.messages) {
    if (previous.id === null || previous.stage <= holdings.journal.floor) continue
    if (previous.id.member === batch.origin && previous.id.seq >= firstOf(batch).current.id.seq) {
      if (!standsInBatch(previous.id, previous.stage, batch))
        return { kind: 'refused', reason: 'previous names another stage than its own batch' }
      continue
    }
    if (!isCut(previous.id, holdings)) {
      const log = holdings.log(previous.id.member)
      if (previous.id.seq > log.held.seq) return { kind: 'wait', missing: previous.id }
      if (log.messageAt(previous.id.seq)?.current.stage === previous.stage) continue
    }
    // Nobody will ever hold what was followed here: it was cut, or of two lives of its member the other one stands.
    if (previous.stage > highestStage(holdings.journal) + STAGE_LEAP_MAX) return { kind: 'used-twice' }
  }
  return { kind: 'ready' }
}

function highestStage({ last, floor }: Journal): number {
  return last?.operation.stage ?? floor
}

/** Nobody will ever hold it: it was cut, or its member hung on a join that was cut. */
function isCut(id: OperationId, { membership, retirement }: Holdings): boolean {
  if (retirement.isCut(id.member, id.seq)) return true
  return membership.get(id.member) === undefined && retirement.evidence.has(id.member)
}

function standsInBatch(previous: OperationId, stage: number, batch: Batch): boolean {
  return batch.messages[previous.seq - firstOf(batch).current.id.seq]?.current.stage === stage
}
