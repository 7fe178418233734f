import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bundleAndImport } from './bundle.mjs'
import { ensureInstalled } from './install.mjs'
import { fail, inProject } from './project.mjs'

/**
 * A benchmark is test/bench/NAME.bench.ts with `export function run({ smoke }): Promise<{ rows }>`. A row holds text and
 * numbers, the unit last in the name of each; what is compared with another way of doing it is a number named `ratio…`.
 * @typedef {Record<string, string | number | boolean>} Row
 */

const suffix = '.bench.ts'
const usage = `npm run bench -- NAME … [--smoke] [--json]
  NAME     ${names().join(', ') || '(there is none yet)'}; all of them: all
  --smoke  a size that only shows that the benchmark runs
  --json   one JSON object for programs, with the ratios as numbers named ratio…`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { smoke: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
})
if (positionals.length === 0) {
  console.log(usage)
  process.exit(0)
}
ensureInstalled()
const chosen = positionals.includes('all') ? names() : positionals
for (const name of chosen) if (!names().includes(name)) fail(`There is no benchmark ${name}.\n${usage}`)

const results = []
for (const name of chosen) {
  const { run } = await bundleAndImport({ name: `bench-${name}`, file: `test/bench/${name}${suffix}` })
  /** @type {{ rows: Row[] }} */
  const { rows } = await run({ smoke: values.smoke })
  if (rows.length === 0) fail(`Benchmark ${name} measured nothing.`)
  results.push({ name, smoke: values.smoke, rows })
  if (!values.json) show(name, rows)
}
if (values.json) console.log(JSON.stringify({ node: process.version, results }, null, 2))

function names() {
  return readdirSync(inProject('test', 'bench'))
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .toSorted()
}

function show(/** @type {string} */ name, /** @type {readonly Row[]} */ rows) {
  console.log(`\n${name}${values.smoke ? ' (smoke size: the figures mean nothing)' : ''}`)
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)))
  for (const line of lines) console.log(`  ${line.map((text, index) => text.padStart(widths[index] ?? 0)).join('  ')}`)
}

function cell(/** @type {string | number | boolean | undefined} */ value) {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toPrecision(4)
  return String(value ?? '')
}
