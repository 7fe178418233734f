import { sameOperationId } from '../base/ids.ts'
import type { Positioned } from './operation.ts'
import { identicalValues, type Value } from './value.ts'

/** What a point holds after some operation: a value, or a tombstone, and the operation W that wrote it. */
export interface Cell {
  /** Undefined is a tombstone, or a point that only `add` and `append` could have made. */
  readonly value: Value | undefined
  /** Null if nobody has set, deleted or toggled the point: `add` and `append` do not become the writer. */
  readonly writer: Positioned | null
}

/** The point before anything was written to it. */
export const EMPTY_CELL: Cell = { value: undefined, writer: null }

/**
 * True if nothing that is executed on one can differ from what is executed on the other: not even in the order of keys, since
 * what is appended to either is digested with the rest.
 */
export function sameCell(left: Cell, right: Cell): boolean {
  if (left === right) return true
  const sameWriter = left.writer === right.writer || sameOperationId(left.writer?.id ?? null, right.writer?.id ?? null)
  return sameWriter && identicalValues(left.value, right.value)
}
