import type { Path } from '../state/path.ts'
import { isReserved } from '../state/reserved-point.ts'
import { equalValues, type Value } from '../state/value.ts'
import type { History } from './history.ts'
import type { Change, Output } from './output.ts'

/** What whoever follows a node has heard of its state, of what settled there, and of its conflicts. */
interface Heard {
  readonly visible: ReadonlyMap<Path, Value>
  readonly settled: ReadonlyMap<Path, Value>
  readonly conflicts: ReadonlySet<string>
}

/** @param visible every point that has a value, drafts with it */
export function heardOf(history: History, visible: Iterable<readonly [Path, Value]>): Heard {
  const conflicts = new Set(history.conflicts.list().map(({ id }) => id))
  return { visible: new Map(visible), settled: settledValues(history), conflicts }
}

/** What is news to whoever has heard of the history before, where a node goes on with `history`. */
export function newsOf(history: History, heard: Heard, visible: Iterable<readonly [Path, Value]>): Output[] {
  const { settled, conflicts } = heard
  const outputs: Output[] = differences(heard.visible, new Map(visible), false).map((change) => ({
    kind: 'change',
    change,
  }))
  for (const conflict of history.conflicts.list())
    if (!conflicts.has(conflict.id)) outputs.push({ kind: 'conflict', conflict })
  const changes = differences(settled, settledValues(history), true)
  return [...outputs, { kind: 'settled', floor: history.floor, changes }]
}

function settledValues({ local }: History): Map<Path, Value> {
  const values = new Map<Path, Value>()
  for (const [path, { value }] of local.settledCells())
    if (value !== undefined && !isReserved(path)) values.set(path, value)
  return values
}

function differences(before: ReadonlyMap<Path, Value>, after: ReadonlyMap<Path, Value>, isSettled: boolean): Change[] {
  const changes: Change[] = []
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(path), after.get(path)]
    if (!equalValues(was, is)) changes.push({ path, before: was, after: is, settled: isSettled })
  }
  return changes
}
