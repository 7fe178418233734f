import type { Entry } from '../state/entry.ts'
import { compareCanonically } from '../state/operation.ts'

/**
 * The waiting queue: entries that were undone because an operation took its place before them, and new entries, until
 * they are executed (again), in canonical order. A binary heap, so that it costs what it holds and not what the journal
 * holds. It is empty between two inputs of the replica.
 */
export class WaitingQueue {
  readonly #heap: Entry[] = []

  get length(): number {
    return this.#heap.length
  }

  /** Adds `entry` unless it waits already. */
  add(entry: Entry): void {
    if (entry.queued) return
    entry.queued = true
    this.#heap.push(entry)
    this.#rise(this.#heap.length - 1)
  }

  /** Removes and returns the first in canonical order. */
  take(): Entry | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) return undefined
    first.queued = false
    if (first !== last) {
      this.#heap[0] = last
      this.#sink(0)
    }
    return first
  }

  #rise(index: number): void {
    let child = index
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (this.#isOrdered(parent, child)) return
      this.#swap(parent, child)
      child = parent
    }
  }

  #sink(index: number): void {
    let parent = index
    for (;;) {
      const left = 2 * parent + 1
      if (left >= this.#heap.length) return
      const right = left + 1
      const lower = right < this.#heap.length && this.#isOrdered(right, left) ? right : left
      if (this.#isOrdered(parent, lower)) return
      this.#swap(parent, lower)
      parent = lower
    }
  }

  #isOrdered(first: number, second: number): boolean {
    return compareCanonically((this.#heap[first] as Entry).operation, (this.#heap[second] as Entry).operation) <= 0
  }

  #swap(left: number, right: number): void {
    const entry = this.#heap[left] as Entry
    this.#heap[left] = this.#heap[right] as Entry
    this.#heap[right] = entry
  }
}
