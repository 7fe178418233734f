import { type Execution, isPlainlyApplied, plainlyApplied } from './executor.ts'
import type { Operation } from './operation.ts'
import type { Register } from './register.ts'

/** One operation in the journal with what became of it. */
export class Entry {
  readonly operation: Operation
  /**
   * Aligned with `operation.paths`, without the point of its issuer if that was settled when it came; none before it comes to the
   * state, and after it has left that.
   */
  registers: readonly Register[] = NONE
  /** True while it stands in the waiting queue. */
  queued = false
  /** Nearly every entry is plainly applied, and an execution for each took 72 bytes, an eighth of all that is held of one. */
  #executed: Execution | typeof PLAINLY_APPLIED | null = null

  constructor(operation: Operation) {
    this.operation = operation
  }

  /** What became of it when it was executed itself; it may have come to yield together with others since. */
  get executed(): Execution | null {
    return this.#executed === PLAINLY_APPLIED ? plainlyApplied(this.operation) : this.#executed
  }

  set executed(execution: Execution) {
    this.#executed = isPlainlyApplied(this.operation, execution) ? PLAINLY_APPLIED : execution
  }

  /** Whether it was plainly applied when it was executed itself, over nobody who had to yield. */
  get isPlainlyApplied(): boolean {
    return this.#executed === PLAINLY_APPLIED
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
const PLAINLY_APPLIED = 'plainly applied'
