import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, reasonToSkip } from '../support/system-programs.ts'
import { until } from './clocks.ts'

/** Mosquitto 2.0 as it comes: only a listener, which it would not have without being told. */
export const MOSQUITTO_DEFAULTS: readonly string[] = ['allow_anonymous true']

/** What a fleet should give it: its defaults drop messages in silence above 1000 queued and 20 in flight. */
export const MOSQUITTO_FLEET: readonly string[] = [
  'allow_anonymous true',
  'persistence false',
  'max_queued_messages 100000',
  'max_queued_bytes 16777216',
  'max_inflight_messages 100',
  'queue_qos0_messages false',
  'persistent_client_expiration 7d',
  'message_size_limit 1048576',
  'max_keepalive 120',
  'set_tcp_nodelay true',
]

/** The program, or null. */
const MOSQUITTO: string | null = findProgram('mosquitto')

/** Why tests with Mosquitto cannot run here. */
export const MOSQUITTO_SKIP: string | false = reasonToSkip('mosquitto')

export interface Mosquitto {
  readonly port: number
  readonly directory: string
  /** All that it has logged. */
  readonly log: () => string
  /** SIGKILL, so that it says goodbye to nobody. */
  kill(): Promise<void>
  /** On the same port, without anything that it knew. */
  restart(): Promise<void>
  end(): Promise<void>
}

/** @param lines of the configuration, `listener` aside; `DIR` in them stands for a directory of its own */
export async function startMosquitto(
  lines: readonly string[],
  prepare: (directory: string) => Promise<void> = async () => {},
): Promise<Mosquitto> {
  const directory = await mkdtemp(join(tmpdir(), 'fleetstep-mosquitto-'))
  await prepare(directory)
  const port = await freePort()
  const config = join(directory, 'mosquitto.conf')
  const log = lines.some((line) => line.startsWith('log_type')) ? [] : ['log_type all']
  const head = ['user root', 'log_dest stderr', ...log, `listener ${port} 127.0.0.1`]
  await writeFile(config, [...head, ...lines, ''].join('\n').replaceAll('DIR', directory))
  return await runMosquitto(config, port, directory)
}

/** Runs it with the settings that `fleetstep broker config` wrote to `directory`, which goes with it. */
export async function startGeneratedMosquitto(directory: string, port: number): Promise<Mosquitto> {
  const config = join(directory, 'mosquitto.conf')
  // As root it would become a user that may not read the files.
  await appendFile(config, 'user root\nlog_dest stderr\nlog_type all\n')
  return await runMosquitto(config, port, directory)
}

async function runMosquitto(config: string, port: number, directory: string): Promise<Mosquitto> {
  if (MOSQUITTO === null) throw new Error('mosquitto is not installed: apt-get install mosquitto')
  const program = MOSQUITTO
  let log = ''
  let child: ChildProcess | null = null
  const start = async (): Promise<void> => {
    const started = spawn(program, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    let own = ''
    started.stderr?.on('data', (chunk) => {
      own += String(chunk)
      log += String(chunk)
    })
    child = started
    await until(() => / running$/m.test(own) || started.exitCode !== null, 'mosquitto runs')
    if (started.exitCode !== null) throw new Error(`mosquitto ended at once: ${own}`)
  }
  const kill = async (): Promise<void> => {
    const killed = child
    child = null
    if (killed === null) return
    const ended = new Promise((resolve) => killed.once('exit', resolve))
    killed.kill('SIGKILL')
    await ended
  }
  await start()
  return {
    port,
    directory,
    log: () => log,
    kill,
    restart: start,
    async end() {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/**
 * A TCP port that nobody else takes while a test has nobody listen on it. Those that the kernel chooses by itself, for
 * listeners on port 0 and for every outgoing connection, begin at 32768 on Linux.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

/** Tests that run at the same time in this process never get the same one. */
const given = new Set<number>()

/** On all addresses of this machine. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
