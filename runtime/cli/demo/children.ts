import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { FleetstepError } from '../../base/errors.ts'
import { DEMO_STOP_TIMEOUT_MS } from '../../base/limits.ts'
import type { FleetDirectory } from '../../gateway/fleet-directory.ts'

/** How a process that the demo started is seen. */
export interface Child {
  readonly program: string
  readonly pid: number
  /** `signal 9` or `exit code 4`, or null while it runs. */
  readonly end: () => string | null
  /** As `kill -9` does: the process has no chance to save anything. Resolves when it is gone. */
  kill(): Promise<void>
  stop(): Promise<void>
}

/**
 * The processes of the demo. Each has the program's own script, a log in the demo's folder, and a channel whose end tells
 * it that the demo is gone (cli/parent.ts), even if that was killed. They are in groups of their own, so that Ctrl-C reaches
 * the demo alone, which ends them in order.
 */
export class Children {
  readonly #directory: FleetDirectory
  readonly #running = new Set<ChildProcess>()

  constructor(directory: FleetDirectory) {
    this.#directory = directory
    // A way out that did not come past `stop`, as a crash is.
    process.once('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL')
    })
  }

  /** @param from where its log goes on: a program that is started again keeps its first log */
  start(program: string, words: readonly string[], from: 'start' | 'end'): Child {
    const log = this.#directory.openLog(program, from)
    const child = spawn(process.execPath, [ownScript(), ...words], {
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    })
    this.#directory.closeLog(log)
    // It could not be started, which is told below, or its channel has ended with it, which `exit` tells.
    child.on('error', () => undefined)
    if (child.pid === undefined) throw new FleetstepError('limit-reached', `${program}: no process could be started`)
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    return {
      program,
      pid: child.pid,
      end: () => endOf(child),
      kill: () => end(child, 'SIGKILL'),
      stop: () => stop(child),
    }
  }

  /** What it has said last, or null. */
  words(child: Child): string | null {
    return this.#directory.lastWords(child.program)
  }

  /** What to tell of a child that should be running: its own last line, which names what to do. */
  failure(child: Child): FleetstepError {
    const words = this.words(child) ?? 'it has said nothing'
    const log = this.#directory.logFile(child.program)
    return new FleetstepError(
      'daemon-unreachable',
      `${child.program} ended with ${child.end()}: ${words} (log: ${log})`,
    )
  }
}

/** The script that this process runs, so that what is tried is what is started. */
function ownScript(): string {
  const [, script] = process.argv
  if (script === undefined) throw new FleetstepError('usage', 'start the demo with npm start, or fleetstep demo')
  return script
}

function endOf({ exitCode, signalCode }: ChildProcess): string | null {
  if (signalCode !== null) return signalCode
  return exitCode === null ? null : `exit code ${exitCode}`
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (endOf(child) !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

async function stop(child: ChildProcess): Promise<void> {
  const patience = new AbortController()
  const late = pause(DEMO_STOP_TIMEOUT_MS, undefined, { signal: patience.signal }).then(
    () => end(child, 'SIGKILL'),
    () => undefined,
  )
  await Promise.race([end(child, 'SIGTERM'), late])
  patience.abort()
}
