import { type Batch, compareByFirst } from './message.ts'

/** A batch that cannot be executed yet, and why. */
export interface Waiting {
  readonly batch: Batch
  /** What it waits for: an operation that is not held. */
  readonly missing: { readonly member: Batch['origin']; readonly seq: number }
}

/**
 * The batches that claim one stage behind one previous operation, in canonical order. The best claim keeps the place in
 * the waiting list; the beaten ones stand in the deferred queue and execute after it. None is dropped, and none waits for
 * a better claim that does not become ready: each is released by what it waits for itself.
 */
export class DeferredQueue {
  readonly #claims: Waiting[] = []

  get best(): Waiting | undefined {
    return this.#claims[0]
  }

  get beaten(): readonly Waiting[] {
    return this.#claims.slice(1)
  }

  add(waiting: Waiting): void {
    let position = 0
    for (let end = this.#claims.length; position < end;) {
      const middle = (position + end) >>> 1
      if (isBefore(waiting, this.#claims[middle] as Waiting)) end = middle
      else position = middle + 1
    }
    this.#claims.splice(position, 0, waiting)
  }
}

export function isBefore(left: Waiting, right: Waiting): boolean {
  return compareByFirst(left.batch, right.batch) < 0
}
