import { join } from 'node:path'
import { shippedFolder } from './shipped-files.ts'

/** The file of a profile: itself if `name` is a file name, else one of those that are shipped with the package. */
export function shippedProfile(name: string): string {
  if (/\.ya?ml$/.test(name)) return name
  return join(shippedFolder('device-profiles'), `${name}.yaml`)
}
