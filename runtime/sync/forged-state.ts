import { isFounding, nodeOf } from '../base/ids.ts'
import type { Cell } from '../state/cell.ts'
import { compareCanonically } from '../state/operation.ts'
import { belowDevice, deviceOf, type Path } from '../state/path.ts'
import { deviceOfRules, isReserved, rulesPoint } from '../state/reserved-point.ts'
import { maySetRules } from '../state/role.ts'
import { objectionToValue } from '../state/rules/judge.ts'
import { ruleTableAt } from '../state/rules/rules-codec.ts'
import type { History } from './history.ts'

/**
 * Why what is settled in the snapshot of another node cannot have come about, in one line, or null: something stands in it that
 * was written behind the rules of its device and against them, or by a role that writes nothing. Whoever gives a snapshot answers
 * for the rest of what is settled.
 */
export function forgedStateIn(history: History): string | null {
  for (const [path, cell] of history.local.settledCells()) {
    if (isForged(path, cell, history)) return 'it holds what the rules of the fleet forbid'
  }
  return null
}

function isForged(path: Path, cell: Cell, history: History): boolean {
  const { writer, value } = cell
  if (writer === null) return false
  const { member } = writer.id
  const role = history.membership.get(member)?.role
  if (role === undefined) return false
  if (deviceOfRules(path) !== null) return !maySetRules(role, isFounding(member), history.membership.charter)
  if (role === 'observer') return true
  if (isReserved(path)) return false
  const rules = history.local.settledCell(rulesPoint(deviceOf(path)))
  const table = ruleTableAt(rules.value)
  if (table === null || rules.writer === null || compareCanonically(rules.writer, writer) > 0) return false
  const below = belowDevice(path)
  const rule = table.ruleOf(below)
  // Any member may take away what the rules do not name.
  if (rule === null) return value !== undefined
  const owner = table.writerOf(rule)
  if (owner !== null && owner !== nodeOf(member)) return true
  return value !== undefined && objectionToValue(below, value, table) !== null
}
