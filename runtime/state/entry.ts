import type { Execution } from './executor.ts'
import type { Operation } from './operation.ts'
import type { Register } from './register.ts'

/** One operation in the journal with what became of it. */
export class Entry {
  readonly operation: Operation
  /** Aligned with `operation.paths`; none before it comes to the state, and after it has left that. */
  registers: readonly Register[] = NONE
  /** True while it stands in the waiting queue. */
  queued = false
  /** What became of it when it was executed itself; it may have come to yield together with others since. */
  executed: Execution | null = null

  constructor(operation: Operation) {
    this.operation = operation
  }

  /** Null between its arrival and its first execution. */
  get execution(): Execution | null {
    const { registers } = this
    return registers.length === 1 ? (registers[0] as Register).executionOf(this) : this.executed
  }
}

export function entryOf(operation: Operation): Entry {
  return new Entry(operation)
}

const NONE: readonly Register[] = []
