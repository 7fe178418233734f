import { READING_INTERVAL_MAX_MS, READING_INTERVAL_MIN_MS } from '../../base/limits.ts'

/** A whole number with its unit. */
export const INTERVAL_FORM: RegExp = /^([0-9]{1,9})(ms|s|m|h)$/

/** Milliseconds of a text such as `500ms`, `10s`, `5m`, `1h`; null for any other text. */
export function parseInterval(text: string): number | null {
  const match = INTERVAL_FORM.exec(text)
  if (match === null) return null
  const unitMs = UNITS_MS.get(match[2] ?? '')
  return unitMs === undefined ? null : Number(match[1]) * unitMs
}

/** Null for an interval that may be used, else one clear reason. */
export function intervalProblem(text: string): string | null {
  const intervalMs = parseInterval(text)
  if (intervalMs === null) return 'must be a whole number with ms, s, m or h, such as 500ms, 10s, 5m'
  if (intervalMs < READING_INTERVAL_MIN_MS) return `must be at least ${READING_INTERVAL_MIN_MS}ms`
  return intervalMs > READING_INTERVAL_MAX_MS ? `must be at most ${READING_INTERVAL_MAX_MS / 3_600_000}h` : null
}

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])
