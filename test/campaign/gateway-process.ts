import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { CONTROL_TIMEOUT_MS } from '../../runtime/base/limits.ts'
import { type ControlClient, connectControl } from '../../runtime/gateway/control-client.ts'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'

export interface GatewayProcessOptions {
  readonly name: string
  /** Words before the command: the namespace in which it runs. */
  readonly on: readonly string[]
  readonly folder: string
  /** What node runs of a release. @param release the folder of its program and its library, as `dist` */
  readonly command: (release: string) => readonly string[]
  readonly release: string
  /** The library that shows it another time of day, or null. */
  readonly clockLibrary: string | null
  /** Told of each end that nobody had asked for. */
  readonly onEnd: (code: number | null, lastWords: string) => void
  /** Told of each connection to a started daemon. */
  readonly onConnected: (watch: ControlClient) => void
}

/** The same daemon, or application, over all of its starts, as its supervisor and its users see it. */
export class GatewayProcess {
  readonly name: string
  readonly socket: string
  readonly #options: GatewayProcessOptions
  readonly #log: string
  readonly #clockFile: string
  #child: ChildProcess | null = null
  #clients: ControlClient[] = []
  #client: Promise<ControlClient> | null = null
  #isWanted = false
  #release: string
  /** Processes that something still writes for: the guard of the outputs outlives its daemon. */
  readonly #unread = new Set<Promise<unknown>>()
  starts = 0
  /** The signal by which its last process ended, or null. */
  endedBy: NodeJS.Signals | null = null

  constructor(options: GatewayProcessOptions) {
    this.#options = options
    this.#release = options.release
    this.name = options.name
    this.socket = join(options.folder, 'run', 'fleetstep', `${options.name}.sock`)
    this.#log = join(options.folder, `${options.name}.log`)
    this.#clockFile = join(options.folder, `${options.name}.clock`)
    this.showTime('+0')
  }

  get isRunning(): boolean {
    return this.#child !== null
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** Resolves once it answers. */
  async start(): Promise<void> {
    this.#isWanted = true
    const child = this.#spawn(this.#release)
    this.#child = child
    this.starts += 1
    child.stderr.on('data', (text: Buffer) => appendFileSync(this.#log, text))
    const read = once(child, 'close')
    this.#unread.add(read)
    void read.finally(() => this.#unread.delete(read))
    child.once('exit', (code, signal) => this.#noteExit(child, code, signal, read))
    const ready = Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
    await ready
    if (this.#child !== child) return
    const watch = await connectControl(this.socket).catch(() => null)
    if (watch === null) return
    this.#clients.push(watch)
    this.#options.onConnected(watch)
  }

  /** From its next start on it is another release. */
  useRelease(release: string): void {
    this.#release = release
  }

  /** What another release says that is started on its data in its place, and ends again. */
  async tryRelease(release: string): Promise<{ readonly code: number | null; readonly text: string }> {
    const child = this.#spawn(release)
    let text = ''
    const note = (some: Buffer): void => {
      text += some.toString()
      if (text.includes('"controlSocket"')) child.kill('SIGTERM')
    }
    child.stderr.on('data', note)
    child.stdout.on('data', note)
    await once(child, 'close')
    return { code: child.exitCode, text }
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Resolves once nothing of it is left, the guard of its outputs neither. */
  async gone(): Promise<void> {
    await Promise.all(this.#unread)
  }

  /** It stands still as a machine does whose disk or bus hangs; time goes on. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Whether its process stands still, as the kernel says. */
  get isFrozen(): boolean {
    if (this.pid === null) return false
    try {
      return readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(' ')[2] === 'T'
    } catch {
      return false
    }
  }

  /** @param offset of its time of day from ours, as `+7d` or `-20y` */
  showTime(offset: string): void {
    writeFileSync(this.#clockFile, `${offset}\n`)
  }

  /** @throws FleetstepError as the daemon says, or `daemon-unreachable` */
  async call(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#client ??= this.#connect()
    const client = await this.#client
    return await client.call(method, params)
  }

  /** The same once: of a gateway that stands still for a while there is none. */
  async statusNow(): Promise<GatewayStatus> {
    return (await this.call('status')) as GatewayStatus
  }

  /** One that is too busy to answer is asked again. @throws FleetstepError `daemon-unreachable` if it does not even then */
  async status(): Promise<GatewayStatus> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.statusNow()
      } catch (error) {
        const isBusy = error instanceof FleetstepError && error.code === 'daemon-unreachable' && this.isRunning
        if (!isBusy || attempt === ATTEMPTS_MAX) throw error
      }
    }
  }

  /** KiB of memory that it holds, or null. */
  rssKib(): number | null {
    if (this.pid === null) return null
    try {
      const pages = Number(readFileSync(`/proc/${this.pid}/statm`, 'utf8').split(' ')[1])
      return pages * 4
    } catch {
      return null
    }
  }

  /** Time of the processor that it has used since its start, or null. */
  cpuMs(): number | null {
    if (this.pid === null) return null
    try {
      const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(' ')
      return (Number(fields[13]) + Number(fields[14])) * 10
    } catch {
      return null
    }
  }

  /** Sent over the network of its machine since that was made, or null while the process is down. */
  sentBytes(): number | null {
    if (this.pid === null) return null
    try {
      const wire = readFileSync(`/proc/${this.pid}/net/dev`, 'utf8')
        .split('\n')
        .find((line) => line.trim().startsWith('wire:'))
      return Number(wire?.split(':')[1]?.trim().split(/\s+/)[8])
    } catch {
      return null
    }
  }

  get log(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8') : ''
  }

  async #connect(): Promise<ControlClient> {
    let client: ControlClient | null = null
    const forget = (): void => {
      this.#client = null
      const left = client
      // Whoever stands still would find all of them open when it goes on, and turn the next one away. Others may still wait for
      // an answer on it.
      setTimeout(() => {
        left?.close()
        this.#clients = this.#clients.filter((one) => one !== left)
      }, CONTROL_TIMEOUT_MS).unref()
    }
    try {
      client = await connectControl(this.socket)
      this.#clients.push(client)
      const { call } = client
      return { ...client, call: async (method, params) => await call(method, params).catch(orForget(forget)) }
    } catch (error) {
      forget()
      throw error
    }
  }

  #spawn(release: string): ChildProcess & { readonly stdout: Readable; readonly stderr: Readable } {
    const { on, command, folder } = this.#options
    const words = [...on, process.execPath, ...command(release)]
    const environment = { ...process.env, XDG_RUNTIME_DIR: join(folder, 'run'), ...this.#clockEnvironment() }
    return spawn('ip', words, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  #clockEnvironment(): NodeJS.ProcessEnv {
    const { clockLibrary } = this.#options
    if (clockLibrary === null) return {}
    return {
      LD_PRELOAD: clockLibrary,
      FAKETIME_TIMESTAMP_FILE: this.#clockFile,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_CACHE_DURATION: '1',
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#isWanted = false
    const child = this.#child
    if (child === null) return
    const exited = once(child, 'exit')
    const read = once(child, 'close')
    child.kill(signal)
    child.kill('SIGCONT')
    await exited
    await lastWords(read)
  }

  #noteExit(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null, read: Promise<unknown>): void {
    if (this.#child !== child) return
    this.#child = null
    this.endedBy = signal
    this.#client = null
    for (const client of this.#clients) client.close()
    this.#clients = []
    if (!this.#isWanted) return
    void lastWords(read).then(() => this.#options.onEnd(code, this.log.trimEnd().split('\n').slice(-3).join(' | ')))
  }
}

/** What a process says at last is read before `close`, and not always before `exit`; but a guard of its outputs may go on for longer. */
async function lastWords(read: Promise<unknown>): Promise<void> {
  await Promise.race([read, sleep(LAST_WORDS_MS)])
}

const LAST_WORDS_MS = 300

/** How often a daemon is asked that does not answer within CONTROL_TIMEOUT_MS: a machine on which others run is slow. */
const ATTEMPTS_MAX = 6

/** A connection that did not answer is not used again: the daemon may have been started anew. */
function orForget(forget: () => void): (error: unknown) => never {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'daemon-unreachable') forget()
    throw error
  }
}
