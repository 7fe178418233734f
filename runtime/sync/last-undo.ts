import { UNDONE_SHOWN_MAX } from '../base/limits.ts'
import { mapped } from '../base/mapped.ts'
import type { Entry } from '../state/entry.ts'
import type { Operation } from '../state/operation.ts'

/** Entries that were undone into the waiting queue and have executed again, because others took a place before them or left it. */
export interface Undo {
  /** Whether those that are the reason took a place in the journal, or left it. */
  readonly reason: 'late' | 'left'
  /** The reason: the first of them, in the order in which they came, and how many there were. */
  readonly by: readonly Operation[]
  readonly byCount: number
  /** The first that executed again, in that order: at some of their points others stand before them than before. */
  readonly undone: readonly Operation[]
  /** How many executed again themselves. */
  readonly undoneCount: number
  /** How many plain writes came to yield together, without being looked at one by one. */
  readonly togetherCount: number
}

/**
 * What went through the waiting queue last. The queue itself is empty whenever somebody can look: it fills and empties while one
 * input is dealt with.
 */
export class LastUndo {
  #last: { -readonly [field in keyof Undo]: Undo[field] } | null = null
  #undone: Operation[] = []
  #reason: Undo['reason'] = 'late'
  #by: readonly Entry[] = NOBODY
  #undoneTotal = 0

  /** How often an entry was executed again since the start. */
  get undoneTotal(): number {
    return this.#undoneTotal
  }

  /** The last that had to undo anything, or null. */
  get last(): Undo | null {
    return this.#last
  }

  /** `by` take a place or leave one, which may or may not lead to others that execute again. */
  begin(reason: Undo['reason'], by: readonly Entry[]): void {
    this.#reason = reason
    this.#by = by
  }

  /** Everything has executed again. Entries hold the chains of their points, which must not stay because somebody may ask. */
  end(): void {
    this.#by = NOBODY
  }

  note(operation: Operation): void {
    this.#undoneTotal += 1
    const last = this.#current()
    last.undoneCount += 1
    if (last.undoneCount <= UNDONE_SHOWN_MAX) this.#undone.push(operation)
  }

  noteTogether(count: number): void {
    this.#current().togetherCount += count
  }

  #current(): { -readonly [field in keyof Undo]: Undo[field] } {
    const by = this.#by
    if (this.#last !== null && by === NOBODY) return this.#last
    this.#by = NOBODY
    this.#undone = []
    const first = by.length === 1 ? by : by.slice(0, UNDONE_SHOWN_MAX)
    return (this.#last = {
      reason: this.#reason,
      by: mapped(first, operationOf),
      byCount: by.length,
      undone: this.#undone,
      undoneCount: 0,
      togetherCount: 0,
    })
  }
}

function operationOf({ operation }: Entry): Operation {
  return operation
}

const NOBODY: readonly Entry[] = []
