import { readdirSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { bundle } from './bundle.mjs'
import { ensureInstalled, install } from './install.mjs'
import { argumentsOr, fail, inProject } from './project.mjs'

/**
 * A benchmark is test/bench/NAME.bench.ts with `export function run(options): Promise<{ rows, text }>`. A row holds text and
 * numbers, the unit last in the name of each; what is compared with another way of doing it is a number named `ratio…`.
 * `text` is shown to people instead of the rows. If it exports `packages`, a folder with a lockfile of its own, that is
 * installed first. `module` is the benchmark itself for processes that it starts; `report` is a file for it to write.
 * @typedef {Record<string, string | number | boolean>} Row
 * @typedef {{ smoke: boolean, module: string, hasPackages: boolean, report: string | null }} Options
 * @typedef {{ run: (options: Options) => Promise<{ rows: Row[], text?: string }>, packages?: string }} Benchmark
 */

const suffix = '.bench.ts'
const usage = `npm run bench -- NAME … [--smoke] [--json] [--report FILE]
  NAME     ${names().join(', ') || '(there is none yet)'}; all of them: all
  --smoke  a size that only shows that the benchmark runs
  --json   one JSON object for programs, with the ratios as numbers named ratio…
  --report FILE  where a benchmark that draws leaves its drawing`

const { values, positionals } = argumentsOr(
  () =>
    parseArgs({
      allowPositionals: true,
      options: {
        smoke: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        report: { type: 'string' },
      },
    }),
  usage,
)
if (positionals.length === 0) {
  console.log(usage)
  process.exit(0)
}
ensureInstalled()
const chosen = positionals.includes('all') ? names() : positionals
for (const name of chosen) if (!names().includes(name)) fail(`There is no benchmark ${name}.\n${usage}`)

const results = []
for (const name of chosen) {
  // As the program is built: to name each function that is made takes 0.8 µs.
  const files = [`test/bench/${name}${suffix}`]
  const module = pathToFileURL(await bundle({ name: `bench-${name}`, files, keepNames: false })).href
  /** @type {Benchmark} */
  const { run, packages } = await import(module)
  const options = { smoke: values.smoke, module, hasPackages: havePackages(packages), report: values.report ?? null }
  const { rows, text } = await run(options)
  if (rows.length === 0) fail(`Benchmark ${name} measured nothing.`)
  results.push({ name, smoke: values.smoke, rows })
  if (!values.json) show(name, text ?? asTable(rows))
}
if (values.json) console.log(JSON.stringify({ node: process.version, results }, null, 2))

function names() {
  return readdirSync(inProject('test', 'bench'))
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .toSorted()
}

/** @returns whether there is something to compare with. A test goes on without a registry, a measurement does not. */
function havePackages(/** @type {string | undefined} */ folder) {
  const failure = folder === undefined ? null : install(folder)
  if (failure !== null && !values.smoke) fail(failure)
  if (failure !== null) console.error(`${failure} Nothing of ${folder} is compared with.`)
  return failure === null
}

function show(/** @type {string} */ name, /** @type {string} */ text) {
  console.log(`\n${name}${values.smoke ? ' (smoke size: the figures mean nothing)' : ''}\n${text}`)
}

function asTable(/** @type {readonly Row[]} */ rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)))
  return lines.map((line) => `  ${line.map((text, index) => text.padStart(widths[index] ?? 0)).join('  ')}`).join('\n')
}

function cell(/** @type {string | number | boolean | undefined} */ value) {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toPrecision(4)
  return String(value ?? '')
}
