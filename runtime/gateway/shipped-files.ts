import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A folder that is shipped with the package: it lies beside the bundle's folder, however deep this module stands in it. */
export function shippedFolder(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, name)) && folder !== dirname(folder)) folder = dirname(folder)
  return join(folder, name)
}
