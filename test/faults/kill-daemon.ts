import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'
import { connectControl } from '../../runtime/gateway/control-client.ts'

export interface KillFigures {
  readonly runs: number
  /** Operations that the daemon had reported as durable. */
  readonly durable: number
  /** Kills that met operations not answered yet. */
  readonly metInFlight: number
}

/**
 * Starts `fleetstep run`, loads it from several connections, and kills it with SIGKILL at a random moment, again and again
 * on one data directory. After each start, every operation that had been reported as durable is looked for.
 */
export async function killDaemon(options: { readonly runs: number; readonly seed: number }): Promise<KillFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetstep-kill-'))
  const program = await copyProgram()
  const random = seededRandom(options.seed)
  const ledger = new Map<string, Sent>()
  const totals = { runs: 0, durable: 0, metInFlight: 0 }
  try {
    const config = await writeConfig(folder)
    for (let run = 1; run <= options.runs; run += 1) {
      const where = `run ${run}, seed ${options.seed}`
      const daemon = await startDaemon(program, config)
      try {
        await checkLedger(folder, ledger, where)
        const { durable, inFlight } = await loadUntilKilled(folder, daemon, ledger, run, random)
        totals.durable += durable
        if (inFlight > 0) totals.metInFlight += 1
      } finally {
        daemon.kill('SIGKILL')
      }
      totals.runs += 1
    }
    const last = await startDaemon(program, config)
    try {
      await checkLedger(folder, ledger, 'after the last run')
    } finally {
      const exited = once(last, 'exit')
      last.kill('SIGTERM')
      assert.deepEqual(await exited, [0, null])
    }
    return totals
  } finally {
    await rm(folder, { recursive: true })
    await rm(dirname(dirname(program)), { recursive: true })
  }
}

/** The values of one point: the last that was reported as durable, and the last that was asked for. */
interface Sent {
  durable: number
  asked: number
}

const CONNECTIONS = 6
/** Points of one connection, set in turn, so that a lost operation is seen although later ones are there. */
const POINTS = 40
/** Operations of one run that are reported as durable before the kill: a count, since a slow machine does less in a time. */
const DURABLE_MIN = 20
const DURABLE_MAX = 500
/** The kill comes so much later at most, so that it meets any moment between two reports. */
const DELAY_MS_MAX = 5

async function writeConfig(folder: string): Promise<string> {
  const file = join(folder, 'gateway.yaml')
  const settings = [
    'fleet: { name: kill }',
    'device: kill',
    'dataDirectory: data',
    `controlSocket: ${socketOf(folder)}`,
    'logLevel: error',
  ]
  await writeFile(file, `${settings.join('\n')}\n`)
  return file
}

function socketOf(folder: string): string {
  return join(folder, 'control.sock')
}

/** What is built may be built anew while this runs. Inside the project, where it finds its packages. */
async function copyProgram(): Promise<string> {
  const folder = resolve('.cache', `kill-${process.pid}`)
  await mkdir(folder, { recursive: true })
  await cp(resolve('dist'), join(folder, 'dist'), { recursive: true })
  return join(folder, 'dist', 'cli.js')
}

async function startDaemon(program: string, config: string): Promise<ChildProcess> {
  const args = [program, 'run', '--config', config, '--node-id', 'kill-test']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) if (line.includes('ready')) return child
  throw new Error('the daemon ended before it was ready; its last words are above')
}

async function loadUntilKilled(
  folder: string,
  daemon: ChildProcess,
  ledger: Map<string, Sent>,
  run: number,
  random: Random,
): Promise<{ durable: number; inFlight: number }> {
  let durable = 0
  let inFlight = 0
  const target = DURABLE_MIN + (random.uint32() % (DURABLE_MAX - DURABLE_MIN))
  const delayMs = random.uint32() % (DELAY_MS_MAX + 1)
  const exited = once(daemon, 'exit')
  const kill = (): void => void daemon.kill('SIGKILL')
  const work = async (connection: number): Promise<void> => {
    const client = await connectControl(socketOf(folder))
    for (let turn = 0; ; turn += 1) {
      const path = `kill/connection${connection}/point${turn % POINTS}`
      const value = run * 1_000_000 + turn
      const sent = ledger.get(path) ?? { durable: 0, asked: 0 }
      ledger.set(path, { ...sent, asked: value })
      inFlight += 1
      await client.call('state.set', { path, value })
      inFlight -= 1
      ledger.set(path, { durable: value, asked: value })
      durable += 1
      if (durable === target) setTimeout(kill, delayMs)
    }
  }
  // Whatever ends one of them early is looked at below.
  const loads = Promise.allSettled(Array.from({ length: CONNECTIONS }, (_, index) => work(index).finally(kill)))
  assert.deepEqual(await exited, [null, 'SIGKILL'])
  for (const load of await loads) {
    assert.ok(load.status === 'rejected')
    const { reason } = load as { reason: unknown }
    assert.ok(reason instanceof FleetstepError && reason.code === 'daemon-unreachable', String(reason))
  }
  return { durable, inFlight }
}

async function checkLedger(folder: string, ledger: ReadonlyMap<string, Sent>, where: string): Promise<void> {
  const client = await connectControl(socketOf(folder))
  try {
    const state = (await client.call('state.get')) as Readonly<Record<string, unknown>>
    for (const [path, { durable, asked }] of ledger) {
      const value = Number(state[path] ?? 0)
      assert.ok(value >= durable, `${where}: ${path} is ${value} and had been durable as ${durable}`)
      assert.ok(value <= asked, `${where}: ${path} is ${value} and was asked for at most as ${asked}`)
    }
  } finally {
    client.close()
  }
}
