import type { Cell } from '../state/cell.ts'
import type { Path } from '../state/path.ts'
import { isReserved } from '../state/reserved-point.ts'
import { equalValues } from '../state/value.ts'
import type { Integration, Removal } from './history.ts'
import type { Effects } from './local-state.ts'
import type { Output } from './output.ts'

/** Tells people and programs what an integration did: values that changed, outcomes that differ, changes that yielded. */
export function describeIntegration(integration: Integration): Output[] {
  const { entries, place, batch, effects, conflicts } = integration
  const operations = entries.map((entry) => entry.operation.id)
  const outputs: Output[] = [{ kind: 'integrated', operations, place, own: batch === null }]
  outputs.push(...effectsOf(effects))
  for (const conflict of conflicts) outputs.push({ kind: 'conflict', conflict })
  return outputs
}

/** The same of operations that have left the journal. */
export function describeRemoval({ entries, effects, conflicts }: Removal): Output[] {
  if (entries.length === 0) return []
  const outputs: Output[] = [{ kind: 'removed', operations: entries.map((entry) => entry.operation.id) }]
  for (const round of effects) outputs.push(...effectsOf(round))
  for (const conflict of conflicts) outputs.push({ kind: 'conflict', conflict })
  return outputs
}

/** @param before the cells that some points had; @param cellAt those that they have */
export function changesSince(before: ReadonlyMap<Path, Cell>, cellAt: (path: Path) => Cell): Output[] {
  return changesOf(new Map([...before].map(([path, cell]) => [path, { before: cell, after: cellAt(path) }])))
}

function changesOf(changed: Effects['changed']): Output[] {
  const outputs: Output[] = []
  for (const [path, { before, after }] of changed) {
    if (isReserved(path) || equalValues(before.value, after.value)) continue
    outputs.push({ kind: 'change', change: { path, before: before.value, after: after.value, settled: false } })
  }
  return outputs
}

function effectsOf({ changed, executed }: Effects): Output[] {
  const outputs = changesOf(changed)
  for (const [entry, { before, after }] of executed) {
    const { outcome } = after
    if (outcome === before?.outcome) continue
    outputs.push({ kind: 'outcome', operation: entry.operation.id, outcome, before: before?.outcome ?? null })
  }
  return outputs
}
