import { lstatSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** Where the daemons of this user keep their control sockets: short, private, and gone after a reboot. */
export function controlDirectory(): string {
  const base = process.env['XDG_RUNTIME_DIR']
  return base === undefined || base === '' ? temporaryDirectory() : join(base, 'fleetstep')
}

/**
 * Anybody may have made the folder among the temporary files before, and would then own the way to the gateway.
 * @returns what is wrong with the folder of that socket, or null
 */
export function problemOfControlFolder(path: string): string | null {
  const folder = dirname(path)
  if (folder !== temporaryDirectory()) return null
  const found = lstatSync(folder, { throwIfNoEntry: false })
  const isOwn = found === undefined || (found.isDirectory() && found.uid === userId())
  return isOwn ? null : `${folder} was made by somebody else`
}

/** The usual socket of the gateway with this device name. */
export function controlPath(device: string): string {
  return join(controlDirectory(), `${device}.sock`)
}

/** The inverse of {@link controlPath}, for people. */
export function deviceOfControlPath(path: string): string {
  return basename(path, '.sock')
}

function temporaryDirectory(): string {
  return join(tmpdir(), `fleetstep-${userId()}`)
}

/** Not of the list of users, where one in a container often does not stand. */
function userId(): number | undefined {
  return process.getuid?.()
}
