/**
 * Milliseconds on a clock that only moves forward and starts anywhere. Never compared between machines:
 * a gateway has no battery clock, so nothing in the protocol depends on the time of day.
 */
export type Monotonic = number

/** The only source of time. `gateway/system-clock.ts` is the real one; tests drive their own. */
export interface Clock {
  now(): Monotonic
  /** Calls `callback` once, at or after `at`. Returns a function that cancels it. */
  schedule(at: Monotonic, callback: () => void): () => void
}

/** Whether a time has come, of which null is never. */
export function isDue(at: Monotonic | null, now: Monotonic): boolean {
  return at !== null && at <= now
}

/** The earlier of two times, of which null is never. */
export function earlier(left: Monotonic | null, right: Monotonic | null): Monotonic | null {
  if (left === null) return right
  return right === null || left <= right ? left : right
}
