import { BinaryHeap } from '../base/binary-heap.ts'
import type { Entry } from '../state/entry.ts'
import { compareCanonically } from '../state/operation.ts'

/**
 * The waiting queue: entries that were undone because an operation took its place before them, and new entries, until
 * they are executed (again), in canonical order. It costs what it holds and not what the journal holds, and is empty between
 * two inputs of the replica.
 */
export class WaitingQueue {
  readonly #entries: BinaryHeap<Entry> = new BinaryHeap(compareEntries)

  get length(): number {
    return this.#entries.length
  }

  /** Adds `entry` unless it waits already. */
  add(entry: Entry): void {
    if (entry.queued) return
    entry.queued = true
    this.#entries.add(entry)
  }

  /** Removes and returns the first in canonical order. */
  take(): Entry | undefined {
    const entry = this.#entries.take()
    if (entry !== undefined) entry.queued = false
    return entry
  }
}

function compareEntries(left: Entry, right: Entry): number {
  return compareCanonically(left.operation, right.operation)
}
