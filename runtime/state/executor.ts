import { isFounding, type MemberId, nodeOf, sameOperationId } from '../base/ids.ts'
import { assert, unreachable } from '../base/errors.ts'
import { appended } from './appended.ts'
import { hasComeBack, withComeBack } from './came-back.ts'
import { type Cell, EMPTY_CELL } from './cell.ts'
import { guardHolds, showFailed } from './guard.ts'
import { memberValue, roleOfMember } from './member-value.ts'
import type { Operation, Outcome, Positioned, Write } from './operation.ts'
import type { Path } from './path.ts'
import { comparePriority } from './priority.ts'
import { deviceOfRules, isReserved, memberPoint, originalPoint } from './reserved-point.ts'
import { type Charter, maySetRules, OPEN_CHARTER, type Role, ROLE_DEFAULT } from './role.ts'
import { type ObjectionCode, objectionTo, objectionToResult } from './rules/judge.ts'
import type { RuleTable } from './rules/rules.ts'
import { isList, type Value } from './value.ts'
import type { Yielded } from './yielded.ts'

/** What became of one operation on the cells that it met. */
export interface Execution {
  readonly outcome: Outcome
  /**
   * Aligned with the cells that were given: each of them afterwards. The very cells that were given, unless it was applied; only
   * that an original has come back is noted even so.
   */
  after: readonly Cell[]
  /** Writes that had to yield, empty for most. */
  clashes: readonly Clash[]
  /** Why it was refused or is void, for people. */
  readonly reason: string | null
  /** The same for programs. */
  readonly code: ReasonCode | null
}

/**
 * Why an operation was refused (`guard`, `unfit`, or what its rule says against the result) or is void. Stable.
 * `not-operator`: rules are set by those who may. `not-its-own`: each node brings back its own operations alone.
 */
export type ReasonCode =
  | ObjectionCode
  | 'guard'
  | 'unfit'
  | 'no-member'
  | 'came-back'
  | 'not-its-own'
  | 'observer'
  | 'not-operator'

/** What an operation is judged by, besides the cells that it meets. */
export interface Law {
  readonly charter: Charter
  /** Aligned with `operation.paths`: the rules that stand over each at this place. Null where there are none at all. */
  readonly rules: readonly (RuleTable | null)[] | null
}

/**
 * What the points of the members hold whose join is settled. Nothing above the floor can change that: they need not be met any
 * more by what those members issue.
 */
export type SettledMembers = ReadonlyMap<MemberId, Value>

const NOBODY: SettledMembers = new Map()

/** Nobody has made a rule, and all are gateways. */
const NO_LAW: Law = { charter: OPEN_CHARTER, rules: null }

/** Two changes of one point of which neither issuer had seen the other. */
export interface Clash {
  readonly path: Path
  /** Where it holds a cell, that one's writer and value stand instead of `winner` and `winnerValue`: it may change. */
  standing: readonly Cell[]
  winner: Positioned
  winnerValue: Value | undefined
  readonly loser: Positioned
  loserValue: Value | undefined
  /** Those with which the loser has come to yield; null for one that was looked at by itself. */
  readonly together: Yielded | null
}

/**
 * Executes one operation: a pure function of the operation and the cells of its paths (PROTOCOL section 3).
 * @param before aligned with `operation.paths`; without the last, the point of its issuer, where `settled` has that
 */
export function execute(
  operation: Operation,
  before: readonly Cell[],
  law: Law = NO_LAW,
  settled: SettledMembers = NOBODY,
): Execution {
  const objection = objectionToIssuer(operation, before, law.charter, settled)
  if (objection !== null) return unchanged('void', before, objection)
  return noteMembership(operation, executeAlone(operation, before, law.rules))
}

/**
 * Brings the execution of a plain write that was superseded up to date where it meets another writer that supersedes it too,
 * as {@link execute} would. Many of one point do so together, when one of higher priority comes late, and again with each of
 * its writes behind that: in place, this costs a fiftieth of the whole execution.
 * @returns false, and nothing has changed, if it is to be executed
 */
export function yieldsAgain(operation: Operation, execution: Execution, met: readonly [Cell]): boolean {
  const [write] = operation.writes
  const standing = met[0].writer
  if (standing === null || write === undefined || !isPlainYield(operation, execution, met)) return false
  if (isSeen(standing, operation, write) || comparePriority(standing.priority, operation.priority) <= 0) return false
  yieldTo(execution, met)
  return true
}

/** A write that nothing but what its own point holds decides over. @param points how many it meets */
function isPlain({ writes, guards }: Operation, points: number): boolean {
  return points === 1 && guards.length === 0 && writes.length === 1 && writes[0]?.kind === 'set'
}

/** What becomes of a plain write that yields, as {@link execute} would find it. @param standing the list of the cell that stands over it */
export function yielding(operation: Operation, standing: readonly [Cell], together: Yielded | null): Execution {
  const [write] = operation.writes
  const [{ writer, value }] = standing
  assert(write !== undefined && writer !== null, 'a write yields to another one')
  const { path, argument } = write
  const clash = { path, standing, winner: writer, winnerValue: value, loser: operation, loserValue: argument, together }
  return { outcome: 'superseded', after: standing, clashes: [clash], reason: null, code: null }
}

/** Whether nothing but the writer that stands on its one point decides what becomes of it, and it has yielded. */
export function isPlainYield(operation: Operation, { outcome }: Execution, met: readonly Cell[]): boolean {
  return outcome === 'superseded' && isPlain(operation, met.length)
}

/** A plain write that yields does so to the writer of this cell, and of whatever takes its place in the list. */
export function yieldTo(execution: Execution, standing: readonly [Cell]): void {
  execution.after = standing
  const [clash] = execution.clashes
  if (clash !== undefined) clash.standing = standing
}

/**
 * Executes what an operation does to the points of the device, without a look at who issued it: a draft has no member yet.
 * @param before aligned with `operation.paths`, of which the last ones may be left out that it neither writes nor guards
 */
export function executeAlone(operation: Operation, before: readonly Cell[], rules: Law['rules'] = null): Execution {
  const objection = rules === null ? null : objectionOfRules(operation, rules)
  if (objection !== null) return unchanged('void', before, objection)
  if (isPlain(operation, before.length) && isUndisputed(operation, before[0] as Cell)) return plainlyApplied(operation)
  for (const guard of operation.guards) {
    const { value } = cellOf(operation, before, guard.path)
    if (!guardHolds(guard, value))
      return unchanged('refused', before, { code: 'guard', reason: showFailed(guard, value) })
  }
  const scratch = before.slice()
  let clashes: Clash[] | null = null
  for (const write of operation.writes) {
    const index = positionOf(write.path, operation.paths)
    const step = executeWrite(operation, write, scratch[index] ?? EMPTY_CELL, rules?.[index] ?? null)
    switch (step.kind) {
      case 'refused':
        return unchanged('refused', before, step)
      case 'superseded':
        return { outcome: 'superseded', after: before.slice(), clashes: [step.clash], reason: null, code: null }
      case 'written':
        scratch[index] = step.cell
        if (step.clash !== null) (clashes ??= []).push(step.clash)
        break
      default:
        unreachable(step)
    }
  }
  return { outcome: 'applied', after: scratch, clashes: clashes ?? NO_CLASHES, reason: null, code: null }
}

/**
 * What becomes of a plain write over nobody, or over whom its issuer had seen: nearly every execution. All of it follows from the
 * operation, so that a journal need not keep it. No class of its own: the engine forgets the shape of one with no instance whenever
 * it tidies memory, and the code of all that reads it.
 */
export function plainlyApplied(operation: Operation): Execution {
  const cell: Cell = { value: operation.writes[0]?.argument, writer: operation }
  return { outcome: 'applied', after: [cell], clashes: NO_CLASHES, reason: null, code: null }
}

/** Whether an execution is the one of {@link plainlyApplied}. */
export function isPlainlyApplied(operation: Operation, { outcome, after, clashes }: Execution): boolean {
  return outcome === 'applied' && clashes.length === 0 && isPlain(operation, after.length)
}

function isUndisputed(operation: Operation, { writer }: Cell): boolean {
  return writer === null || isSeen(writer, operation, operation.writes[0] as Write)
}

/** Why an operation does not do what it says. */
interface Reason {
  readonly code: ReasonCode
  readonly reason: string
}

/**
 * A member is who was admitted before, with the priority that it states; an original comes back once. An observer changes
 * nothing, and not everybody sets rules.
 */
function objectionToIssuer(
  operation: Operation,
  before: readonly Cell[],
  charter: Charter,
  settled: SettledMembers,
): Reason | null {
  const { id, original } = operation
  const isFounder = isFounding(id.member)
  let role: Role = ROLE_DEFAULT
  if (isFounder) role = charter.founders.size === 0 ? role : (charter.founders.get(id.member) ?? role)
  else {
    const isMet = before.length === operation.paths.length
    const value = isMet ? cellOf(operation, before, memberPoint(id.member)).value : settled.get(id.member)
    if (!isList(value) || value[0] !== operation.priority.tier) return NO_MEMBER
    role = roleOfMember(value)
  }
  if (role === 'observer') return OBSERVER
  if (setsRules(operation) && !maySetRules(role, isFounder, charter)) return SETS_RULES
  if (original === null) return null
  if (nodeOf(original.id.member) !== nodeOf(id.member)) return NOT_ITS_OWN
  const { value } = cellOf(operation, before, originalPoint(original))
  return hasComeBack(value, original.id.seq) ? CAME_BACK : null
}

const NO_MEMBER: Reason = { code: 'no-member', reason: 'its issuer was no member at this place' }
const CAME_BACK: Reason = { code: 'came-back', reason: 'it has come back already' }
/** Whoever could name the originals of others would keep them from coming back. */
const NOT_ITS_OWN: Reason = { code: 'not-its-own', reason: 'it brings back what another node has issued' }
const OBSERVER: Reason = { code: 'observer', reason: 'its issuer is an observer, which changes nothing' }
const SETS_RULES: Reason = { code: 'not-operator', reason: 'its issuer is no operator, and sets no rules' }

/** The rest of an operation that sets rules does the same: its first write tells. */
function setsRules({ writes }: Operation): boolean {
  return writes[0] !== undefined && deviceOfRules(writes[0].path) !== null
}

/** What the rules of the devices say against any of the writes. */
function objectionOfRules({ id, writes, paths }: Operation, rules: readonly (RuleTable | null)[]): Reason | null {
  for (const write of writes) {
    const table = rules[positionOf(write.path, paths)] ?? null
    const objection = table === null || isReserved(write.path) ? null : objectionTo(write, nodeOf(id.member), table)
    if (objection !== null) return objection
  }
  return null
}

/**
 * The reserved points after `operation`. A later join of a member changes nothing. An original has come back whatever became
 * of it: one that was refused or superseded is not to be applied later under another id.
 */
function noteMembership(operation: Operation, execution: Execution): Execution {
  const { join, original } = operation
  if (join === null && original === null) return execution
  const after = [...execution.after]
  if (join !== null && execution.outcome === 'applied') {
    const index = operation.paths.indexOf(memberPoint(join.member))
    if (after[index]?.value === undefined) after[index] = { value: memberValue(join), writer: operation }
  }
  if (original !== null) {
    const index = operation.paths.indexOf(originalPoint(original))
    after[index] = { value: withComeBack(after[index]?.value, original.id.seq), writer: null }
  }
  return { ...execution, after }
}

const NO_CLASHES: readonly Clash[] = []
const NOTHING: readonly Cell[] = []

type Step =
  | { readonly kind: 'written'; readonly cell: Cell; readonly clash: Clash | null }
  | (Reason & { readonly kind: 'refused' })
  | { readonly kind: 'superseded'; readonly clash: Clash }

function executeWrite(operation: Operation, write: Write, cell: Cell, rules: RuleTable | null): Step {
  if (write.kind === 'add' || write.kind === 'append') return accumulate(write, cell, rules)
  const result = overwritten(write, cell.value)
  if (result.kind === 'refused') return result
  const standing = cell.writer
  if (standing === null || isSeen(standing, operation, write)) {
    return { kind: 'written', cell: { value: result.value, writer: operation }, clash: null }
  }
  if (comparePriority(standing.priority, operation.priority) > 0) {
    const clash = clashOf(write.path, standing, cell.value, operation, result.value)
    return { kind: 'superseded', clash }
  }
  const clash = clashOf(write.path, operation, result.value, standing, cell.value)
  return { kind: 'written', cell: { value: result.value, writer: operation }, clash }
}

/** Whether the issuer of `operation` had seen the writer that stands on the point. */
function isSeen(standing: Positioned, operation: Operation, write: Write): boolean {
  if (standing.id.member === operation.id.member) return standing.id.seq <= operation.id.seq
  return standing.stage <= operation.floor || sameOperationId(standing.id, write.replaces)
}

type Overwrite = { readonly kind: 'value'; readonly value: Value | undefined } | (Step & { readonly kind: 'refused' })

function overwritten(write: Write, value: Value | undefined): Overwrite {
  switch (write.kind) {
    case 'set':
      return { kind: 'value', value: write.argument }
    case 'delete':
      return { kind: 'value', value: undefined }
    case 'toggle':
      if (value === undefined || typeof value === 'boolean') return { kind: 'value', value: value !== true }
      return { kind: 'refused', code: 'unfit', reason: `toggle needs a boolean at ${write.path}` }
    default:
      return unreachable(write.kind as never)
  }
}

function accumulate(write: Write, cell: Cell, rules: RuleTable | null): Step {
  const after = write.kind === 'add' ? withSum(cell, write.argument) : appended(cell, write.argument)
  if (after === null) {
    return { kind: 'refused', code: 'unfit', reason: `${write.kind} does not fit the value at ${write.path}` }
  }
  const objection = rules === null ? null : objectionToResult(write, after.value as Value, rules)
  if (objection !== null) return { kind: 'refused', ...objection }
  return { kind: 'written', cell: after, clash: null }
}

function withSum({ value, writer }: Cell, amount: Value): Cell | null {
  const sum = added(value ?? 0, amount)
  return sum === null ? null : { value: sum, writer }
}

/** Whole numbers stay exact: beyond ±2^53 they become bigints, beyond 64 bits the operation is refused. */
function added(value: Value, amount: Value): Value | null {
  if (typeof value === 'number' && typeof amount === 'number') {
    const sum = value + amount
    if (Number.isSafeInteger(sum) || !Number.isInteger(value) || !Number.isInteger(amount)) {
      return Number.isFinite(sum) ? sum : null
    }
  }
  if (!isWhole(value) || !isWhole(amount)) return null
  return narrowed(BigInt(value) + BigInt(amount))
}

function narrowed(sum: bigint): Value | null {
  if (sum <= Number.MAX_SAFE_INTEGER && sum >= Number.MIN_SAFE_INTEGER) return Number(sum)
  return sum >= -(2n ** 63n) && sum < 2n ** 64n ? sum : null
}

function isWhole(value: Value): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
}

function cellOf(operation: Operation, cells: readonly Cell[], path: Path): Cell {
  return cells[positionOf(path, operation.paths)] ?? EMPTY_CELL
}

/** Nearly every operation names its points in one order, so that the text itself is rarely compared. */
function positionOf(path: Path, paths: readonly Path[]): number {
  return paths[0] === path ? 0 : paths.indexOf(path)
}

function unchanged(outcome: Outcome, before: readonly Cell[], { reason, code }: Reason): Execution {
  return { outcome, after: before.slice(), clashes: NO_CLASHES, reason, code }
}

function clashOf(
  path: Path,
  winner: Positioned,
  winnerValue: Value | undefined,
  loser: Positioned,
  loserValue: Value | undefined,
): Clash {
  return { path, standing: NOTHING, winner, winnerValue, loser, loserValue, together: null }
}
