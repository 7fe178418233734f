import { earlier, type Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { QUESTIONS_ASKERS_MAX, QUESTIONS_WAITING_MAX, REQUEST_RETRY_MS } from '../base/limits.ts'
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
 * What members on one of our links ask of somebody that we do not know: another link may have the proof that its join was cut. Each
 * asker has its own turns, so that none of them uses up those of the others.
 */
export class RelayedQuestions {
  readonly #waiting = new Map<MemberId, Question>()
  /** Before `nextAt` no further one of the same asker: two relays between the same links would ask each other for ever. */
  readonly #askers = new Map<MemberId, { readonly nextAt: Monotonic; readonly asked: number }>()

  /** When the first of them is due, or null. */
  get at(): Monotonic | null {
    let first: Monotonic | null = null
    // Asked for after every input, and nearly always there is none.
    if (this.#waiting.size > 0) for (const { at } of this.#waiting.values()) first = earlier(first, at)
    return first
  }

  /** Whether a further one of this asker may be asked. */
  isOpen(asker: MemberId, now: Monotonic): boolean {
    if (this.#waiting.has(asker) || this.#waiting.size >= QUESTIONS_WAITING_MAX) return false
    return now >= (this.#askers.get(asker)?.nextAt ?? -Infinity)
  }

  ask(asker: MemberId, question: Question): void {
    this.#waiting.set(asker, question)
  }

  /** Those that are due, which are asked now. */
  take(now: Monotonic): readonly Question[] {
    const due = [...this.#waiting].filter(([, { at }]) => at <= now)
    for (const [asker] of due) {
      this.#waiting.delete(asker)
      this.#noteAsked(asker, now)
    }
    return due.map(([, question]) => question)
  }

  /** Something has changed by which they may be answered: the next ones need not wait. */
  hurry(): void {
    this.#askers.clear()
  }

  forget(): void {
    this.#waiting.clear()
  }

  #noteAsked(asker: MemberId, now: Monotonic): void {
    const asked = this.#askers.get(asker)?.asked ?? 0
    const nextAt = now + REQUEST_RETRY_MS * 2 ** Math.min(asked, QUESTION_DOUBLINGS_MAX)
    this.#askers.delete(asker)
    this.#askers.set(asker, { nextAt, asked: asked + 1 })
    for (const oldest of this.#askers.keys()) {
      if (this.#askers.size <= QUESTIONS_ASKERS_MAX) break
      this.#askers.delete(oldest)
    }
  }
}
