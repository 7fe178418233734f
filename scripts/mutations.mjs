import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureInstalled } from './install.mjs'
import { MUTATIONS, mutated, problemOf } from './mutations/mutation.mjs'
import { argumentsOr, fail, inProject, seconds } from './project.mjs'

/**
 * Switches off one rule of the protocol at a time and shows that the tests of that rule notice. The sources stay as they
 * are: the text is replaced while the tests are bundled.
 */
const usage = `npm run mutations -- [--only PART …] [--check]
  --only PART   mutations whose name or test contains PART; may be repeated
  --check       only looks whether each still applies, without a run`

/** A mutant that runs for longer is one that never comes to an end, which is noticed too. */
const timeLimitMs = 240_000

const { values } = argumentsOr(
  () =>
    parseArgs({
      options: { only: { type: 'string', multiple: true, default: [] }, check: { type: 'boolean', default: false } },
    }),
  usage,
)
const startedMs = performance.now()
const problems = MUTATIONS.flatMap((mutation) => problemOf(mutation) ?? [])
if (problems.length > 0) fail(problems.join('\n'))
const chosen = MUTATIONS.filter(
  ({ name, noticedBy }) =>
    values.only.length === 0 || values.only.some((part) => `${name} ${noticedBy}`.includes(part)),
)
if (chosen.length === 0) fail(`No mutation is named so.\n${usage}`)
if (values.check) {
  console.log(`${MUTATIONS.length} mutations apply`)
  process.exit(0)
}
ensureInstalled()

const survivors = []
for (const file of new Set(chosen.map(({ noticedBy }) => noticedBy))) {
  const unchanged = await run(await bundleWith(file, null))
  if (!unchanged.ok) fail(`Without any mutation ${file} fails already:\n${unchanged.output.slice(-2000)}`)
  for (const mutation of chosen.filter(({ noticedBy }) => noticedBy === file)) {
    const beganMs = performance.now()
    const { ok, notice } = await run(await bundleWith(file, mutation))
    const verdict = ok ? '✖ NOT NOTICED' : '✔ noticed'
    const how = ok ? 'all pass' : (notice ?? 'never ends, or does not start')
    console.log(`${verdict}  ${mutation.name}  (${file}: ${how})  ${seconds(beganMs)}`)
    if (ok) survivors.push(mutation.name)
  }
}
console.log(`${chosen.length - survivors.length} of ${chosen.length} mutations are noticed, in ${seconds(startedMs)}`)
if (survivors.length > 0) fail(`Not noticed:\n  ${survivors.join('\n  ')}`)

/** Bundles into a file of its own, with the mutation if there is one. */
async function bundleWith(
  /** @type {string} */ file,
  /** @type {import('./mutations/mutation.mjs').Mutation | null} */ mutation,
) {
  const { build } = await import('esbuild')
  const outfile = inProject('.cache', 'bundles', `mutant-${process.pid}.mjs`)
  await build({
    stdin: { contents: `import './${file}'`, resolveDir: inProject(), loader: 'js' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    ignoreAnnotations: true,
    logLevel: 'error',
    plugins: [changing(mutation)],
  }).catch(() => fail(`${mutation?.name ?? file} does not build; the error is above`))
  return outfile
}

/**
 * `import.meta.url` stays the address of the source file, as in every bundle of tests.
 * @returns {import('esbuild').Plugin}
 */
function changing(/** @type {import('./mutations/mutation.mjs').Mutation | null} */ mutation) {
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

/**
 * Ends with the first test that fails.
 * @returns {Promise<{ ok: boolean, notice: string | null, output: string }>}
 */
function run(/** @type {string} */ bundle) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--test-reporter=tap', bundle], { stdio: ['ignore', 'pipe', 'pipe'] })
    const alarm = setTimeout(() => child.kill('SIGKILL'), timeLimitMs)
    let output = ''
    /** @type {string | null} */
    let notice = null
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
        output += text
        notice ??= /^ *not ok \d+ - (.*)$/m.exec(output)?.[1] ?? null
        if (notice !== null) child.kill('SIGKILL')
      })
    }
    child.on('close', (code) => {
      clearTimeout(alarm)
      resolve({ ok: code === 0, notice, output })
    })
  })
}
