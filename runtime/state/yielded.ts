import type { Cell } from './cell.ts'
import type { Entry } from './entry.ts'
import { compareCanonically, type Positioned } from './operation.ts'

/**
 * Plain writes of one point that had been applied, and have all come to yield to one late writer: noted once for all of them, in
 * canonical order. Whoever wants to know looks at each; nobody pays for each when it happens.
 */
export class Yielded {
  /** What stood over them when they came to yield. */
  readonly standing: Cell
  /** Those that are not counted any more leave it in time, and with them whatever the journal held of them. */
  #entries: readonly Entry[]
  /** Those before it are not counted any more. */
  #from = 0
  /** Those that do not yield together with the others any more. */
  readonly #left = new Set<Positioned>()
  #size: number

  constructor(entries: readonly Entry[], standing: Cell) {
    this.#entries = entries
    this.standing = standing
    this.#size = entries.length
  }

  /** How many are counted. */
  get size(): number {
    return this.#size
  }

  /** Those that are counted, in canonical order. */
  *counted(): Generator<Entry> {
    for (let index = this.#from; index < this.#entries.length; index++) {
      const entry = this.#entries[index] as Entry
      if (!this.hasLeft(entry.operation)) yield entry
    }
  }

  /** Does not count the first of them any more, so many as are counted. */
  forgetFirst(count: number): void {
    this.#size -= count
    for (let turns = count; turns > 0; this.#from += 1) {
      if (this.#left.size === 0 || !this.hasLeft((this.#entries[this.#from] as Entry).operation)) turns -= 1
    }
    if (2 * this.#from <= this.#entries.length) return
    this.#entries = this.#entries.slice(this.#from)
    this.#from = 0
  }

  hasLeft(operation: Positioned): boolean {
    return this.#left.has(operation)
  }

  /** Does not count the one of this operation any more. @returns whether it was counted */
  leave(operation: Positioned): boolean {
    if (this.hasLeft(operation)) return false
    this.#left.add(operation)
    const first = this.#entries[this.#from]
    if (first === undefined || compareCanonically(operation, first.operation) < 0) return false
    this.#size -= 1
    return true
  }
}

/** All that have come to yield in one input, for whoever is told of it. */
export interface YieldedTogether {
  readonly entries: readonly Entry[]
  readonly yielded: Yielded
}
