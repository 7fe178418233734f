import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { until } from '../links/clocks.ts'
import { PTY_SKIP } from '../support/pty-line.ts'

/** Debian's own interpreter, for which its packages python3-pymodbus and python3-serial-asyncio are. */
const PYTHON = '/usr/bin/python3'

const hasSlave = ['pymodbus', 'serial_asyncio'].every((name) => existsSync(`/usr/lib/python3/dist-packages/${name}`))

/** Why tests against a slave of another kind cannot run here. Where nothing may be skipped they run, and fail. */
export const MODBUS_SKIP: string | false =
  !hasSlave && process.env['CI'] !== 'true'
    ? 'python3-pymodbus is not installed: apt-get install python3-pymodbus python3-serial-asyncio'
    : PTY_SKIP

/** How long a machine takes to start Python that is loaded with other tests. */
const PATIENCE_MS = 60_000

export interface ModbusSlave {
  /** What was written to it, a line each. */
  readonly written: () => readonly string[]
  end(): Promise<void>
}

/** Unit 1 on a terminal; see modbus-slave.py for what it holds. */
export async function startModbusSlave(device: string): Promise<ModbusSlave> {
  const child = spawn(PYTHON, [resolve('test/device/modbus-slave.py'), device], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  await until(() => output.includes('ready') || child.exitCode !== null, 'the slave is ready', PATIENCE_MS)
  if (child.exitCode !== null) throw new Error(`the slave ended: ${errors}`)
  return {
    written: () => output.split('\n').slice(1, -1),
    async end() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
