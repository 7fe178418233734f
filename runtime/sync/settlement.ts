import { formatOperationId, type MemberId, nodeOf, sameOperationId } from '../base/ids.ts'
import { hasComeBack } from '../state/came-back.ts'
import type { Cell } from '../state/cell.ts'
import type { Operation, Write } from '../state/operation.ts'
import { originalPoint, showPoint } from '../state/reserved-point.ts'
import { comparePriority, type Priority } from '../state/priority.ts'
import type { Charter, Role } from '../state/role.ts'
import type { Conflict } from './conflict.ts'
import type { Draft } from './draft.ts'
import type { Effects } from './effects.ts'
import type { LocalState } from './local-state.ts'
import { isVoidOfIssuer } from './permission.ts'
import { isSecondContent } from './second-content.ts'

/** What becomes of a draft when its node is a member. */
export type Settlement =
  /** It has come back already, before this node was set back. */
  | { readonly kind: 'known' }
  | { readonly kind: 'conflict'; readonly conflict: Conflict }
  /** It is issued as a fresh operation with these writes. */
  | { readonly kind: 'issue'; readonly writes: readonly Write[] }

/** Who issues the draft again. */
export interface Settler {
  readonly self: MemberId
  readonly priority: Priority
  readonly role: Role
  readonly charter: Charter
}

/**
 * A draft whose point was written meanwhile by a higher priority goes to the conflict list, and so does what this node may not
 * write any more, since it comes back with another role than before, or a clone's other operation under a name that has come
 * back; every other one is issued anew (PROTOCOL section 6).
 * Meanwhile means: after what the draft itself had seen there.
 */
export function settlementOf(draft: Draft, settler: Settler, local: LocalState): Settlement {
  const { original, writes } = draft.current
  const { self, priority } = settler
  const { value } = local.cell(originalPoint(original))
  const isKnown = hasComeBack(value, original.id.seq)
  if (isKnown && !isSecondContent(draft.current, local)) return { kind: 'known' }
  const isVoid = isKnown || isVoidOfIssuer(writes, settler)
  for (const write of writes) {
    const cell = local.cell(write.path)
    if (isVoid || yieldsTo(cell, write, self, priority))
      return { kind: 'conflict', conflict: conflictOf(draft, write, cell) }
  }
  return { kind: 'issue', writes: writes.map((write) => ({ ...write, replaces: replacedBy(write, local) })) }
}

/** The conflict of a draft with whatever stands on the point of one of its writes. */
export function conflictOf({ current }: Draft, write: Write, { value, writer }: Cell): Conflict {
  const { id, kind } = current.original
  return {
    id: `${kind} ${formatOperationId(id)}@${showPoint(write.path)}`,
    path: write.path,
    winner: { operation: writer?.id ?? id, stage: writer?.stage ?? 0, value },
    loser: { operation: id, stage: current.stage, value: write.kind === 'delete' ? undefined : write.argument },
  }
}

/** What the writes of an operation that left the journal wanted, against what stands on their points now. */
export function conflictsOfRemoved(operation: Operation, local: LocalState): Conflict[] {
  const original = operation.original ?? { kind: 'operation', id: operation.id }
  const draft: Draft = { current: { ...operation, original }, previous: { id: null, stage: 0 } }
  return operation.writes.map((write) => conflictOf(draft, write, local.cell(write.path)))
}

/** What operations wanted that are void since another one has come back under their name. The same on all members. */
export function conflictsOfSecondContents({ executed }: Effects, local: LocalState): readonly Conflict[] {
  let conflicts: Conflict[] | null = null
  for (const { entry, after } of executed) {
    if (after.code !== 'came-back' || !isSecondContent(entry.operation, local)) continue
    ;(conflicts ??= []).push(...conflictsOfRemoved(entry.operation, local))
  }
  return conflicts ?? NO_CONFLICTS
}

const NO_CONFLICTS: readonly Conflict[] = []

function yieldsTo({ writer }: Cell, write: Write, self: MemberId, priority: Priority): boolean {
  if (writer === null || write.kind === 'add' || write.kind === 'append') return false
  if (nodeOf(writer.id.member) === nodeOf(self) || sameOperationId(writer.id, write.replaces)) return false
  return comparePriority(writer.priority, priority) > 0
}

function replacedBy(write: Write, local: LocalState): Write['replaces'] {
  return write.kind === 'add' || write.kind === 'append' ? null : (local.cell(write.path).writer?.id ?? null)
}
