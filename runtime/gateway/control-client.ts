import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { EXIT_CODES, type ErrorCode, FleetstepError } from '../base/errors.ts'
import { CONTROL_TIMEOUT_MS } from '../base/limits.ts'
import { controlDirectory } from './control-path.ts'
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
  const socket = connect(path)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (cause) => {
      reject(
        new FleetstepError(
          'daemon-unreachable',
          `no gateway answers on ${path}: start one with fleetstep run --config FILE`,
          { cause },
        ),
      )
    })
  })
  return clientOn(socket, path)
}

interface PendingCall {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: FleetstepError) => void
  readonly onEvent: ((event: unknown) => void) | null
}

function clientOn(socket: Socket, path: string): ControlClient {
  const pending = new Map<number, PendingCall>()
  let lastId = 0
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => {
      const gone = new FleetstepError('daemon-unreachable', `the gateway on ${path} has ended`)
      for (const call of pending.values()) call.reject(gone)
      resolve()
    })
  })
  readLines(socket, (line) => settle(pending, line))
  const request = async (
    method: string,
    params: Readonly<Record<string, unknown>>,
    onEvent: PendingCall['onEvent'],
  ): Promise<unknown> => {
    lastId += 1
    const id = lastId
    socket.write(`${JSON.stringify({ id, method, params })}\n`)
    return await new Promise((resolve, reject) => {
      const late = new FleetstepError(
        'daemon-unreachable',
        `the gateway on ${path} has not answered within ${CONTROL_TIMEOUT_MS} ms`,
      )
      const timer = setTimeout(() => reject(late), CONTROL_TIMEOUT_MS)
      const done =
        <T>(settleCall: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer)
          if (onEvent === null) pending.delete(id)
          settleCall(value)
        }
      pending.set(id, { resolve: done(resolve), reject: done(reject), onEvent })
    })
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

function readLines(socket: Socket, onLine: (line: string) => void): void {
  let pending = ''
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    const lines = (pending + text).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}

function settle(pending: ReadonlyMap<number, PendingCall>, line: string): void {
  const answer: unknown = JSON.parse(line)
  if (!isRecord(answer)) return
  const call = pending.get(Number(answer['id']))
  if ('event' in answer) call?.onEvent?.(answer['event'])
  else if (isRecord(answer['error'])) call?.reject(errorFrom(answer['error']))
  else call?.resolve(answer['result'])
}

function errorFrom(error: Readonly<Record<string, unknown>>): FleetstepError {
  const code = String(error['code'])
  const known = code in EXIT_CODES ? (code as ErrorCode) : 'request-invalid'
  return new FleetstepError(known, String(error['message']))
}
