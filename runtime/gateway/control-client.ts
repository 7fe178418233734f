import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { EXIT_CODES, type ErrorCode, FleetstepError } from '../base/errors.ts'
import { CONTROL_TIMEOUT_MS } from '../base/limits.ts'
import { controlDirectory, problemOfControlFolder } from './control-path.ts'
import { isRecord } from './control-protocol.ts'

/** One connection to a daemon. */
export interface ControlClient {
  readonly path: string
  /** @throws FleetstepError with the daemon's own code, or `daemon-unreachable` */
  call(method: string, params?: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Calls back for each event of a watch; resolves when the connection has ended. */
  watch(method: string, params: Readonly<Record<string, unknown>>, onEvent: (event: unknown) => void): Promise<void>
  close(): void
}

/** The sockets of the daemons that run on this machine under this user, by name. */
export function listControlSockets(): string[] {
  try {
    const files = readdirSync(controlDirectory()).filter((file) => file.endsWith('.sock'))
    return files.sort().map((file) => join(controlDirectory(), file))
  } catch {
    return []
  }
}

/** @throws FleetstepError `daemon-unreachable` */
export async function connectControl(path: string): Promise<ControlClient> {
  const problem = problemOfControlFolder(path)
  if (problem !== null) {
    throw new FleetstepError(
      'daemon-unreachable',
      `nothing is asked of ${path}: ${problem}; set XDG_RUNTIME_DIR, or name a socket with --socket PATH`,
    )
  }
  const socket = connect(path)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (cause) => reject(notConnected(path, cause)))
  })
  return clientOn(socket, path)
}

/** Only a refusal says that nobody is there. */
function notConnected(path: string, cause: Error): FleetstepError {
  const code = 'code' in cause ? String(cause.code) : cause.message
  const isThere = code === 'EACCES' || code === 'EAGAIN'
  const message = isThere
    ? `the gateway on ${path} cannot be asked (${code}): ask as the user that it runs under, and look whether it stands still`
    : `no gateway answers on ${path}: start one with fleetstep run --config FILE`
  return new FleetstepError('daemon-unreachable', message, { cause })
}

interface PendingCall {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
  readonly onEvent: ((event: unknown) => void) | null
}

function clientOn(socket: Socket, path: string): ControlClient {
  const pending = new PendingCalls(path)
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => {
      pending.end(
        unreachable(
          `the gateway on ${path} has ended before its answer: a change that was asked for may be in its state`,
        ),
      )
      resolve()
    })
  })
  readLines(socket, (line) => {
    if (!pending.settle(line)) socket.destroy()
  })
  const request = async (
    method: string,
    params: Readonly<Record<string, unknown>>,
    onEvent: PendingCall['onEvent'],
  ): Promise<unknown> => {
    const { id, answer } = pending.add(onEvent)
    socket.write(`${JSON.stringify({ id, method, params })}\n`)
    return await answer
  }
  return {
    path,
    call: async (method, params = {}) => await request(method, params, null),
    watch: async (method, params, onEvent) => {
      await request(method, params, onEvent)
      await ended
    },
    close: () => socket.destroy(),
  }
}

/** The requests of one connection that wait for their answer, and the watches, which stay. */
class PendingCalls {
  readonly #path: string
  readonly #calls = new Map<number, PendingCall>()
  #lastId = 0
  #problem: Error | null = null

  constructor(path: string) {
    this.#path = path
  }

  add(onEvent: PendingCall['onEvent']): { id: number; answer: Promise<unknown> } {
    this.#lastId += 1
    const id = this.#lastId
    const answer = new Promise((resolve, reject) => {
      if (this.#problem !== null) return reject(this.#problem)
      const late = unreachable(
        `the gateway on ${this.#path} has not answered within ${CONTROL_TIMEOUT_MS / 1000} s: it stands still or has too much to do; a change that was asked for may still be made`,
      )
      const timer = setTimeout(() => reject(late), CONTROL_TIMEOUT_MS)
      const forget = (): void => {
        clearTimeout(timer)
        if (onEvent === null) this.#calls.delete(id)
      }
      this.#calls.set(id, {
        resolve: (result) => (forget(), resolve(result)),
        reject: (error) => (forget(), reject(error)),
        onEvent,
      })
    })
    return { id, answer }
  }

  /** @returns false for what no daemon says: something else listens there */
  settle(line: string): boolean {
    const answer = parseAnswer(line)
    if (answer === null) return false
    const call = this.#calls.get(Number(answer['id']))
    if ('event' in answer) call?.onEvent?.(answer['event'])
    // Without an id it is about the connection: the daemon turns it away.
    else if (isRecord(answer['error']) && answer['id'] === null) this.end(errorFrom(answer['error']))
    else if (isRecord(answer['error'])) call?.reject(errorFrom(answer['error']))
    else call?.resolve(answer['result'])
    return true
  }

  /** Nothing is answered any more; the first reason is the one that counts. */
  end(problem: Error): void {
    this.#problem ??= problem
    for (const call of this.#calls.values()) call.reject(this.#problem)
  }
}

function unreachable(message: string): FleetstepError {
  return new FleetstepError('daemon-unreachable', message)
}

function readLines(socket: Socket, onLine: (line: string) => void): void {
  // A large answer comes in many pieces, which are joined once.
  let pieces: string[] = []
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    const [first = '', ...others] = text.split('\n')
    pieces.push(first)
    for (const next of others) {
      onLine(pieces.join(''))
      pieces = [next]
    }
  })
}

function parseAnswer(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const answer: unknown = JSON.parse(line)
    return isRecord(answer) ? answer : null
  } catch {
    return null
  }
}

/** A code that this program does not know comes from a newer daemon. */
function errorFrom(error: Readonly<Record<string, unknown>>): Error {
  const code = String(error['code'])
  if (code === 'internal') return new Error(`in the gateway: ${String(error['message'])}`)
  const known = code in EXIT_CODES ? (code as ErrorCode) : 'request-invalid'
  return new FleetstepError(known, String(error['message']))
}
