import type { Path } from '../state/path.ts'
import { isReserved } from '../state/reserved-point.ts'
import { equalValues, type Value } from '../state/value.ts'
import type { History } from './history.ts'
import type { Change, Output } from './output.ts'

/** What whoever follows a node has heard of what settled there, and of its conflicts. */
interface Heard {
  readonly settled: ReadonlyMap<Path, Value>
  readonly conflicts: ReadonlySet<string>
}

export function heardOf(history: History): Heard {
  return { settled: settledValues(history), conflicts: new Set(history.conflicts.list().map(({ id }) => id)) }
}

/** What is news to whoever has heard of the history before, where a node goes on with `history`. */
export function newsOf(history: History, { settled, conflicts }: Heard): Output[] {
  const outputs: Output[] = []
  for (const conflict of history.conflicts.list())
    if (!conflicts.has(conflict.id)) outputs.push({ kind: 'conflict', conflict })
  const changes = differences(settled, settledValues(history))
  return [...outputs, { kind: 'settled', floor: history.floor, changes }]
}

function settledValues({ local }: History): Map<Path, Value> {
  const values = new Map<Path, Value>()
  for (const [path, { value }] of local.settledCells())
    if (value !== undefined && !isReserved(path)) values.set(path, value)
  return values
}

function differences(before: ReadonlyMap<Path, Value>, after: ReadonlyMap<Path, Value>): Change[] {
  const changes: Change[] = []
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(path), after.get(path)]
    if (!equalValues(was, is)) changes.push({ path, before: was, after: is, settled: true })
  }
  return changes
}
