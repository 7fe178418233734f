import { DEVICE_RETRY_MAX_MS, DEVICE_RETRY_MIN_MS } from '../../base/limits.ts'

/** Pause after so many failures in a row (from 1): doubled each time, so that a dead device costs little. */
export function retryDelayMs(failures: number): number {
  return Math.min(DEVICE_RETRY_MIN_MS * 2 ** Math.min(failures - 1, DOUBLINGS_MAX), DEVICE_RETRY_MAX_MS)
}

/** Keeps the power finite; the longest delay is reached long before. */
const DOUBLINGS_MAX = 30
