import { digestOf, EMPTY_DIGEST, type Digest } from '../../runtime/base/digest.ts'
import { formatOperationId, type MemberId, type OperationId } from '../../runtime/base/ids.ts'
import type { Guard, Operation, Original, Outcome, Write } from '../../runtime/state/operation.ts'
import { decodeRules } from '../../runtime/state/rules/rules-codec.ts'
import type { DeviceRules, PointRule } from '../../runtime/state/rules/rules.ts'
import type { Value } from '../../runtime/state/value.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'

/**
 * The slow and obvious reference of PROTOCOL section 3, with joins, returns, roles and rules: all operations, sorted, executed
 * one by one on a map. It shares no code with the executor, the judge, the journal or the local state; numbers are small ones, so
 * plain arithmetic does, and of the rules it knows those that the tests use.
 */
export interface ReferenceResult {
  /** Operation ids in canonical order. */
  readonly order: readonly string[]
  readonly outcomes: ReadonlyMap<string, Outcome>
  /** Void because of who issued them, or since they came back before: as if they had never been issued. */
  readonly unheard: ReadonlySet<string>
  /** Points with a value, those of rules among them. */
  readonly state: ReadonlyMap<string, Value>
  /** By id. */
  readonly conflicts: ReadonlyMap<string, ReferenceConflict>
  /** Rolling digest over (operation id, outcome) of everything at or below `floor` (PROTOCOL section 7). */
  digestAt(floor: number): Digest
}

export interface ReferenceConflict {
  readonly path: string
  readonly winner: ReferenceSide
  readonly loser: ReferenceSide
}

export interface ReferenceSide {
  readonly operation: OperationId
  readonly stage: number
  readonly value: Value | undefined
}

/** @param genesis only for the roles of its founders, and whether it has keys */
export function executeAll(operations: Iterable<Operation>, genesis: Genesis | null = null): ReferenceResult {
  const sorted = [...operations].sort(inCanonicalOrder)
  const cells = new Map<string, ReferenceCell>()
  const membership: ReferenceMembership = { tiers: new Map(), roles: new Map(), cameBack: new Set() }
  const hasKeys = genesis?.operator !== undefined
  for (const { node, role } of genesis?.founders ?? []) membership.roles.set(`${node}.00000000`, role ?? 'gateway')
  const outcomes = new Map<string, Outcome>()
  const conflicts = new Map<string, ReferenceConflict>()
  const unheard = new Set<string>()
  for (const operation of sorted) {
    const isHeard = !isVoidOfIssuer(operation, membership, hasKeys)
    const isVoid = !isHeard || isVoidByRules(operation, cells)
    const outcome = isVoid ? 'void' : executeOne(operation, cells, conflicts)
    outcomes.set(formatOperationId(operation.id), outcome)
    if (isHeard) noteMembership(operation, outcome, membership)
    else unheard.add(formatOperationId(operation.id))
  }
  const state = new Map<string, Value>()
  for (const [path, cell] of cells) if (cell.value !== undefined) state.set(path, cell.value)
  return {
    order: sorted.map(({ id }) => formatOperationId(id)),
    outcomes,
    unheard,
    state,
    conflicts,
    digestAt: (floor) => rollingDigest(sorted, outcomes, floor),
  }
}

/** Who has joined, with which tier; and the names of the originals that came back. */
interface ReferenceMembership {
  readonly tiers: Map<MemberId, number>
  readonly roles: Map<string, string>
  readonly cameBack: Set<string>
}

/** Its issuer was no member at this place, or it may not do this, or it has come back already. */
function isVoidOfIssuer(operation: Operation, membership: ReferenceMembership, hasKeys: boolean): boolean {
  const { id, priority, original, writes } = operation
  const { tiers, roles, cameBack } = membership
  const isFounder = id.member.endsWith('.00000000')
  if (!isFounder && tiers.get(id.member) !== priority.tier) return true
  const role = roles.get(id.member) ?? 'gateway'
  if (role === 'observer') return true
  const setsRules = writes.some(({ path }) => path.startsWith(RULES))
  if (setsRules && role !== 'operator' && !isFounder && hasKeys) return true
  return original !== null && cameBack.has(nameOfOriginal(original))
}

/** Of several joins of one member the first counts. An original has come back whatever became of it. */
function noteMembership(
  { join, original }: Operation,
  outcome: Outcome,
  { tiers, roles, cameBack }: ReferenceMembership,
): void {
  if (outcome === 'applied' && join !== null && !tiers.has(join.member)) {
    tiers.set(join.member, join.tier)
    roles.set(join.member, join.role ?? 'gateway')
  }
  if (original !== null) cameBack.add(nameOfOriginal(original))
}

/** What the names of the points of rules begin with. */
const RULES = '\u0000rules/'

function rulesOver(path: string, cells: ReadonlyMap<string, ReferenceCell>): DeviceRules | null {
  const value = cells.get(`${RULES}${path.split('/')[0]}`)?.value
  return value instanceof Uint8Array ? decodeRules(value) : null
}

/** The rule with the very name; the patterns of the tests are all `**`. */
function ruleOver(path: string, { points }: DeviceRules): PointRule | null {
  const below = path.split('/').slice(1).join('/')
  return points.find((point) => point.path === below) ?? points.find((point) => point.path === '**') ?? null
}

function isVoidByRules({ id, writes }: Operation, cells: ReadonlyMap<string, ReferenceCell>): boolean {
  return writes.some((write) => {
    const rules = rulesOver(write.path, cells)
    if (rules === null || write.path.startsWith(RULES)) return false
    const rule = ruleOver(write.path, rules)
    // What was there before the rules may be taken away.
    if (rule === null) return write.kind !== 'delete'
    const named = rule.owner === undefined || rule.owner === 'desired' ? null : rule.owner
    const owner = named === 'reported' || (named === null && rule.access === 'R') ? rules.node : named
    if (owner !== null && !id.member.startsWith(owner)) return true
    if (rule.valueType === 'Any') return false
    if (write.kind === 'toggle') return rule.valueType !== 'Bool'
    if (write.kind === 'add') return rule.valueType !== 'Int8'
    if (write.kind === 'append') return true
    return write.kind === 'set' && !fits(rule, write.argument)
  })
}

/** Of the types that the tests use, which are neither binaries nor lists. */
function fits(rule: PointRule, value: Value): boolean {
  if (rule.enum !== undefined && !rule.enum.includes(value as number)) return false
  if (rule.valueType === 'Any') return true
  if (rule.valueType === 'Bool') return typeof value === 'boolean'
  if (rule.valueType === 'String') return typeof value === 'string'
  return typeof value === 'number' && value >= (rule.minimum ?? -128) && value <= (rule.maximum ?? 127)
}

/** `draft <id>` or `operation <id>`: what it was called before it was issued again. */
export function nameOfOriginal({ kind, id }: Original): string {
  return `${kind} ${formatOperationId(id)}`
}

/** A value or a tombstone, and W, the operation that wrote it. */
interface ReferenceCell {
  value: Value | undefined
  writer: Operation | null
}

/** Stage ascending, priority descending (tier, then node id), nonce ascending, seq ascending. */
function inCanonicalOrder(left: Operation, right: Operation): number {
  if (left.stage !== right.stage) return left.stage < right.stage ? -1 : 1
  if (left.priority.tier !== right.priority.tier) return left.priority.tier > right.priority.tier ? -1 : 1
  const [leftNode = '', leftNonce = ''] = left.id.member.split('.')
  const [rightNode = '', rightNonce = ''] = right.id.member.split('.')
  if (leftNode !== rightNode) return leftNode > rightNode ? -1 : 1
  if (leftNonce !== rightNonce) return leftNonce < rightNonce ? -1 : 1
  return left.id.seq - right.id.seq
}

function executeOne(
  operation: Operation,
  cells: Map<string, ReferenceCell>,
  conflicts: Map<string, ReferenceConflict>,
): Outcome {
  for (const guard of operation.guards) if (!holds(guard, cells.get(guard.path)?.value)) return 'refused'
  const scratch = new Map<string, ReferenceCell>()
  const beaten: [string, ReferenceConflict][] = []
  for (const write of operation.writes) {
    const cell = scratch.get(write.path) ?? cells.get(write.path) ?? { value: undefined, writer: null }
    const written = valueOf(write, cell.value)
    if (written === REFUSED) return 'refused'
    if (write.kind === 'add' || write.kind === 'append') {
      const rules = rulesOver(write.path, cells)
      const rule = rules === null ? null : ruleOver(write.path, rules)
      if (rule !== null && written !== undefined && !fits(rule, written)) return 'refused'
      scratch.set(write.path, { value: written, writer: cell.writer })
      continue
    }
    const W = cell.writer
    if (W !== null && !isSeen(W, operation, write)) {
      const standing = { operation: W.id, stage: W.stage, value: cell.value }
      const coming = { operation: operation.id, stage: operation.stage, value: written }
      if (outranks(W, operation)) {
        conflicts.set(...conflictOf(write.path, standing, coming))
        return 'superseded'
      }
      beaten.push(conflictOf(write.path, coming, standing))
    }
    scratch.set(write.path, { value: written, writer: operation })
  }
  for (const [path, cell] of scratch) cells.set(path, cell)
  for (const [id, conflict] of beaten) conflicts.set(id, conflict)
  return 'applied'
}

function isSeen(W: Operation, X: Operation, write: Write): boolean {
  if (formatOperationId(W.id) === formatOperationId(X.id)) return true
  if (write.replaces !== null && formatOperationId(W.id) === formatOperationId(write.replaces)) return true
  if (W.id.member === X.id.member && W.id.seq < X.id.seq) return true
  return W.stage <= X.floor
}

function outranks(left: Operation, right: Operation): boolean {
  if (left.priority.tier !== right.priority.tier) return left.priority.tier > right.priority.tier
  return left.priority.node > right.priority.node
}

const REFUSED = Symbol('refused')

function valueOf(write: Write, value: Value | undefined): Value | undefined | typeof REFUSED {
  switch (write.kind) {
    case 'set':
      return write.argument
    case 'delete':
      return undefined
    case 'toggle':
      if (value === undefined) return true
      return typeof value === 'boolean' ? !value : REFUSED
    case 'add': {
      const from = value === undefined ? 0 : value
      return typeof from === 'number' && typeof write.argument === 'number' ? from + write.argument : REFUSED
    }
    case 'append': {
      const from: unknown = value === undefined ? [] : value
      return isList(from) ? [...from, write.argument] : REFUSED
    }
  }
}

/** Values in guards of the tests are numbers, texts and booleans; an absent point equals nothing and has no order. */
function holds(guard: Guard, value: Value | undefined): boolean {
  if (guard.comparison === 'exists') return (value !== undefined) === guard.value
  if (guard.comparison === '==') return value === guard.value
  if (guard.comparison === '!=') return value !== guard.value
  if (typeof value !== typeof guard.value || (typeof value !== 'number' && typeof value !== 'string')) return false
  const other = guard.value as typeof value
  if (guard.comparison === '<') return value < other
  if (guard.comparison === '<=') return value <= other
  if (guard.comparison === '>') return value > other
  return value >= other
}

function conflictOf(path: string, winner: ReferenceSide, loser: ReferenceSide): [string, ReferenceConflict] {
  return [`${formatOperationId(loser.operation)}@${path.replace('\u0000', '')}`, { path, winner, loser }]
}

function rollingDigest(sorted: readonly Operation[], outcomes: ReadonlyMap<string, Outcome>, floor: number): Digest {
  const texts = new Map<number, string>()
  for (const { id, stage } of sorted) {
    if (stage > floor) break
    const name = formatOperationId(id)
    texts.set(stage, `${texts.get(stage) ?? ''}${name}=${outcomes.get(name)};`)
  }
  let digest = EMPTY_DIGEST
  for (const text of texts.values()) digest = digestOf(digest + text)
  return digest
}

function isList(value: unknown): value is Value[] {
  return Array.isArray(value)
}
