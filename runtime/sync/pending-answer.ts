import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { type Batch, firstOf, type Gap, lastOf } from './message.ts'

/** The gaps that others on one link have asked for, merged until the answer is due. */
export class PendingAnswer {
  #at: Monotonic
  readonly #gaps = new Map<MemberId, Gap>()

  constructor(at: Monotonic) {
    this.#at = at
  }

  get at(): Monotonic {
    return this.#at
  }

  gaps(): readonly Gap[] {
    return [...this.#gaps.values()].filter((gap) => gap.through > gap.after)
  }

  include(gaps: readonly Gap[], at: Monotonic): void {
    this.#at = Math.min(this.#at, at)
    for (const gap of gaps) {
      const known = this.#gaps.get(gap.member) ?? gap
      const after = Math.min(known.after, gap.after)
      this.#gaps.set(gap.member, { member: gap.member, after, through: Math.max(known.through, gap.through) })
    }
  }

  /** Somebody else has sent it: the gap begins behind it, unless there is more before it that is still missing. */
  skip(batch: Batch): void {
    const gap = this.#gaps.get(batch.origin)
    const { seq } = lastOf(batch).current.id
    if (gap === undefined || seq <= gap.after || firstOf(batch).current.id.seq > gap.after + 1) return
    this.#gaps.set(batch.origin, { ...gap, after: seq })
  }
}
