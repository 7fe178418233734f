import { readFileSync, readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bundle } from './bundle.mjs'
import { check } from './check.mjs'
import { ensureBuilt } from './ensure-built.mjs'
import { ensureInstalled } from './install.mjs'
import { argumentsOr, fail, inProject, seconds } from './project.mjs'
import { ensureSystemTools } from './system-tools.mjs'
import { emptyOutcome, runTests } from './test-run.mjs'

const usage = `npm test -- [--only PART …] [--grep PATTERN] [--no-check]
  --only PART     test files whose path contains PART: a room (storage), a file (crc.test.ts); may be repeated
  --grep PATTERN  tests whose name, or whose suite's name, matches the regular expression
  --no-check      without types, lint, format, dead code and package checks
Under CI=true nothing may be skipped.`

const options = readOptions()
const inCi = process.env['CI'] === 'true'
const startedMs = performance.now()

ensureInstalled()
const files = testFiles().filter(
  (file) => options.only.length === 0 || options.only.some((part) => file.includes(part)),
)
if (files.length === 0) fail(`No test file under test/ has ${options.only.join(' or ')} in its path.`)
refuseLeakyFiles(files)
const untested = await ensureSystemTools((command) => files.some((file) => read(file).includes(command)))
for (const line of untested) console.log(line)
if (inCi && untested.length > 0) fail('Under CI=true nothing may be skipped, and the line above is.')

if (options.check) await check()
else if (files.some(usesBuild)) await ensureBuilt()

const outcome = emptyOutcome()
await runPart('tests', (file) => !isOfProcesses(file))
await runPart('process-tests', isOfProcesses)
conclude()

/** One bundle, one process. */
async function runPart(/** @type {string} */ name, /** @type {(file: string) => boolean} */ belongs) {
  const part = files.filter(belongs)
  if (part.length > 0) await runTests(await bundle({ name, files: part }), { grep: options.grep, outcome })
}

/** Failures and skips by name, node's closing lines with the figures of all runs, and the exit code. */
function conclude() {
  const { totals, failures, skips } = outcome
  if (skips.length > 0) console.log(`\nSkipped:\n${skips.map((skip) => `  ${skip}`).join('\n')}`)
  if (failures.length > 0) console.log(`\nFailed:\n${failures.map((failure) => `  ✖ ${failure}`).join('\n')}`)
  console.log(`\nTests and set-up took ${seconds(startedMs)}.`)
  for (const [name, figure] of Object.entries(totals)) console.log(`# ${name} ${figure}`)
  if (totals.pass + totals.fail === 0) fail('No test ran: nothing matches.')
  if (totals.fail > 0) process.exit(1)
  if (inCi && totals.skipped + totals.todo > 0) fail('Under CI=true no test may be skipped; the list is above.')
}

/** A room can be tested while another does not build. */
function usesBuild(/** @type {string} */ file) {
  return isOfProcesses(file) || read(file).includes('dist/')
}

/** Those that start processes of their own run after the others, in a process of their own. */
function isOfProcesses(/** @type {string} */ file) {
  return file.endsWith('.process.test.ts')
}

function testFiles() {
  return readdirSync(inProject('test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${file.replaceAll('\\', '/')}`)
    .toSorted()
}

/**
 * All files share one process: a hook outside a suite would run for every test of every file, and `only` would silently
 * do nothing.
 */
function refuseLeakyFiles(/** @type {readonly string[]} */ names) {
  for (const file of names) {
    const hook = /^(before|after|beforeEach|afterEach)\(/m.exec(read(file))
    if (hook) fail(`${file}: ${hook[1]}() stands outside a suite. Put it into the describe() that it belongs to.`)
    if (/\b(test|it|describe|suite)\.only\(/.test(read(file)))
      fail(`${file}: take the .only( away; use --grep instead.`)
  }
}

function read(/** @type {string} */ file) {
  return readFileSync(inProject(file), 'utf8')
}

function readOptions() {
  const { values } = argumentsOr(
    () =>
      parseArgs({
        options: {
          only: { type: 'string', multiple: true, default: [] },
          grep: { type: 'string' },
          'no-check': { type: 'boolean', default: false },
          help: { type: 'boolean', default: false },
        },
      }),
    usage,
  )
  if (values.help) {
    console.log(usage)
    process.exit(0)
  }
  return { only: values.only, grep: values.grep, check: !values['no-check'] }
}
