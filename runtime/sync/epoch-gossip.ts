import type { Monotonic } from '../base/clock.ts'
import { ANSWER_DELAY_MAX_MS } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { suppressionDelayMs } from './suppression.ts'

/** When to pass on the newest epoch document: soon after somebody was heard who lacks it, unless another one was faster. */
export class EpochGossip {
  readonly #random: Random
  #sendAt: Monotonic | null = null

  constructor(random: Random) {
    this.#random = random
  }

  get sendAt(): Monotonic | null {
    return this.#sendAt
  }

  /** Somebody lacks our epoch. */
  noteBehind(members: number, now: Monotonic): void {
    this.#sendAt ??= now + suppressionDelayMs(ANSWER_DELAY_MAX_MS, members, this.#random)
  }

  /** Everybody in reach has just got it. */
  noteSent(): void {
    this.#sendAt = null
  }
}
