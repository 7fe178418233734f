import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureInstalled } from './install.mjs'
import { build } from './build.mjs'
import { isFresh } from './ensure-built.mjs'
import { checkLockfile } from './lockfile.mjs'
import { checkPackage } from './package-check.mjs'
import { argumentsOr, fail, runCommand, seconds, tool } from './project.mjs'

/**
 * What must hold before a test is run, the quick ones first. Each gives the output of its tool.
 * @type {Record<string, () => Promise<{ ok: boolean, output: string }>>}
 */
const checks = {
  lockfile: checkLockfile,
  format: () => runCommand(tool('oxfmt'), ['--check', '.']),
  types: () =>
    all([() => runCommand(tool('tsc'), ['-p', '.']), () => runCommand(tool('tsc'), ['-p', 'tsconfig.scripts.json'])]),
  lint: () => runCommand(tool('oxlint'), []),
  'dead-code': () => runCommand(tool('knip'), ['--no-progress']),
  build: buildIfStale,
  package: () => all([buildIfStale, checkPackage]),
}

/** Runs the named checks, or all, and stops at the first that fails. */
export async function check(names = Object.keys(checks)) {
  for (const name of names) {
    const startedMs = performance.now()
    const { ok, output } = await runCheck(name)
    if (!ok) {
      process.stdout.write(`${output.trimEnd()}\n`)
      fail(`✖ check ${name} failed (${seconds(startedMs)}). Run it alone with: npm run check -- --only ${name}`)
    }
    console.log(`✔ check ${name} ${seconds(startedMs)}`)
  }
}

/** @returns {Promise<{ ok: boolean, output: string }>} */
async function runCheck(/** @type {string} */ name) {
  const run = checks[name]
  if (!run) return { ok: false, output: `There is no check ${name}. There are: ${Object.keys(checks).join(', ')}.` }
  return run()
}

/** @returns {Promise<{ ok: boolean, output: string }>} */
async function buildIfStale() {
  return isFresh() ? { ok: true, output: '' } : build()
}

/** @param {readonly (() => Promise<{ ok: boolean, output: string }>)[]} steps */
async function all(steps) {
  for (const step of steps) {
    const result = await step()
    if (!result.ok) return result
  }
  return { ok: true, output: '' }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = argumentsOr(
    () => parseArgs({ options: { only: { type: 'string', multiple: true } } }),
    `npm run check -- [--only NAME …]\n  --only NAME  ${Object.keys(checks).join(', ')}; all if left out; may be repeated`,
  )
  ensureInstalled()
  await check(values.only)
}
