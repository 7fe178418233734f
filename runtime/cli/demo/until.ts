import { setTimeout as pause } from 'node:timers/promises'
import { FleetstepError } from '../../base/errors.ts'
import { DEMO_POLL_INTERVAL_MS } from '../../base/limits.ts'

export interface Patience {
  /** Longest time that one condition may take. */
  readonly boundMs: number
  readonly signal: AbortSignal
}

/** What is still missing, for people, or null once the condition holds. */
export type Lack = string | null

/**
 * Asks again until the condition holds.
 * @returns the milliseconds that it took
 * @throws FleetstepError `not-converged` with what is still missing when the bound has passed; whatever `check` throws
 */
export async function until(check: () => Promise<Lack> | Lack, { boundMs, signal }: Patience): Promise<number> {
  const startedMs = performance.now()
  for (;;) {
    signal.throwIfAborted()
    const lack = await check()
    const tookMs = performance.now() - startedMs
    if (lack === null) return tookMs
    if (tookMs > boundMs) throw new FleetstepError('not-converged', `${lack}, even after ${boundMs / 1000} s`)
    await pause(DEMO_POLL_INTERVAL_MS, undefined, { signal })
  }
}
