import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = 'device-profiles'

/** The file of a profile: itself if `name` is a file name, else one of those that are shipped with the package. */
export function shippedProfile(name: string): string {
  if (/\.ya?ml$/.test(name)) return name
  return join(shippedFolder(), `${name}.yaml`)
}

/** The folder lies beside the bundle's folder, however deep this module stands in it. */
function shippedFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, FOLDER)) && folder !== dirname(folder)) folder = dirname(folder)
  return join(folder, FOLDER)
}
