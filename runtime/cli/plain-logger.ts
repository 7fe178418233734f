import type { Logger } from '../base/logger.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

type Level = (typeof LEVELS)[number]

/** One readable line each on standard error, with the time of day, for a person who looks on. */
export function plainLogger(level: Level): Logger {
  const lowest = LEVELS.indexOf(level)
  const log =
    (of: Level) =>
    (message: string): void => {
      if (LEVELS.indexOf(of) < lowest) return
      process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${of.padEnd(5)} ${message}\n`)
    }
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}
