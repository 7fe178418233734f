import { isFounding, nodeOf } from '../base/ids.ts'
import { compareCanonically } from '../state/operation.ts'
import { hasComeBack } from '../state/came-back.ts'
import { roleOfMember } from '../state/member-value.ts'
import { memberPoint, originalPoint } from '../state/reserved-point.ts'
import { isList } from '../state/value.ts'
import type { Conflict } from './conflict.ts'
import { type Draft, draftOf } from './draft.ts'
import type { History } from './history.ts'
import type { Holding } from './recovery.ts'
import type { MemberLog } from './member-log.ts'
import { type Batch, compareByFirst, firstOf, type SyncMessage } from './message.ts'
import { isVoidOfIssuer } from './permission.ts'
import { isSecondContent } from './second-content.ts'
import { conflictOf } from './settlement.ts'

/** What a node that adopts a welcome takes along from the history that it leaves. */
export interface Belongings {
  /** Own operations of former lives that did not stand, then the drafts made since. */
  readonly drafts: readonly Draft[]
  /** Own operations that contradict what the fleet holds under the same ids: people decide. */
  readonly conflicts: readonly Conflict[]
}

/**
 * What is to be issued again after a welcome (PROTOCOL section 5 and 6): own operations that the fleet does not hold, because
 * they lie beyond a cut or were never sent, and those that stand before the place of the join that counts. Whatever has come
 * back already is left out. Where the own chain differs from the fleet's, the rest goes to the conflict list, as does what a
 * clone has brought back something else for.
 */
export function belongingsOf({ history: old, drafts, life }: Holding, fresh: History): Belongings {
  const { member: self, trusted } = life
  const again: Draft[] = []
  const conflicts: Conflict[] = []
  for (const log of old.logs()) {
    if (nodeOf(log.member) !== nodeOf(self)) continue
    const theirs = fresh.log(log.member)
    const surely = trusted?.member === log.member ? trustedSeq(trusted.seq, log, theirs) : 0
    const common = Math.max(commonSeq(log, theirs), surely)
    const isFork = common < Math.min(log.held.seq, theirs.held.seq)
    for (const message of messagesOf(log)) {
      const draft = draftOf(message)
      if (message.current.join !== null) continue
      if (isBack(draft, fresh)) {
        if (isSecondContent(draft.current, fresh.local)) conflicts.push(...conflictsOf(draft, fresh))
      } else if (message.current.id.seq <= common) {
        if (isVoid(message, fresh)) again.push(draft)
      } else if (isFork) conflicts.push(...conflictsOf(draft, fresh))
      else again.push(draft)
    }
  }
  // What people made under a name that another machine has used too is looked at when it settles.
  const made = drafts.filter((draft) => !isBack(draft, fresh) || isSecondContent(draft.current, fresh.local))
  return { drafts: [...again, ...made], conflicts }
}

/**
 * A member that lacks operations below another's floor adopts that one's snapshot and keeps what it holds above it
 * (PROTOCOL section 7, catch-up). @returns the batches of `old`, in the order in which the new history takes them
 */
export function batchesAbove(old: History): Batch[] {
  const batches = [...old.logs()].flatMap((log) => log.batches)
  return batches.sort(compareByFirst)
}

/** The last seq up to which both hold the same, as far as it can be told; what was folded is the same. */
function commonSeq(ours: MemberLog, theirs: MemberLog): number {
  if (ours.digestAt(theirs.held.seq) === theirs.held.digest) return theirs.held.seq
  const ends = ours.batches.map((batch) => firstOf(batch).current.id.seq + batch.messages.length - 1).toReversed()
  for (const seq of ends) if (theirs.digestAt(seq) === ours.digestAt(seq)) return seq
  return Math.min(ours.settled.seq, theirs.held.seq)
}

/**
 * Up to where both surely hold the same, since it stood on the disk before the last start. Where the two show that they
 * differ below that, a second machine has been at work, and what stood on the disk says nothing.
 */
function trustedSeq(trusted: number, ours: MemberLog, theirs: MemberLog): number {
  const { seq, digest } = theirs.held
  const isContradicted = seq > ours.settled.seq && seq <= trusted && ours.digestAt(seq) !== digest
  return isContradicted ? 0 : Math.min(trusted, seq)
}

function messagesOf(log: MemberLog): readonly SyncMessage[] {
  return log.batches.flatMap((batch) => batch.messages)
}

function isBack({ current: { original } }: Draft, fresh: History): boolean {
  return hasComeBack(fresh.local.cell(originalPoint(original)).value, original.id.seq)
}

/**
 * It is void everywhere: it stands before the place of the join that counts, or was issued under another one, with a priority or a role
 * that its member does not have.
 */
function isVoid({ current }: SyncMessage, fresh: History): boolean {
  const { member } = current.id
  if (isFounding(member)) return false
  const { value, writer } = fresh.local.cell(memberPoint(member))
  if (writer === null || compareCanonically(current, writer) < 0) return true
  if (!isList(value) || value[0] !== current.priority.tier) return true
  return isVoidOfIssuer(current.writes, { self: member, role: roleOfMember(value), charter: fresh.membership.charter })
}

function conflictsOf(draft: Draft, fresh: History): Conflict[] {
  return draft.current.writes.map((write) => conflictOf(draft, write, fresh.local.cell(write.path)))
}
