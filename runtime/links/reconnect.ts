import { RECONNECT_DELAY_MAX_MS, RECONNECT_DELAY_MIN_MS } from '../base/limits.ts'
import { fraction, type Random } from '../base/random.ts'

export interface ReconnectTiming {
  readonly delayMinMs: number
  readonly delayMaxMs: number
}

export const DEFAULT_RECONNECT_TIMING: ReconnectTiming = {
  delayMinMs: RECONNECT_DELAY_MIN_MS,
  delayMaxMs: RECONNECT_DELAY_MAX_MS,
}

/**
 * How long to wait before the next attempt: doubled with each failed round, and drawn from the upper half of that span,
 * so that a fleet whose broker restarts does not come back in one instant.
 * @param round how many rounds over all servers have failed in a row, from 0
 * @returns milliseconds in [span / 2, span), where span = min(delayMinMs * 2^round, delayMaxMs)
 */
export function reconnectDelayMs(round: number, timing: ReconnectTiming, random: Random): number {
  const span = Math.min(timing.delayMinMs * 2 ** Math.min(round, DOUBLINGS_MAX), timing.delayMaxMs)
  return span / 2 + (fraction(random) * span) / 2
}

/** Keeps the power finite; any sensible longest delay is reached long before. */
const DOUBLINGS_MAX = 30
