import type { Clock } from '../../runtime/base/clock.ts'

/** A clock that stands until it is driven. Callbacks run in the order in which they are due. */
export interface DrivenClock extends Clock {
  /** Lets `milliseconds` pass and runs all that comes due, each at its own moment. */
  advance(milliseconds: number): void
  /** Moves on without running anything, as a machine that slept does; what was due runs with the next advance. */
  freeze(milliseconds: number): void
  readonly scheduled: number
}

export function drivenClock(start: number = 1000): DrivenClock {
  let now = start
  let waiting: { at: number; callback: () => void }[] = []
  return {
    now: () => now,
    schedule(at, callback) {
      const entry = { at, callback }
      waiting.push(entry)
      return () => {
        waiting = waiting.filter((other) => other !== entry)
      }
    },
    advance(milliseconds) {
      const end = now + milliseconds
      for (;;) {
        const next = waiting.filter(({ at }) => at <= end).toSorted((left, right) => left.at - right.at)[0]
        if (next === undefined) break
        waiting = waiting.filter((other) => other !== next)
        now = Math.max(now, next.at)
        next.callback()
      }
      now = end
    },
    freeze(milliseconds) {
      now += milliseconds
    },
    get scheduled() {
      return waiting.length
    },
  }
}
