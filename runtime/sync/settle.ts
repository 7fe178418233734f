import type { Path } from '../state/path.ts'
import type { Register } from '../state/register.ts'
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
  const before = new Map<Register, Value | undefined>()
  for (const { operation, registers } of history.journal.entries()) {
    if (operation.stage > stage) break
    for (const register of registers) if (!before.has(register)) before.set(register, register.settled.value)
  }
  history.fold(stage)
  const paths: Path[] = []
  const changes: Change[] = []
  for (const [register, value] of before) {
    const { path } = register
    const after = register.settled.value
    paths.push(path)
    if (!isReserved(path) && !equalValues(value, after)) changes.push({ path, before: value, after, settled: true })
  }
  return { paths, changes }
}
