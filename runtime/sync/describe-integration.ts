import { isReserved } from '../state/reserved-point.ts'
import { equalValues } from '../state/value.ts'
import type { Integration } from './history.ts'
import type { LocalState } from './local-state.ts'
import type { Output } from './output.ts'

/** Tells people and programs what an integration did: values that changed, outcomes that differ, changes that yielded. */
export function describeIntegration(integration: Integration, local: LocalState): Output[] {
  const { effects, entries } = integration
  const operations = entries.map((entry) => entry.operation.id)
  const outputs: Output[] = [
    { kind: 'integrated', operations, place: integration.place, own: integration.batch === null },
  ]
  for (const [path, before] of effects.changed) {
    const after = local.get(path)
    if (isReserved(path) || equalValues(before.value, after)) continue
    outputs.push({ kind: 'change', change: { path, before: before.value, after, settled: false } })
  }
  for (const [entry, previous] of effects.executed) {
    const outcome = entry.execution?.outcome
    if (outcome === undefined || outcome === previous?.outcome) continue
    outputs.push({ kind: 'outcome', operation: entry.operation.id, outcome, before: previous?.outcome ?? null })
  }
  for (const conflict of integration.conflicts) outputs.push({ kind: 'conflict', conflict })
  return outputs
}
