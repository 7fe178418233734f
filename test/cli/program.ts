import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../links/clocks.ts'

/** The built program. */
export const PROGRAM: string = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** A folder with the runtime directory of one test, in which its control sockets are, so that tests never meet. */
export interface Workplace {
  readonly folder: string
  readonly environment: NodeJS.ProcessEnv
  /** What was started here; it is ended before the folder goes. */
  readonly runs: Run[]
  file(name: string, text: string): string
}

/** How a process of the program went; it can be looked at while it runs. */
export interface Run {
  readonly pid: number
  stdout: string
  stderr: string
  /** Null while it runs, or if a signal ended it. */
  code: number | null
  readonly ended: Promise<void>
  write(text: string): void
  kill(signal: NodeJS.Signals): void
}

export function workplace(t: TestContext): Workplace {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-cli-'))
  const runtime = join(folder, 'run')
  mkdirSync(runtime, { mode: 0o700 })
  const runs: Run[] = []
  t.after(async () => {
    for (const run of runs) run.kill('SIGKILL')
    await Promise.all(runs.map((run) => run.ended))
    rmSync(folder, { recursive: true, force: true })
  })
  const { FLEETSTEP_SOCKET: _socket, FLEETSTEP_DEBUG: _debug, NODE_OPTIONS: _options, ...inherited } = process.env
  return {
    folder,
    runs,
    environment: { ...inherited, XDG_RUNTIME_DIR: runtime },
    file(name, text) {
      const path = join(folder, name)
      writeFileSync(path, text)
      return path
    },
  }
}

/** Starts the built program; it is killed after the test if it still runs. */
export function start(place: Workplace, ...words: readonly string[]): Run {
  return startCommand(place, process.execPath, [PROGRAM, ...words])
}

/** Starts any command in the workplace; it is killed after the test if it still runs. */
export function startCommand(place: Workplace, command: string, words: readonly string[]): Run {
  const child = spawn(command, words, { cwd: place.folder, env: place.environment })
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code) => {
      run.code = code
      resolve()
    })
  })
  const run: Run = {
    pid: child.pid ?? 0,
    stdout: '',
    stderr: '',
    code: null,
    ended,
    write: (text) => void child.stdin.end(text),
    kill: (signal) => void child.kill(signal),
  }
  child.stdin.on('error', () => undefined)
  child.stdout.setEncoding('utf8').on('data', (text: string) => (run.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (run.stderr += text))
  place.runs.push(run)
  return run
}

/** Runs a command to its end. */
export async function fleetstep(place: Workplace, ...words: readonly string[]): Promise<Run> {
  const run = start(place, ...words)
  run.write('')
  await run.ended
  return run
}

/** Runs a command with --json to its end, and reads the one line that it prints. */
export async function fleetstepJson(place: Workplace, ...words: readonly string[]): Promise<unknown> {
  const { stdout } = await fleetstep(place, ...words, '--json')
  return JSON.parse(stdout)
}

/** Starts a gateway and waits until it says that it is ready. */
export async function runGateway(place: Workplace, config: string, ...words: readonly string[]): Promise<Run> {
  const run = start(place, 'run', '--config', config, ...words)
  await until(() => run.stdout.includes('\n') || run.code !== null, 'the gateway is ready')
  if (run.code !== null) throw new Error(`the gateway ended with ${run.code}: ${run.stderr}`)
  return run
}

/** A config of a gateway that is alone, with its data in a folder of its name. */
export function aloneConfig(place: Workplace, device: string, more: string = ''): string {
  return place.file(
    `${device}.yaml`,
    `fleet: { name: test }\ndevice: ${device}\ndataDirectory: data-${device}\n${more}`,
  )
}
