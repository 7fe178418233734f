import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { FleetstepError } from '../base/errors.ts'
import { shippedFolder } from './shipped-files.ts'

/**
 * The file of a profile: itself if `name` is a file name, else one of those that are shipped with the package.
 * @throws FleetstepError `profile-invalid` if there is none of that name
 */
export function shippedProfile(name: string): string {
  if (/\.ya?ml$/.test(name)) return name
  const file = join(shippedFolder('device-profiles'), `${name}.yaml`)
  if (/^[A-Za-z0-9._~-]+$/.test(name) && existsSync(file)) return file
  const known = shippedProfileNames().join(', ')
  throw new FleetstepError('profile-invalid', `there is no profile ${name}: name a .yaml file, or one of ${known}`)
}

/** In alphabetical order. */
export function shippedProfileNames(): readonly string[] {
  const files = readdirSync(shippedFolder('device-profiles'))
  return files.flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length)] : [])).toSorted()
}
