import { spawn } from 'node:child_process'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inProject, projectRoot } from './project.mjs'
import { pathWithTools } from './system-tools.mjs'

/** A test that says nothing for this long hangs: the slowest takes less than a minute, and a busy machine ten times that. */
const silenceMs = 900_000

/** Node 20 reports the tests that a name pattern leaves out as skipped, with this reason. */
const leftOut = 'test name does not match pattern'

/**
 * @typedef {{ tests: number, suites: number, pass: number, fail: number, skipped: number, todo: number }} Totals
 * @typedef {{ totals: Totals, failures: string[], skips: string[] }} Outcome
 */

/** @returns {Outcome} */
export function emptyOutcome() {
  const totals = { tests: 0, suites: 0, pass: 0, fail: 0, skipped: 0, todo: 0 }
  return { totals, failures: [], skips: [] }
}

/**
 * Runs one bundle of tests in one process and prints a line for each file, and every failure as it comes.
 * @param {string} bundleFile
 * @param {{ grep: string | undefined, outcome: Outcome }} options `outcome` is added to
 */
export function runTests(bundleFile, { grep, outcome }) {
  const args = [
    '--enable-source-maps',
    `--test-reporter=${inProject('scripts', 'test-reporter.mjs')}`,
    '--test-reporter-destination=stdout',
    ...(grep === undefined ? [] : [`--test-name-pattern=${grep}`]),
    bundleFile,
  ]
  const child = spawn(process.execPath, args, {
    cwd: projectRoot,
    env: { ...process.env, PATH: pathWithTools() },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const listener = new Listener(outcome)
  return new Promise((/** @type {(value: void) => void} */ resolve) => {
    let alarm = setTimeout(giveUp, silenceMs)
    function giveUp() {
      listener.giveUp()
      child.kill('SIGKILL')
    }
    child.on('message', (event) => {
      clearTimeout(alarm)
      alarm = setTimeout(giveUp, silenceMs)
      listener.hear(/** @type {Event} */ (event))
    })
    child.on('close', (code, signal) => {
      clearTimeout(alarm)
      listener.end(code, signal)
      resolve()
    })
  })
}

/**
 * @typedef {{
 *   type: string, name: string, nesting: number, file?: string, line?: number, skip?: string | true, todo?: string | true,
 *   message?: string, kind: string, failure?: { type: string, text: string }, durationMs?: number
 * }} Event
 */

/** Follows the events of one run: the open path of names, the current file, and whether node's runner came to its end. */
class Listener {
  /** @type {string[]} */
  #path = []
  /** @type {{ name: string, tests: number, failed: number, durationMs: number } | null} */
  #file = null
  /** @type {Set<string>} */
  #running = new Set()
  #ended = false
  #failedHere = 0
  #outcome

  constructor(/** @type {Outcome} */ outcome) {
    this.#outcome = outcome
  }

  hear(/** @type {Event} */ event) {
    if (event.type === 'test:dequeue') this.#running.add(place(event))
    if (event.type === 'test:complete') this.#running.delete(place(event))
    if (event.type === 'test:start') this.#path.splice(event.nesting, Infinity, event.name)
    if (event.type === 'test:pass' || event.type === 'test:fail') this.#result(event)
    if (event.type === 'test:diagnostic') this.#diagnostic(event.message ?? '')
  }

  giveUp() {
    this.#printFile()
    const running = [...this.#running].join(', ')
    const cause = running === '' ? 'All tests are done and something keeps the process alive' : `It hangs in ${running}`
    this.#fail(`Nothing was heard for ${silenceMs / 1000} s. ${cause}.`)
    this.#ended = true
  }

  end(/** @type {number | null} */ code, /** @type {string | null} */ signal) {
    this.#printFile()
    const how = signal ?? `exit code ${code}`
    if (!this.#ended)
      this.#fail(`The process of the tests ended before they did (${how}): an error or an exit outside a test.`)
    else if (code !== 0 && this.#failedHere === 0)
      this.#fail(`The process of the tests ended with ${how}, after all had passed.`)
  }

  #fail(/** @type {string} */ name, detail = '') {
    this.#failedHere += 1
    this.#outcome.totals.fail += 1
    this.#outcome.failures.push(name)
    console.log(`✖ ${name}${detail}`)
  }

  #result(/** @type {Event} */ event) {
    this.#path.splice(event.nesting, Infinity, event.name)
    if (event.skip === leftOut) return
    const { totals, skips } = this.#outcome
    const name = `${place(event)} ${this.#path.join(' › ')}`
    this.#inFile(event)
    totals[event.kind === 'suite' ? 'suites' : 'tests'] += 1
    if (event.todo !== undefined) totals.todo += 1
    else if (event.skip !== undefined) {
      totals.skipped += 1
      skips.push(typeof event.skip === 'string' && event.skip !== '' ? `${name}: ${event.skip}` : name)
    } else if (event.type === 'test:fail') this.#failure(name, event)
    else if (event.kind !== 'suite') totals.pass += 1
  }

  #failure(/** @type {string} */ name, /** @type {Event} */ { kind, failure }) {
    // What failed inside has been named already; node counts the test around it too, and not the suite.
    if (failure?.type !== 'subtestsFailed') this.#fail(name, `\n${indent(failure?.text ?? '')}`)
    else if (kind !== 'suite') this.#outcome.totals.fail += 1
    else this.#failedHere += 1
  }

  #inFile(/** @type {Event} */ { file, type, kind, nesting, durationMs }) {
    const name = file === undefined ? 'tests' : shortName(file)
    if (this.#file?.name !== name) {
      this.#printFile()
      this.#file = { name, tests: 0, failed: 0, durationMs: 0 }
    }
    if (kind !== 'suite') this.#file.tests += 1
    if (type === 'test:fail') this.#file.failed += 1
    if (nesting === 0) this.#file.durationMs += durationMs ?? 0
  }

  #printFile() {
    if (this.#file === null) return
    const { name, tests, failed, durationMs } = this.#file
    const count = `${tests} ${tests === 1 ? 'test' : 'tests'}`
    console.log(`${failed > 0 ? '✖' : '✔'} ${name}  ${count}  ${Math.ceil(durationMs)} ms`)
    this.#file = null
  }

  /** Node's runner closes with its totals; any other line is a warning, or something that a test has to say. */
  #diagnostic(/** @type {string} */ message) {
    if (/^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message)) this.#ended = true
    else console.log(`  ${message}`)
  }
}

function place(/** @type {Event} */ { file, line, name }) {
  return file === undefined ? name : `${shortName(file)}:${line}`
}

function shortName(/** @type {string} */ file) {
  return relative(projectRoot, file.startsWith('file:') ? fileURLToPath(file) : file)
}

function indent(/** @type {string} */ text) {
  return text.replace(/^/gm, '    ')
}
