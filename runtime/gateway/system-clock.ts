import type { Clock, Monotonic } from '../base/clock.ts'
import { RELEASE_SECONDS } from '../base/limits.ts'

/** Longest delay that Node's timers take; a longer one is reached in steps. */
const TIMER_DELAY_MAX_MS = 2 ** 31 - 1

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(at: Monotonic, callback: () => void): () => void {
    const delayMs = Math.min(Math.max(0, at - performance.now()), TIMER_DELAY_MAX_MS)
    const timer = setTimeout(callback, Math.ceil(delayMs))
    return () => clearTimeout(timer)
  },
}

/**
 * Seconds since 1970, where a person's calendar matters: a gateway has no battery clock, so it may be wrong by years. It is not
 * before this release was made.
 */
export function systemSeconds(): number {
  return Math.max(Math.floor(Date.now() / 1000), RELEASE_SECONDS)
}
