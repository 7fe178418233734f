import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inProject, runCommand } from './project.mjs'

/** A gateway without a broker or cable to wait for is ready in well under a second; a slow board takes a few. */
const readyWithinMs = 15_000

/** By then everything is loaded, and a first attempt to connect is over. */
const restAfterMs = 2000

const program = inProject('dist', 'cli.js')

/** Prints the CPU time of the process as its last word, on its error stream. */
const cpuAtExit = `data:text/javascript,${encodeURIComponent(
  "process.on('exit', () => { const { user, system } = process.cpuUsage(); process.stderr.write('cpu-us ' + (user + system)) })",
)}`

/**
 * Runs a command of the program to its end.
 * @param {readonly string[]} args
 * @returns {Promise<{ cpuMs: number, wallMs: number } | { missing: string }>}
 */
export async function measureCommand(args) {
  const startedMs = performance.now()
  const { ok, output } = await runCommand(process.execPath, ['--import', cpuAtExit, program, ...args])
  const wallMs = performance.now() - startedMs
  const cpuUs = /cpu-us (\d+)$/.exec(output)?.[1]
  if (!ok || cpuUs === undefined) return { missing: `fleetstep ${args.join(' ')} failed: ${firstLine(output)}` }
  return { cpuMs: Number(cpuUs) / 1000, wallMs }
}

/**
 * Starts a gateway with a data directory of its own, measures it when it says that it is ready, and ends it.
 * CPU and memory are read from /proc, so this needs Linux.
 * @returns {Promise<{ cpuMs: number, wallMs: number, rssMib: number } | { missing: string }>}
 */
export async function measureGateway() {
  if (process.platform !== 'linux') return { missing: 'CPU time and RSS are read from /proc, which is Linux' }
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-budget-'))
  const config = join(folder, 'gateway.yaml')
  writeFileSync(config, gatewayConfig(folder))
  try {
    return await measureUntilReady([program, 'run', '--node-id', 'budget', '--config', config])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The same of Node that does nothing: what no program in it can go below on this machine. */
export async function measureBareNode() {
  if (process.platform !== 'linux') return { missing: 'CPU time and RSS are read from /proc, which is Linux' }
  return await measureUntilReady(['--eval', "console.log('ready'); setInterval(() => {}, 1000)"])
}

/**
 * @param {readonly string[]} args of Node
 * @returns {Promise<{ cpuMs: number, wallMs: number, rssMib: number } | { missing: string }>}
 */
async function measureUntilReady(args) {
  const startedMs = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => child.on('close', resolve))
  try {
    const obstacle = await readyLine(child)
    if (obstacle !== null) return { missing: obstacle }
    const atReady = { wallMs: performance.now() - startedMs, cpuMs: cpuMs(child.pid ?? 0) }
    // What is loaded once the gateway is ready, the MQTT client above all, belongs to its rest.
    await new Promise((resolve) => setTimeout(resolve, restAfterMs))
    return { ...atReady, rssMib: rssMib(child.pid ?? 0) }
  } finally {
    child.kill('SIGTERM')
    const alarm = setTimeout(() => child.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(alarm)
  }
}

/** A gateway as it stands on a machine: the machine's own readings, and a broker that is away, which it keeps trying. */
function gatewayConfig(/** @type {string} */ folder) {
  return [
    'fleet: { name: budget }',
    `dataDirectory: ${join(folder, 'data')}`,
    `controlSocket: ${join(folder, 'control.sock')}`,
    'profile: generic-linux',
    // Port 9 (discard, RFC 863) is closed on any machine that does not offer it on purpose.
    'links: [{ kind: mqtt, servers: ["mqtt://127.0.0.1:9"] }]',
    '',
  ].join('\n')
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<string | null>} null when the line came, else why not
 */
function readyLine(child) {
  return new Promise((resolve) => {
    let output = ''
    const alarm = setTimeout(
      () => resolve(`no line "ready" within ${readyWithinMs} ms: ${firstLine(output)}`),
      readyWithinMs,
    )
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
        output += text
        if (/\bready\b/.test(output)) settle(null)
      })
    }
    child.on('error', (error) => settle(error.message))
    child.on('close', (code) => settle(`fleetstep run ended with ${code}: ${firstLine(output)}`))
    function settle(/** @type {string | null} */ result) {
      clearTimeout(alarm)
      resolve(result)
    }
  })
}

/** Time on a core of all threads, in nanoseconds, is the first figure of schedstat (proc(5)). */
function cpuMs(/** @type {number} */ pid) {
  const threads = readdirSync(`/proc/${pid}/task`)
  const ns = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  )
  return ns.reduce((sum, one) => sum + one, 0) / 1e6
}

function rssMib(/** @type {number} */ pid) {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}

function firstLine(/** @type {string} */ output) {
  return output.trim().split('\n', 1)[0] ?? ''
}
