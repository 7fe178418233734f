import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { ANSWER_BYTES_MAX, BATCHES_PER_ANSWER_MAX } from '../base/limits.ts'
import { type Batch, firstOf, type Gap, lastOf, type Request } from './message.ts'

/** The gaps that others on one link have asked for, merged, and how much of the answer may still be sent. */
export class PendingAnswer {
  #at: Monotonic = Infinity
  readonly #gaps = new Map<MemberId, AskedGap>()
  #batchesLeft = 0
  #bytesLeft = 0
  #isShared = true

  /** When the next batches of it are due. */
  get at(): Monotonic {
    return this.#at
  }

  /** Nothing of it was sent yet. */
  get isNew(): boolean {
    return this.#batchesLeft === BATCHES_PER_ANSWER_MAX
  }

  gaps(): readonly Gap[] {
    return [...this.#gaps.values()].filter((gap) => gap.through > gap.after)
  }

  /**
   * Whoever asks again lacks what it names, also if that was sent already; for everybody else it stays at what they have asked for.
   * @param isShared whether others may answer too
   */
  include({ from, gaps }: Pick<Request, 'from' | 'gaps'>, at: Monotonic, isShared: boolean): void {
    this.#at = Math.min(this.#at, at)
    this.#isShared &&= isShared
    this.#batchesLeft = BATCHES_PER_ANSWER_MAX
    this.#bytesLeft = ANSWER_BYTES_MAX
    for (const gap of gaps) {
      const known = this.#gaps.get(gap.member)
      this.#gaps.set(gap.member, known === undefined || known.from === from ? { ...gap, from } : merged(known, gap))
    }
  }

  /** Somebody else has sent it, and may go on: ours waits until `patientAt` if others answer too. */
  skip(batch: Batch, patientAt: Monotonic): void {
    if (this.#advance(batch) && this.#isShared) this.#at = Math.max(this.#at, patientAt)
  }

  /** Sends a batch, if the answer may still be so long. Of any size it may be one. */
  take(batch: Batch): boolean {
    const { length } = batch.payload
    if (this.#batchesLeft === 0 || (length > this.#bytesLeft && !this.isNew)) return false
    this.#batchesLeft -= 1
    this.#bytesLeft -= length
    this.#advance(batch)
    return true
  }

  goOn(at: Monotonic): void {
    this.#at = at
  }

  /** The gap begins behind the batch, unless there is more before it that is still missing. */
  #advance(batch: Batch): boolean {
    const gap = this.#gaps.get(batch.origin)
    const { seq } = lastOf(batch).current.id
    if (gap === undefined || seq <= gap.after || firstOf(batch).current.id.seq > gap.after + 1) return false
    this.#gaps.set(batch.origin, { ...gap, after: seq })
    return true
  }
}

/** A gap, and who lacks the most of it. */
type AskedGap = Gap & Pick<Request, 'from'>

function merged(known: AskedGap, gap: Gap): AskedGap {
  return { ...known, after: Math.min(known.after, gap.after), through: Math.max(known.through, gap.through) }
}
