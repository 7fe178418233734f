import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import { isRecord } from './control-protocol.ts'

/** A gateway of a fleet that lives on one machine. */
export interface LocalGateway {
  /** Its device name, and the name of its files. */
  readonly name: string
  readonly fleet: {
    readonly name: string
    readonly members: readonly { readonly node: NodeId; readonly tier: number }[]
  }
  readonly profile: string
  readonly server: string
  /** Null for the usual place of this user. */
  readonly controlSocket: string | null
}

/**
 * One folder for a whole fleet on one machine: a config, a data directory and a log for each gateway. What cannot be
 * written ends in a FleetstepError `data-directory-unwritable`.
 */
export class FleetDirectory {
  readonly path: string
  readonly isTemporary: boolean

  /** @param path made if it is missing; null for a new folder that is the caller's to remove */
  constructor(path: string | null) {
    this.isTemporary = path === null
    this.path = attempt(path ?? tmpdir(), () => (path === null ? temporaryFolder() : existingFolder(resolve(path))))
  }

  file(name: string): string {
    return join(this.path, name)
  }

  configFile(gateway: string): string {
    return this.file(`${gateway}.yaml`)
  }

  logFile(program: string): string {
    return this.file(`${program}.log`)
  }

  writeConfig(gateway: LocalGateway): void {
    const { name, fleet, profile, server, controlSocket } = gateway
    const config = {
      fleet,
      device: name,
      dataDirectory: name,
      profile,
      links: [{ kind: 'mqtt', servers: [server] }],
      ...(controlSocket === null ? {} : { controlSocket }),
    }
    const file = this.configFile(name)
    // A password may stand in the address of the broker.
    attempt(file, () => writeFileSync(file, stringify(config), { mode: 0o600 }))
  }

  /** @returns a descriptor that the caller closes with {@link closeLog} */
  openLog(program: string, from: 'start' | 'end'): number {
    const file = this.logFile(program)
    return attempt(file, () => openSync(file, from === 'start' ? 'w' : 'a', 0o600))
  }

  closeLog(descriptor: number): void {
    closeSync(descriptor)
  }

  /** The last thing that a program said before it ended; null if it said nothing. */
  lastWords(program: string): string | null {
    try {
      const lines = readFileSync(this.logFile(program), 'utf8').trimEnd().split('\n')
      const own = lines.findLast((line) => line.startsWith(PREFIX))
      return own?.slice(PREFIX.length) ?? messageOf(lines.at(-1) ?? '')
    } catch {
      return null
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Removes the socket file that a killed gateway has left behind. */
export function removeSocketFile(path: string): void {
  rmSync(path, { force: true })
}

/** What the CLI puts before the one line that it ends with. */
const PREFIX = 'fleetstep: '

/** The message in a line of the log. */
function messageOf(line: string): string | null {
  if (!line.startsWith('{')) return line === '' ? null : line
  const entry: unknown = JSON.parse(line)
  return isRecord(entry) ? String(entry['msg']) : line
}

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'fleetstep-demo-'))
}

function existingFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}

function attempt<T>(place: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    const problem = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new FleetstepError(
      'data-directory-unwritable',
      `cannot write ${place}: ${problem}; choose a folder that you may write with --directory`,
      { cause },
    )
  }
}
