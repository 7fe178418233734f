import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { ensureBuilt } from './ensure-built.mjs'
import { ensureInstalled } from './install.mjs'
import { measureBareNode, measureCommand, measureGateway } from './measure-start.mjs'
import { argumentsOr, inProject } from './project.mjs'

/**
 * npm run budgets [-- --json]: what the program costs, beside what it may cost (budgets.json). Of several starts the
 * least counts: that is what the program takes, and what is above it is the machine's. Ends with 1 over a budget.
 * An aim is what we want on a calm machine of the field; a busy or slow one is measured against bare Node beside it.
 * @typedef {{ figure: number } | { missing: string }} Measured
 * @typedef {{ name: string, unit: string, most: number, why: string, isAim?: boolean, figure?: number, missing?: string }} Row
 */

const starts = 5
const { values } = argumentsOr(
  () => parseArgs({ options: { json: { type: 'boolean', default: false } } }),
  'npm run budgets -- [--json]\n  --json  one JSON object for programs',
)

ensureInstalled()
await ensureBuilt()
/** @type {Record<string, { unit: string, most: number, why: string, isAim?: boolean }>} */
const budgets = JSON.parse(readFileSync(inProject('scripts', 'budgets.json'), 'utf8'))
const measured = { ...bundleSizes(), ...(await versionStarts()), ...(await gatewayStarts()) }
const rows = Object.entries(budgets).map(([name, budget]) => ({ name, ...budget, ...resultOf(name) }))
if (values.json) console.log(JSON.stringify({ node: process.version, rows: rows.map(asData) }, null, 2))
else for (const row of rows) console.log(asLine(row))
if (!rows.every(isWithin)) process.exitCode = 1

/** @returns {Measured} */
function resultOf(/** @type {string} */ name) {
  return /** @type {Record<string, Measured>} */ (measured)[name] ?? { missing: 'nothing measures it' }
}

function isWithin(/** @type {Row} */ { figure, most, isAim }) {
  return figure !== undefined && (figure <= most || isAim === true)
}

function asLine(/** @type {Row} */ row) {
  const { name, unit, most, why, figure, missing } = row
  if (figure === undefined) return `✖ ${name}: not measured: ${missing}`
  const share = `${Math.round((figure / most) * 100)} %`
  const mark = figure <= most ? '✔' : row.isAim === true ? '○' : '✖'
  return `${mark} ${name}: ${figure.toFixed(1)} of ${most} ${unit} (${share})${figure <= most ? '' : `. ${why}`}`
}

function asData(/** @type {Row} */ { name, unit, most, figure, missing }) {
  return figure === undefined
    ? { name, unit, most, missing }
    : { name, unit, most, figure, ratioOfBudget: figure / most }
}

function bundleSizes() {
  const entry = inProject('dist', 'cli.js')
  const program = [entry, ...filesUnder(inProject('dist', 'cli'))]
  return {
    'program bundle': kibibytes(program, (file) => statSync(file).size),
    'program bundle, gzip': kibibytes(program, (file) => gzipSync(readFileSync(file)).length),
    'program entry': kibibytes([entry], (file) => statSync(file).size),
    'library entry': kibibytes(
      [inProject('dist', 'index.js'), ...filesUnder(inProject('dist', 'library'))],
      (file) => statSync(file).size,
    ),
  }
}

async function versionStarts() {
  const runs = await repeated(() => measureCommand(['--version']))
  return { '--version, CPU': least(runs, 'cpuMs'), '--version, wall': least(runs, 'wallMs') }
}

async function gatewayStarts() {
  const runs = await repeated(measureGateway)
  const bare = await repeated(measureBareNode)
  const cpu = least(runs, 'cpuMs')
  const rss = least(runs, 'rssMib')
  return {
    'gateway to ready, CPU': cpu,
    'gateway to ready, wall': least(runs, 'wallMs'),
    'gateway at rest, RSS': rss,
    'gateway to ready, CPU, to bare Node': compared(cpu, least(bare, 'cpuMs'), (ours, theirs) => ours / theirs),
    'gateway at rest, RSS, above bare Node': compared(rss, least(bare, 'rssMib'), (ours, theirs) => ours - theirs),
  }
}

/** @returns {Measured} */
function compared(
  /** @type {Measured} */ ours,
  /** @type {Measured} */ theirs,
  /** @type {(ours: number, theirs: number) => number} */ compare,
) {
  if ('missing' in ours) return ours
  return 'missing' in theirs ? theirs : { figure: compare(ours.figure, theirs.figure) }
}

/**
 * @template T
 * @param {() => Promise<T | { missing: string }>} measure
 * @returns {Promise<T[] | { missing: string }>} all runs, or why the first that failed did
 */
async function repeated(measure) {
  const runs = []
  for (let start = 0; start < starts; start += 1) {
    const run = await measure()
    if (isMissing(run)) return run
    runs.push(run)
  }
  return runs
}

/**
 * @param {Record<string, number>[] | { missing: string }} runs
 * @param {string} figure
 * @returns {Measured}
 */
function least(runs, figure) {
  if (isMissing(runs)) return runs
  return { figure: Math.min(...runs.map((run) => run[figure] ?? NaN)) }
}

/** @returns {value is { missing: string }} */
function isMissing(/** @type {unknown} */ value) {
  return typeof value === 'object' && value !== null && 'missing' in value
}

/** @returns {{ figure: number }} */
function kibibytes(/** @type {string[]} */ files, /** @type {(file: string) => number} */ bytesOf) {
  return { figure: files.reduce((sum, file) => sum + bytesOf(file), 0) / 1024 }
}

function filesUnder(/** @type {string} */ folder) {
  return existing(folder).map((name) => join(folder, name))
}

/** A build without shared chunks makes no folder for them. */
function existing(/** @type {string} */ folder) {
  const found = statSync(folder, { throwIfNoEntry: false })
  return found ? readdirSync(folder) : []
}
