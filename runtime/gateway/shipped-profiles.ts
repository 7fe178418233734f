import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { FleetstepError } from '../base/errors.ts'
import { isRecord } from './control-protocol.ts'
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

/** A profile that comes with the package. */
export interface ShippedProfile {
  readonly name: string
  readonly file: string
  readonly points: number
  readonly description: string
}

/** In alphabetical order. To check them all whole would take a Pi several seconds; the tests have done it. */
export function listShippedProfiles(): readonly ShippedProfile[] {
  return shippedProfileNames().map((name) => {
    const file = shippedProfile(name)
    const [head = '', points = ''] = readFileSync(file, 'utf8').split(/^device(?:Resources|Commands):$/m)
    const data: unknown = parse(head)
    const description = isRecord(data) && typeof data['description'] === 'string' ? data['description'] : ''
    return { name, file, points: [...points.matchAll(/^ {2}- name: /gm)].length, description }
  })
}

/** In alphabetical order. */
function shippedProfileNames(): readonly string[] {
  const files = readdirSync(shippedFolder('device-profiles'))
  return files.flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length)] : [])).toSorted()
}
