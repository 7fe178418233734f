import type { Monotonic } from '../base/clock.ts'
import { REQUEST_RETRY_MS } from '../base/limits.ts'
import type { Gap } from './message.ts'

/** A question is repeated after REQUEST_RETRY_MS, and each time after twice as long, up to some hours. */
const QUESTION_DOUBLINGS_MAX = 15

export interface Question {
  readonly at: Monotonic
  /** Where it was asked. */
  readonly link: string
  readonly gaps: readonly Gap[]
}

/**
 * What a member on one of our links asks of somebody that we do not know: another link may have the proof that its join was cut.
 */
export class RelayedQuestion {
  #question: Question | null = null
  /** Before this no further one: two relays between the same links would ask each other for ever. */
  #nextAt: Monotonic = -Infinity
  #asked = 0

  /** When it is due, or null. */
  get at(): Monotonic | null {
    return this.#question?.at ?? null
  }

  /** Whether a further one may be asked. */
  isOpen(now: Monotonic): boolean {
    return this.#question === null && now >= this.#nextAt
  }

  ask(gaps: readonly Gap[], link: string, at: Monotonic): void {
    this.#question = { at, link, gaps }
  }

  /** The one that is due, which is asked now. */
  take(now: Monotonic): Question | null {
    const question = this.#question
    if (question === null || question.at > now) return null
    this.#question = null
    this.#nextAt = now + REQUEST_RETRY_MS * 2 ** Math.min(this.#asked, QUESTION_DOUBLINGS_MAX)
    this.#asked += 1
    return question
  }

  /** Something has changed by which it may be answered: the next one need not wait. */
  hurry(now: Monotonic): void {
    this.#asked = 0
    this.#nextAt = now
  }

  forget(): void {
    this.#question = null
  }
}
