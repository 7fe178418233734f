import type { Logger } from '../base/logger.ts'
import { describeFailure, onCrash } from './failure.ts'
import { goOnWithoutOutput } from './lost-output.ts'

type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Readable lines for people and for the system's journal; JSON lines for programs. Each is loaded only where it is used. */
export async function openLogger(level: LogLevel, name: string, isJson: boolean): Promise<Logger> {
  if (!isJson) return (await import('./plain-logger.ts')).plainLogger(level)
  return (await import('../gateway/pino-logger.ts')).pinoLogger(level, name)
}

/**
 * Logs one line and ends the process with the code of the error: what is on the disk is whole at any moment, so a
 * supervisor starts the daemon again. Holds for errors that nobody caught, and for those given to the returned function.
 * What cannot be printed or logged is no such error.
 */
export function exitOnCrash(logger: Logger): (error: unknown) => never {
  goOnWithoutOutput()
  const exit = (error: unknown): never => {
    const { code, message, exitCode, stack } = describeFailure(error)
    logger.error(message, stack === null ? { code } : { code, stack })
    process.exit(exitCode)
  }
  onCrash(exit)
  return exit
}

/** Resolves with the first SIGINT or SIGTERM. The second one ends the process at once. */
export async function stopSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    let isStopping = false
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(signal === 'SIGINT' ? 130 : 143)
      isStopping = true
      resolve(signal)
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  })
}
