import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { until } from '../links/clocks.ts'
import { findProgram, reasonToSkip } from './system-programs.ts'

const NATS: string | null = findProgram('nats-server')

/** Why tests with NATS cannot run here. */
export const NATS_SKIP: string | false = reasonToSkip('nats-server')

export interface NatsServer {
  /** All that it has logged. */
  readonly log: () => string
  /** Resolves once it takes clients. */
  ready(): Promise<void>
  /** SIGKILL, so that it says goodbye to nobody. */
  end(): Promise<void>
}

/** Runs one server with a settings file. */
export function startNats(config: string): NatsServer {
  if (NATS === null) throw new Error('nats-server is not installed: apt-get install nats-server')
  const child: ChildProcess = spawn(NATS, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  let log = ''
  child.stderr?.on('data', (chunk) => (log += String(chunk)))
  return {
    log: () => log,
    async ready() {
      await until(() => /Listening for MQTT clients/.test(log) || child.exitCode !== null, 'nats-server runs')
      if (child.exitCode !== null) throw new Error(`nats-server ended at once: ${log}`)
    },
    async end() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
