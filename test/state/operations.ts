import { memberIdOf, type NodeId, type OperationId } from '../../runtime/base/ids.ts'
import { type Cell, EMPTY_CELL } from '../../runtime/state/cell.ts'
import { type Guard, type Operation, pathsOf, type Positioned, type Write } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import type { Value } from '../../runtime/state/value.ts'

/** Members by priority: A is the highest. */
export type Name = 'A' | 'B' | 'C'

const TIERS: Readonly<Record<Name, number>> = { A: 3, B: 2, C: 1 }

export interface OperationParts {
  readonly by?: Name
  readonly seq?: number
  readonly stage?: number
  readonly floor?: number
  readonly writes?: readonly Write[]
  readonly guards?: readonly Guard[]
}

export function operation(parts: OperationParts = {}): Operation {
  const { by = 'B', seq = 1, stage = 1, floor = 0, writes = [set('x', 1)], guards = [] } = parts
  const id = idOf(by, seq)
  return {
    id,
    stage,
    floor,
    priority: priorityOf(id.member, TIERS[by]),
    writes,
    guards,
    join: null,
    original: null,
    paths: pathsOf(writes, guards),
  }
}

export function idOf(by: Name, seq: number): OperationId {
  return { member: memberIdOf(`${'abc'['ABC'.indexOf(by)]}000000000000000` as NodeId, 0), seq }
}

export function set(path: string, argument: Value, replaces: OperationId | null = null): Write {
  return { path: path as Path, kind: 'set', argument, replaces }
}

export function write(path: string, kind: Write['kind'], argument: Value = null): Write {
  return { path: path as Path, kind, argument, replaces: null }
}

export function guard(path: string, comparison: Guard['comparison'], value: Value): Guard {
  return { path: path as Path, comparison, value }
}

/** A cell that `writer` has written. */
export function written(value: Value | undefined, writer: Positioned | null = operation({ by: 'A' })): Cell {
  return { value, writer }
}

/** A cell that has a value and no writer, as `add` and `append` leave it. */
export function accumulated(value: Value): Cell {
  return { ...EMPTY_CELL, value }
}
