import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { build } from 'esbuild'

/** Bundles a program of the tests into a file that node can run. Inside the project, where a bundle finds its packages. */
export async function bundleProcess(source: string, name: string): Promise<string> {
  const folder = resolve('.cache', 'processes')
  await mkdir(folder, { recursive: true })
  const outfile = resolve(folder, `${name}-${process.pid}.mjs`)
  await build({
    entryPoints: [resolve(source)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
    logLevel: 'error',
  })
  return outfile
}
