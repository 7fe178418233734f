import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { ensureInstalled } from './install.mjs'
import { fail, inProject, runCommand, seconds, tool } from './project.mjs'

/** Its time is when the sources of dist were read, so that an edit during the build counts as newer. */
export const stamp = inProject('.cache', 'built')

/**
 * Bundles the program and the library, then writes the types of the library.
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export async function build() {
  const startedAt = new Date()
  const bundled = await runCommand(tool('rollup'), ['--config', '--silent'])
  if (!bundled.ok) return bundled
  const typed = await runCommand(tool('tsc'), ['-p', 'tsconfig.types.json'])
  if (!typed.ok) return typed
  mkdirSync(inProject('.cache'), { recursive: true })
  writeFileSync(stamp, '')
  utimesSync(stamp, startedAt, startedAt)
  return typed
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  ensureInstalled()
  const startedMs = performance.now()
  const { ok, output } = await build()
  if (!ok) fail(`${output}The build failed: the first error is above.`)
  console.log(`dist built in ${seconds(startedMs)}`)
}
