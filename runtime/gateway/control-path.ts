import { tmpdir, userInfo } from 'node:os'
import { basename, join } from 'node:path'

/** Where the daemons of this user keep their control sockets: short, private, and gone after a reboot. */
export function controlDirectory(): string {
  const base = process.env['XDG_RUNTIME_DIR']
  return base === undefined || base === '' ? join(tmpdir(), `fleetstep-${userInfo().uid}`) : join(base, 'fleetstep')
}

/** The usual socket of the gateway with this device name. */
export function controlPath(device: string): string {
  return join(controlDirectory(), `${device}.sock`)
}

/** The inverse of {@link controlPath}, for people. */
export function deviceOfControlPath(path: string): string {
  return basename(path, '.sock')
}
