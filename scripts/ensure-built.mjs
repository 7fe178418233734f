import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { build, stamp } from './build.mjs'
import { fail, inProject, seconds } from './project.mjs'

const products = ['dist/cli.js', 'dist/index.js', 'dist/types/index.d.ts']
const sources = [
  'runtime',
  'rollup.config.mjs',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.types.json',
]

/** Builds dist when it is missing or when a source has changed since. Call `ensureInstalled` first. */
export async function ensureBuilt() {
  if (isFresh()) return
  const startedMs = performance.now()
  console.error('Building dist …')
  const { ok, output } = await build()
  if (!ok) fail(`${output}The build failed: the first error is above.`)
  console.error(`Built in ${seconds(startedMs)}.`)
}

export function isFresh() {
  if (!existsSync(stamp) || !products.every((product) => existsSync(inProject(product)))) return false
  const builtMs = statSync(stamp).mtimeMs
  return sources.every((source) => newestMs(inProject(source)) <= builtMs)
}

/**
 * The last change in a file or folder; a folder's own time tells of removed files.
 * @param {string} path
 * @returns {number}
 */
function newestMs(path) {
  const found = statSync(path)
  if (!found.isDirectory()) return found.mtimeMs
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))))
}
