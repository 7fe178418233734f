import { spawn, type ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { NodeId } from '../../runtime/base/ids.ts'

/** Starts `link-process.ts`. Tests run from the project's directory, and the bundle lies in it to find its packages. */
export async function startLinkProcess(node: NodeId, port: number): Promise<ChildProcess> {
  const outfile = join(process.cwd(), '.cache', `link-process-${process.pid}.mjs`)
  await build({
    entryPoints: [join(process.cwd(), 'test/links/link-process.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
  })
  const child = spawn(process.execPath, [outfile, node, String(port)], { stdio: 'inherit' })
  child.once('exit', () => rmSync(outfile, { force: true }))
  return child
}
