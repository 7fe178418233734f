import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { OpenPort } from '../../runtime/links/serial/port-events.ts'
import { realClock, until } from '../links/clocks.ts'
import { EmulatedLine, type LineOptions } from './serial-line.ts'

/** The program that makes pseudo-terminals, or null. */
const SOCAT: string | null =
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'socat'))
    .find((path) => existsSync(path)) ?? null

/** Why tests over real terminals cannot run here. Where nothing may be skipped they run, and fail. */
export const PTY_SKIP: string | false =
  SOCAT === null && process.env['CI'] !== 'true' ? 'socat is not installed: apt-get install socat' : false

/** A line whose ends are terminals of this machine: the real serial library opens them, and the emulator paces what passes. */
export interface PtyLine {
  readonly line: EmulatedLine
  /** The device of one end. */
  device(name: string): string
  /** The terminal of one end vanishes, as an adapter does that is pulled. */
  unplug(name: string): Promise<void>
  plugIn(name: string): Promise<void>
  end(): Promise<void>
}

export async function startPtyLine(
  names: readonly string[],
  options: Omit<LineOptions, 'clock'>,
  folder: string = tmpdir(),
): Promise<PtyLine> {
  const directory = await mkdtemp(join(folder, 'fleetstep-line-'))
  const line = new EmulatedLine({ ...options, clock: realClock })
  const terminals = new Map<string, Terminal>()
  const device = (name: string): string => join(directory, name)
  const plugIn = async (name: string): Promise<void> => {
    terminals.set(name, await startTerminal(device(name), name, line))
  }
  const unplug = async (name: string): Promise<void> => {
    await terminals.get(name)?.end()
    terminals.delete(name)
  }
  for (const name of names) await plugIn(name)
  return {
    line,
    device,
    plugIn,
    unplug,
    async end() {
      for (const name of names) await unplug(name)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

interface Terminal {
  end(): Promise<void>
}

async function startTerminal(device: string, name: string, line: EmulatedLine): Promise<Terminal> {
  if (SOCAT === null) throw new Error('socat is not installed: apt-get install socat')
  const child: ChildProcess = spawn(SOCAT, [`PTY,raw,echo=0,link=${device}`, 'STDIO'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin?.on('error', () => undefined)
  const opened = { isOpen: false }
  const port: OpenPort = line.port(name)({
    opened: () => {
      opened.isOpen = true
    },
    data: (bytes) => void child.stdin?.write(bytes),
    gone: () => undefined,
  })
  child.stdout?.on('data', (bytes: Buffer) => port.write(bytes))
  await until(() => opened.isOpen && existsSync(device), `${device} is there`)
  return {
    async end() {
      await port.close()
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}
