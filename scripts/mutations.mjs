import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureInstalled } from './install.mjs'
import { fail, inProject, seconds } from './project.mjs'
import { MUTATIONS } from './mutations/protocol.mjs'

/**
 * Switches off one rule of the protocol at a time and shows that some test notices. The sources stay as they are: the text
 * is replaced while the tests are bundled.
 */
const usage = `node scripts/mutations.mjs [--only PART …]
  --only PART   mutations whose name contains PART; may be repeated`

/** A mutant that runs for longer is one that never comes to an end, which is noticed too. */
const timeLimitMs = 240_000

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true, default: [] } } })
ensureInstalled()
const chosen = MUTATIONS.filter(
  ({ name }) => values.only.length === 0 || values.only.some((part) => name.includes(part)),
)
if (chosen.length === 0) fail(`No mutation is named so.\n${usage}`)

/** The quick ones first: what they notice need not be simulated. */
const groups = [
  testsIn('test/state').concat(testsIn('test/sync')),
  testsIn('test/simulation').filter((file) => !file.endsWith('simulation.test.ts')),
  ['test/simulation/simulation.test.ts'],
]

await checkUnchanged()
const survivors = []
for (const mutation of chosen) {
  const startedMs = performance.now()
  const noticedBy = await findNotice(mutation)
  console.log(
    `${noticedBy === null ? '✖ NOT NOTICED' : '✔ noticed'}  ${mutation.name}  ${noticedBy ?? ''}  ${seconds(startedMs)}`,
  )
  if (noticedBy === null) survivors.push(mutation.name)
}
console.log(`${chosen.length - survivors.length} of ${chosen.length} mutations are noticed`)
process.exit(survivors.length > 0 ? 1 : 0)

/** @typedef {{ readonly name: string, readonly file: string, readonly from: string, readonly to: string }} Mutation */

async function checkUnchanged() {
  for (const files of groups) {
    const { ok, output } = await run(await bundleWith(files, null))
    if (!ok) fail(`Without any mutation the tests fail already:\n${output.slice(-2000)}`)
  }
}

/** The name of the first test that fails, or null. */
async function findNotice(/** @type {Mutation} */ mutation) {
  for (const files of groups) {
    const { ok, output } = await run(await bundleWith(files, mutation))
    if (ok) continue
    return /^not ok \d+ - (.*)$/m.exec(output)?.[1] ?? 'it never ends, or does not start'
  }
  return null
}

/** Bundles into memory of a file of its own, with the mutation if there is one. */
async function bundleWith(/** @type {readonly string[]} */ files, /** @type {Mutation | null} */ mutation) {
  const { build } = await import('esbuild')
  const outfile = inProject('.cache', 'bundles', 'mutant.mjs')
  await build({
    stdin: { contents: files.map((file) => `import './${file}'`).join('\n'), resolveDir: inProject(), loader: 'js' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    ignoreAnnotations: true,
    logLevel: 'error',
    plugins: [changing(mutation)],
  })
  return outfile
}

/**
 * `import.meta.url` stays the address of the source file, as in every bundle of tests.
 * @returns {import('esbuild').Plugin}
 */
function changing(/** @type {Mutation | null} */ mutation) {
  return {
    name: 'changing',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8').replaceAll(
          'import.meta.url',
          JSON.stringify(pathToFileURL(path).href),
        )
        const isMutated = mutation !== null && path === inProject(mutation.file)
        return { contents: isMutated ? mutated(source, mutation) : source, loader: 'ts', resolveDir: dirname(path) }
      })
    },
  }
}

function mutated(/** @type {string} */ source, /** @type {Mutation} */ { name, file, from, to }) {
  if (source.split(from).length !== 2) fail(`${name}: the text to replace is not found once in ${file}`)
  return source.replace(from, () => to)
}

/** @returns {Promise<{ ok: boolean, output: string }>} */
function run(/** @type {string} */ bundle) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--test-reporter=tap', bundle], { stdio: ['ignore', 'pipe', 'pipe'] })
    const alarm = setTimeout(() => child.kill('SIGKILL'), timeLimitMs)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => (output += text))
    }
    child.on('close', (code) => {
      clearTimeout(alarm)
      resolve({ ok: code === 0, output })
    })
  })
}

function testsIn(/** @type {string} */ folder) {
  return readdirSync(inProject(folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
    .toSorted()
}
