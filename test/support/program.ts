import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

/** A program that runs beside a test, with what it has printed so far. */
export interface Program {
  readonly pid: number
  readonly lines: readonly string[]
  readonly errors: readonly string[]
  /** Resolves with the first line, printed already or later, that matches; rejects if the program ends without it. */
  line(pattern: RegExp): Promise<string>
  kill(signal: NodeJS.Signals): void
  /** Resolves with the exit code, or the signal that ended it, once all output has been read. */
  readonly end: Promise<number | NodeJS.Signals>
}

/** The built command line program, as people run it. */
export const CLI: string = resolve('dist', 'cli.js')

/** @param env is added to that of the test */
function startProgram(
  command: string,
  words: readonly string[],
  { env = {}, cwd = process.cwd() }: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
): Program {
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd })
  const { pid } = child
  assert.ok(pid !== undefined, `${command} could not be started`)
  const lines: string[] = []
  const errors: string[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line))
  const end = ended(child)
  const line = async (pattern: RegExp): Promise<string> =>
    await new Promise((found, failed) => {
      const look = (): void => {
        const match = lines.find((candidate) => pattern.test(candidate))
        if (match === undefined) return
        waiting.delete(look)
        found(match)
      }
      waiting.add(look)
      look()
      void end.then((how) =>
        failed(new Error(`ended (${how}) without ${pattern}:\n${[...lines, ...errors].join('\n')}`)),
      )
    })
  return { pid, lines, errors, line, end, kill: (signal) => void child.kill(signal) }
}

/** A folder of one test, and what was started for it: after the test all of that is killed, and then the folder goes. */
export interface Place {
  readonly path: string
  /** Control sockets in the folder, so that other gateways of this user stay out of the test. */
  readonly env: Readonly<Record<string, string>>
  /** Starts a program with that environment. */
  start(command: string, words: readonly string[], env?: Readonly<Record<string, string>>): Program
}

export async function makePlace(t: TestContext): Promise<Place> {
  const path = await mkdtemp(join(tmpdir(), 'fleetstep-test-'))
  const env = { XDG_RUNTIME_DIR: path }
  const programs: Program[] = []
  // One hook, since hooks run in the order in which they were given: a folder that goes first is still written to.
  t.after(async () => {
    for (const program of programs) program.kill('SIGKILL')
    await Promise.all(programs.map(({ end }) => end))
    // What these programs had started themselves may take a moment longer.
    await rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  })
  return {
    path,
    env,
    start(command, words, more = {}) {
      const program = startProgram(command, words, { env: { ...env, ...more } })
      programs.push(program)
      return program
    },
  }
}

/** Runs the command line program to its end. */
export async function runCli(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd: string = process.cwd(),
): Promise<{ code: number | NodeJS.Signals; lines: readonly string[]; errors: readonly string[] }> {
  const program = startProgram(process.execPath, [CLI, ...words], { env, cwd })
  const code = await program.end
  return { code, lines: program.lines, errors: program.errors }
}

async function ended(child: ChildProcess): Promise<number | NodeJS.Signals> {
  // `close` comes after the last output.
  await once(child, 'close')
  return child.signalCode ?? child.exitCode ?? -1
}
