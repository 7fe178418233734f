import type { Monotonic } from '../base/clock.ts'
import { JOIN_INTERVAL_MAX_MS, JOIN_INTERVAL_MIN_MS } from '../base/limits.ts'
import { fraction, type Random } from '../base/random.ts'

/** When a draft asks to join: soon after it can be heard, then at intervals that double while nobody takes it in. */
export class Newcomer {
  readonly #random: Random
  #askAt: Monotonic | null = null
  #intervalMs = JOIN_INTERVAL_MIN_MS
  #refusal: string | null = null

  constructor(random: Random) {
    this.#random = random
  }

  get wakeAt(): Monotonic | null {
    return this.#askAt
  }

  /** Why the fleet did not take it in when it asked last, or null. */
  get refusal(): string | null {
    return this.#refusal
  }

  noteRefused(reason: string): void {
    this.#refusal = reason
  }

  /** Somebody may hear it now. */
  askSoon(now: Monotonic): void {
    this.#intervalMs = JOIN_INTERVAL_MIN_MS
    this.#askAt = now + this.#intervalMs * fraction(this.#random)
  }

  noteAsked(now: Monotonic): void {
    this.#askAt = now + this.#intervalMs * (1 - fraction(this.#random) / 2)
    this.#intervalMs = Math.min(2 * this.#intervalMs, JOIN_INTERVAL_MAX_MS)
  }

  /** It is being taken in, or is a member. */
  rest(): void {
    this.#askAt = null
    this.#refusal = null
  }
}
