import { CommanderError } from 'commander'
import { EXIT_CODES, FleetstepError } from '../base/errors.ts'

/** Exit code of a bug of our own (EX_SOFTWARE of sysexits.h): a supervisor starts the daemon again. */
export const BUG_EXIT_CODE = 70

/** What a command says when it ends with an error. */
export interface Failure {
  /** A code of EXIT_CODES, or `internal` for a bug. */
  readonly code: string
  /** One line: what, where, what to do. */
  readonly message: string
  readonly exitCode: number
  /** Where the bug is, for those who look for it; null for what the user can mend. */
  readonly stack: string | null
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof FleetstepError) {
    return { code: error.code, message: oneLine(error.message), exitCode: error.exitCode, stack: null }
  }
  if (error instanceof CommanderError) {
    return { code: 'usage', message: usageMessage(error), exitCode: EXIT_CODES.usage, stack: null }
  }
  const text = error instanceof Error ? error.message : String(error)
  return {
    code: 'internal',
    message: `this is a bug: ${oneLine(text)}; run it again with FLEETSTEP_DEBUG=1 and report what it prints, with the command and the version`,
    exitCode: BUG_EXIT_CODE,
    stack: error instanceof Error ? (error.stack ?? null) : null,
  }
}

/** The line for standard error, and below it the stack of a bug if FLEETSTEP_DEBUG=1. */
export function failureLines({ message, stack }: Failure): string {
  const trace = stack !== null && process.env['FLEETSTEP_DEBUG'] === '1' ? `${stack}\n` : ''
  return `fleetstep: ${message}\n${trace}`
}

let crashed: (error: unknown) => void = () => undefined

/** Says who is told of an error that nobody caught: the last one that asked. He ends the process. */
export function onCrash(handler: (error: unknown) => void): void {
  crashed = handler
  if (process.listenerCount('uncaughtException') > 0) return
  process.on('uncaughtException', (error) => crashed(error))
  process.on('unhandledRejection', (error) => crashed(error))
}

/** The parser's own words without its prefix; where it has printed a help instead, what was missing. */
function usageMessage({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'a command is missing: choose one of those above'
  const text = oneLine(message).replace(/^error: /, '')
  return `${text}; fleetstep --help lists the commands, fleetstep COMMAND --help their options`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').trim()
}
