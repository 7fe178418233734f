import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the clone. Every script works there, wherever it was called from. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '')

export function inProject(/** @type {string[]} */ ...names) {
  return join(projectRoot, ...names)
}

/** A command of a development dependency. */
export function tool(/** @type {string} */ name) {
  return inProject('node_modules', '.bin', name)
}

/**
 * Runs a command in the project and collects what it prints.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, show?: boolean, env?: NodeJS.ProcessEnv }} [options] `show` prints as it comes
 * @returns {Promise<{ ok: boolean, code: number | null, output: string }>} output and errors in the order they came
 */
export function runCommand(command, args, { cwd = projectRoot, show = false, env = process.env } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (/** @type {string} */ text) => (output += text))
    }
    child.on('error', (error) => resolve({ ok: false, code: null, output: `${command}: ${error.message}\n` }))
    child.on('close', (code) => resolve({ ok: code === 0, code, output }))
  })
}

/**
 * One line for the person who runs the script, then the end. A stack of our own scripts helps nobody.
 * @param {string} line
 * @returns {never}
 */
export function fail(line) {
  console.error(line)
  process.exit(1)
}

/**
 * Reads the arguments of a script; wrong ones are told in one line above the usage, and end it with code 2.
 * @template Read
 * @param {() => Read} read
 * @param {string} usage
 */
export function argumentsOr(read, usage) {
  try {
    return read()
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exit(2)
  }
}

export function seconds(/** @type {number} */ sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}
