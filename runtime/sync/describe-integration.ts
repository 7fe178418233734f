import type { Cell } from '../state/cell.ts'
import type { Path } from '../state/path.ts'
import { isReserved } from '../state/reserved-point.ts'
import { equalValues } from '../state/value.ts'
import type { Integration, Removal } from './history.ts'
import type { Effects, LocalState } from './local-state.ts'
import type { Output } from './output.ts'

/** Tells people and programs what an integration did: values that changed, outcomes that differ, changes that yielded. */
export function describeIntegration(integration: Integration, local: LocalState): Output[] {
  const { entries, place, batch, effects, conflicts } = integration
  const operations = entries.map((entry) => entry.operation.id)
  const outputs: Output[] = [{ kind: 'integrated', operations, place, own: batch === null }]
  outputs.push(...effectsOf(effects, local))
  for (const conflict of conflicts) outputs.push({ kind: 'conflict', conflict })
  return outputs
}

/** The same of operations that have left the journal. */
export function describeRemoval({ entries, effects, conflicts }: Removal, local: LocalState): Output[] {
  if (entries.length === 0) return []
  const outputs: Output[] = [{ kind: 'removed', operations: entries.map((entry) => entry.operation.id) }]
  for (const round of effects) outputs.push(...effectsOf(round, local))
  for (const conflict of conflicts) outputs.push({ kind: 'conflict', conflict })
  return outputs
}

/** @param before the cells that some points had; @param cellAt those that they have */
export function changesOf(before: ReadonlyMap<Path, Cell>, cellAt: (path: Path) => Cell): Output[] {
  const outputs: Output[] = []
  for (const [path, { value }] of before) {
    const after = cellAt(path).value
    if (isReserved(path) || equalValues(value, after)) continue
    outputs.push({ kind: 'change', change: { path, before: value, after, settled: false } })
  }
  return outputs
}

function effectsOf(effects: Effects, local: LocalState): Output[] {
  const outputs = changesOf(effects.changed, (path) => local.cell(path))
  for (const [entry, previous] of effects.executed) {
    const outcome = entry.execution?.outcome
    if (outcome === undefined || outcome === previous?.outcome) continue
    outputs.push({ kind: 'outcome', operation: entry.operation.id, outcome, before: previous?.outcome ?? null })
  }
  return outputs
}
