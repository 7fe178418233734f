import type { Digest } from '../base/digest.ts'
import type { OperationId } from '../base/ids.ts'
import { mapped } from '../base/mapped.ts'
import type { Cell } from '../state/cell.ts'
import type { Path } from '../state/path.ts'
import { deviceOfRules, isReserved } from '../state/reserved-point.ts'
import { rulesDigest } from '../state/rules/rules-codec.ts'
import { equalValues, type Value } from '../state/value.ts'
import type { YieldedTogether } from '../state/yielded.ts'
import { conflictsOf } from './conflict.ts'
import type { Integration, Removal } from './history.ts'
import type { Effects } from './effects.ts'
import type { Output } from './output.ts'

/** Adds to `outputs` what an integration did: values that changed, outcomes that differ, changes that yielded. */
export function describeIntegration(integration: Integration, outputs: Output[]): void {
  const { entries, place, batch, effects, conflicts } = integration
  const operations = mapped(entries, (entry) => entry.operation.id)
  outputs.push({ kind: 'integrated', operations, place, own: batch === null })
  describeEffects(effects, outputs)
  for (const conflict of conflicts) outputs.push({ kind: 'conflict', conflict })
}

/** The same of operations that have left the journal. */
export function describeRemoval({ entries, effects, conflicts }: Removal): Output[] {
  if (entries.length === 0) return []
  const outputs: Output[] = [{ kind: 'removed', operations: entries.map((entry) => entry.operation.id) }]
  for (const round of effects) describeEffects(round, outputs)
  for (const conflict of conflicts) outputs.push({ kind: 'conflict', conflict })
  return outputs
}

/** @param before the cells that some points had; @param cellAt those that they have */
export function changesSince(before: ReadonlyMap<Path, Cell>, cellAt: (path: Path) => Cell): Output[] {
  const outputs: Output[] = []
  for (const [path, cell] of before) describeChange(path, cell, cellAt(path), outputs)
  return outputs
}

function describeEffects({ changed, executed, yielded }: Effects, outputs: Output[]): void {
  for (const { path, before, after } of changed) describeChange(path, before, after, outputs)
  for (const { entry, before, after } of executed) {
    const { outcome, reason } = after
    if (outcome === before?.outcome) continue
    outputs.push({ kind: 'outcome', operation: entry.operation.id, outcome, before: before?.outcome ?? null, reason })
  }
  for (const together of yielded) {
    const operations = { [Symbol.iterator]: () => idsOf(together) }
    outputs.push({ kind: 'superseded', operations, conflicts: { [Symbol.iterator]: () => conflictsOf(together) } })
  }
}

function* idsOf({ entries }: YieldedTogether): Generator<OperationId> {
  for (const { operation } of entries) yield operation.id
}

function describeChange(path: Path, { value: before }: Cell, { value: after }: Cell, outputs: Output[]): void {
  if (equalValues(before, after)) return
  const device = deviceOfRules(path)
  if (device !== null) outputs.push({ kind: 'rules', device, before: digestAt(before), after: digestAt(after) })
  if (isReserved(path)) return
  outputs.push({ kind: 'change', change: { path, before, after, settled: false } })
}

function digestAt(value: Value | undefined): Digest | null {
  return value instanceof Uint8Array ? rulesDigest(value) : null
}
