import { unreachable } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import type { Write } from '../operation.ts'
import { belowDevice, type Path } from '../path.ts'
import type { Value } from '../value.ts'
import type { PointRule, RuleTable } from './rules.ts'
import { elementMisfit, type Misfit, valueMisfit } from './value-check.ts'
import { elementType, isNumberType } from './value-type.ts'

/** Why rules do not let a write through. Stable: programs may look at the code, people read the reason. */
export interface Objection {
  readonly code: ObjectionCode
  /** One line. */
  readonly reason: string
}

export type ObjectionCode = Misfit['code'] | 'unknown-point' | 'read-only' | 'not-owner' | 'merge'

/**
 * What the rules of its device say against a write, whatever it meets; null if nothing. The one function that judges a local
 * operation before it is issued and every operation where it is executed.
 * @param node of the issuer
 */
export function objectionTo(write: WriteContent, node: NodeId, table: RuleTable): Objection | null {
  const rule = table.ruleOf(belowDevice(write.path))
  // What was there before the rules may go: nothing else could be done with it.
  if (rule === null && write.kind === 'delete') return null
  if (rule === null) return { code: 'unknown-point', reason: `${write.path} is not in the rules of its device` }
  const writer = table.writerOf(rule)
  if (writer !== null && writer !== node) return ofAnother(write, rule, writer)
  const objection = kindObjection(write, rule) ?? argumentMisfit(write, rule)
  return objection === null ? null : { code: objection.code, reason: `${write.path} ${objection.reason}` }
}

/** The same of what an `add` or an `append` makes of the value that it meets. */
export function objectionToResult(write: WriteContent, result: Value, table: RuleTable): Objection | null {
  const rule = table.ruleOf(belowDevice(write.path))
  const misfit = rule === null ? null : misfitOf(rule, result)
  return misfit === null ? null : { code: misfit.code, reason: `${write.path} ${misfit.reason}` }
}

/**
 * The same of a reading that is telemetry: nobody orders those of several nodes, so the point has to be one that a single node
 * may write. @param table null where no rules stand
 */
export function objectionToReading(path: Path, value: Value, node: NodeId, table: RuleTable | null): Objection | null {
  if (table === null) return null
  const objection = objectionTo({ path, kind: 'set', argument: value }, node, table)
  const rule = table.ruleOf(belowDevice(path))
  if (objection !== null || rule === null || table.writerOf(rule) !== null) return objection
  return { code: 'not-owner', reason: `${path} may be written by any node, so it is no telemetry` }
}

/** Why `value` cannot stand at a point of these rules, or null. @param below what follows `<device>/` */
export function objectionToValue(below: string, value: Value, table: RuleTable): Objection | null {
  const rule = table.ruleOf(below)
  return rule === null ? { code: 'unknown-point', reason: 'is not in the rules' } : misfitOf(rule, value)
}

type WriteContent = Pick<Write, 'path' | 'kind' | 'argument'>

function ofAnother({ path }: WriteContent, { access, owner }: PointRule, writer: NodeId): Objection {
  if (access === 'R') return { code: 'read-only', reason: `${path} can only be read: node ${writer} reports it` }
  const whose = owner === 'reported' ? 'reports it' : 'owns it'
  return { code: 'not-owner', reason: `${path} is written by node ${writer} alone, which ${whose}` }
}

function kindObjection({ kind }: WriteContent, { merge, valueType }: PointRule): Objection | null {
  switch (kind) {
    case 'set':
    case 'delete':
      return null
    case 'toggle':
      return valueType === 'Any' || valueType === 'Bool'
        ? mergeObjection(kind, merge, 'set')
        : { code: 'type', reason: `cannot be toggled (${valueType})` }
    case 'add':
      return valueType === 'Any' || isNumberType(valueType)
        ? mergeObjection(kind, merge, 'counter')
        : { code: 'type', reason: `cannot be added to (${valueType})` }
    case 'append':
      return valueType === 'Any' || elementType(valueType) !== null
        ? mergeObjection(kind, merge, 'append')
        : { code: 'type', reason: `cannot be appended to (${valueType})` }
    default:
      return unreachable(kind)
  }
}

function mergeObjection(kind: Write['kind'], merge: PointRule['merge'], wanted: PointRule['merge']): Objection | null {
  if (merge === undefined || merge === wanted) return null
  return { code: 'merge', reason: `takes no ${kind} (merge: ${merge})` }
}

function argumentMisfit({ kind, argument }: WriteContent, rule: PointRule): Misfit | null {
  if (kind === 'set') return misfitOf(rule, argument)
  const { valueType } = rule
  return kind === 'append' && valueType !== 'Any' ? elementMisfit({ ...rule, valueType }, argument) : null
}

function misfitOf(rule: PointRule, value: Value): Misfit | null {
  return rule.valueType === 'Any' ? null : valueMisfit(rule as PointRule & { valueType: typeof rule.valueType }, value)
}
