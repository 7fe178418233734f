import { inspect, isDeepStrictEqual } from 'node:util'
import { equalBytes } from '../../runtime/base/bytes.ts'
import { formatOperationId } from '../../runtime/base/ids.ts'
import { rulesPoint } from '../../runtime/state/reserved-point.ts'
import { encodeRules } from '../../runtime/state/rules/rules-codec.ts'
import type { Value } from '../../runtime/state/value.ts'
import type { Inspection } from '../../runtime/sync/inspection.ts'
import { check } from './check.ts'
import type { ReferenceRun } from './ledger.ts'
import type { SimulatedNode } from './node.ts'

/** Journal, outcomes, state, conflicts and digest of a member are what the reference makes of the operations it holds. */
export function assertEqualsReference(node: SimulatedNode, view: Inspection, run: ReferenceRun): void {
  const { name } = node
  const digest = run.digestAt(view.floor)
  check('I1', view.floorDigest === digest, () => `${name} has ${view.floorDigest} at its floor, and not ${digest}`)
  const settled = run.operations.reduce((count, { stage }) => (stage <= view.floor ? count + 1 : count), 0)
  const journal = view.journal()
  for (const [index, { operation, outcome }] of journal.entries()) {
    const expected = run.order[settled + index]
    check('I7', operation === expected, () => `${name} has ${operation} in its journal where ${expected} belongs`)
    const other = run.outcomes.get(operation)
    check('I8', outcome === other, () => `${operation} is ${outcome} at ${name}, and not ${other}`)
  }
  const count = settled + journal.length
  check('I7', count === run.order.length, () => `${name} has ${count} of ${run.order.length} operations in order`)
  assertEqualStates(node, view, run)
  assertEqualConflicts(node, run)
}

/** The points of a member that still has drafts show the drafts. */
function assertEqualStates({ name, replica }: SimulatedNode, view: Inspection, { state }: ReferenceRun): void {
  if (view.drafts > 0) return
  let count = 0
  for (const [path, value] of replica.entries()) {
    count += 1
    if (isSame(value, state.get(path))) continue
    const expected = state.get(path)
    check('I8', isDeepStrictEqual(value, expected), () => `${path} at ${name} is ${show(value)}, not ${show(expected)}`)
  }
  for (const { device, rules } of replica.rules()) {
    count += 1
    const expected = state.get(rulesPoint(device))
    const bytes = encodeRules(rules)
    const isRight = expected instanceof Uint8Array && equalBytes(bytes, expected)
    check('I8', isRight, () => `the rules of ${device} at ${name} are others`)
  }
  check('I8', count === state.size, () => `${name} has ${count} points and rules, and not ${state.size}`)
}

/** Those that no operation of the journal carries name what was a draft, or came back; they are of one node alone. */
function assertEqualConflicts({ name, replica }: SimulatedNode, { conflicts }: ReferenceRun): void {
  let count = 0
  for (const { id, path, winner, loser } of replica.conflicts()) {
    if (id.includes(' ')) continue
    count += 1
    const expected = conflicts.get(id)
    const isRight = path === expected?.path && isSameSide(winner, expected.winner) && isSameSide(loser, expected.loser)
    check('I8', isRight, () => `${name} lists ${id} as ${show([winner, loser])}, and not ${show(expected)}`)
  }
  check('I8', count === conflicts.size, () => `${name} lists ${count} conflicts, and not ${conflicts.size}`)
}

type Side = ReturnType<SimulatedNode['replica']['conflicts']>[number]['winner']

function isSameSide(left: Side, right: Side): boolean {
  return formatOperationId(left.operation) === formatOperationId(right.operation) && isSame(left.value, right.value)
}

/** As text; whole numbers of 64 bits stand in points too. */
function show(value: unknown): string {
  return inspect(value, { depth: 8, breakLength: Infinity })
}

function isSame(left: Value | undefined, right: Value | undefined): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right)
}
