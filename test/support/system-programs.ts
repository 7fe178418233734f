import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where a program of the system is, or null. Debian puts daemons where only root's PATH looks. */
export function findProgram(command: string): string | null {
  return (
    ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter)]
      .map((directory) => join(directory, command))
      .find((path) => existsSync(path)) ?? null
  )
}

/** Why tests with this program of Debian's package of the same name cannot run. Where nothing may be skipped they fail. */
export function reasonToSkip(command: string): string | false {
  const isMissing = findProgram(command) === null && process.env['CI'] !== 'true'
  return isMissing && `${command} is not installed: apt-get install ${command}`
}
