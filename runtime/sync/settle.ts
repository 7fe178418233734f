import type { Path } from '../state/path.ts'
import { isReserved } from '../state/reserved-point.ts'
import { equalValues, type Value } from '../state/value.ts'
import type { History } from './history.ts'
import type { Change } from './output.ts'

export interface Settlement {
  /** Every point that a settled operation names. */
  readonly paths: readonly Path[]
  /** Those whose settled value differs now. */
  readonly changes: readonly Change[]
}

/** Moves the floor to `stage`. */
export function settle(history: History, stage: number): Settlement {
  const before = new Map<Path, Value | undefined>()
  for (const { operation } of history.journal.entries()) {
    if (operation.stage > stage) break
    for (const path of operation.paths) before.set(path, history.local.settledCell(path).value)
  }
  history.fold(stage)
  const changes: Change[] = []
  for (const [path, value] of before) {
    const after = history.local.settledCell(path).value
    if (!isReserved(path) && !equalValues(value, after)) changes.push({ path, before: value, after, settled: true })
  }
  return { paths: [...before.keys()], changes }
}
