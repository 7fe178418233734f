import { type Digest, digestOf } from '../base/digest.ts'
import { formatOperationId } from '../base/ids.ts'
import { FLOOR_DIGESTS_MAX } from '../base/limits.ts'
import type { Entry } from '../state/entry.ts'

/**
 * The rolling digest over (operation id, outcome) of all that was folded (PROTOCOL section 7), and those of the last floors: two nodes
 * that have one floor have one digest of it.
 */
export class FloorDigests {
  readonly #last = new Map<number, Digest>()
  #current: Digest

  constructor(floor: number, digest: Digest) {
    this.#current = digest
    this.#last.set(floor, digest)
  }

  /** At the floor. */
  get current(): Digest {
    return this.#current
  }

  /** Those that are kept, by floor. */
  get last(): ReadonlyMap<number, Digest> {
    return this.#last
  }

  /** Takes back one of a snapshot. */
  restore(floor: number, digest: Digest): void {
    this.#last.set(floor, digest)
  }

  /** @param entries that are folded, in canonical order; @param floors to which the floor moves in turn, the last one above all of them */
  follow(entries: readonly Entry[], floors: readonly number[]): void {
    let at = 0
    for (const floor of floors) {
      const from = at
      while (at < entries.length && (entries[at] as Entry).operation.stage <= floor) at += 1
      this.#current = this.after(entries.slice(from, at))
      this.#last.set(floor, this.#current)
    }
    for (const old of this.#last.keys()) {
      if (this.#last.size <= FLOOR_DIGESTS_MAX) break
      this.#last.delete(old)
    }
  }

  /** What it would be if these were folded too: one digest for each stage, so that it does not depend on how far the floor moves. */
  after(entries: readonly Entry[]): Digest {
    let digest = this.#current
    for (let at = 0; at < entries.length;) {
      const { stage } = (entries[at] as Entry).operation
      let text = ''
      for (; entries[at]?.operation.stage === stage; at++) {
        const { operation, execution } = entries[at] as Entry
        text += `${formatOperationId(operation.id)}=${execution?.outcome};`
      }
      digest = digestOf(digest + text)
    }
    return digest
  }
}
