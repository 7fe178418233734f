import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { FleetstepError } from '../base/errors.ts'
import {
  CONTROL_BACKLOG_BYTES_MAX,
  CONTROL_CONNECTIONS_MAX,
  CONTROL_LINE_BYTES_MAX,
  CONTROL_PATH_BYTES_MAX,
  CONTROL_WATCHES_MAX,
} from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import { problemOfControlFolder } from './control-path.ts'
import { type ControlAnswer, parseRequest } from './control-protocol.ts'

/** Answers a request. `emit` sends events after the answer; `onEnd` is called when the connection is gone. */
export type ControlHandler = (
  method: string,
  params: Readonly<Record<string, unknown>>,
  stream: { readonly emit: (event: unknown) => void; readonly onEnd: (callback: () => void) => void },
) => unknown

export interface ControlServer {
  readonly path: string
  close(): Promise<void>
}

/**
 * Listens on a Unix socket that only the daemon's user may use.
 * @throws FleetstepError `daemon-running` if another daemon answers there, `config-invalid` if the path cannot be used
 */
export async function startControlServer(
  path: string,
  handler: ControlHandler,
  logger: Logger,
): Promise<ControlServer> {
  if (Buffer.byteLength(path) > CONTROL_PATH_BYTES_MAX) {
    throw unusable(path, `it has more than ${CONTROL_PATH_BYTES_MAX} bytes`)
  }
  makeDirectory(path)
  if (await isAnswered(path)) {
    throw new FleetstepError(
      'daemon-running',
      `another gateway answers on ${path}: end it, or give this one another device name`,
    )
  }
  removeStale(path)
  const connections = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    if (connections.size >= CONTROL_CONNECTIONS_MAX) {
      endWith(socket, new FleetstepError('limit-reached', `${CONTROL_CONNECTIONS_MAX} connections are open already`))
      return
    }
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    serve(socket, handler, logger)
  })
  await listen(server, path)
  server.on('error', (error) => logger.error(`control socket ${path}: ${error.message}`))
  chmodSync(path, 0o600)
  return {
    path,
    close: async () => {
      for (const socket of connections) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function serve(socket: Socket, handler: ControlHandler, logger: Logger): void {
  /** Of a line that has not ended, in the pieces in which it came. */
  let pieces: string[] = []
  let pendingLength = 0
  const onEnd = endsOf(socket)
  // Whoever ends its own side, as `nc -N` does, still reads what was not answered yet.
  let unanswered = 0
  let isLast = false
  const hangUp = (): void => {
    if (isLast && unanswered === 0) socket.end()
  }
  socket.on('end', () => {
    isLast = true
    hangUp()
  })
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    const [first = '', ...others] = text.split('\n')
    pieces.push(first)
    pendingLength += first.length
    if (others.length > 0) {
      const rest = others.pop() ?? ''
      const lines = [pieces.join(''), ...others]
      pieces = [rest]
      pendingLength = rest.length
      unanswered += 1
      void answerAll(socket, lines, handler, onEnd, logger).finally(() => {
        unanswered -= 1
        hangUp()
      })
    }
    if (pendingLength <= CONTROL_LINE_BYTES_MAX) return
    pieces = []
    socket.removeAllListeners('data').resume()
    endWith(
      socket,
      new FleetstepError('request-invalid', `a request has at most ${CONTROL_LINE_BYTES_MAX} bytes in one line`),
    )
  })
}

/**
 * One in each turn, so that whoever asks for much and reads nothing is let go before all of it is done.
 * @returns when all that were begun are answered
 */
async function answerAll(
  socket: Socket,
  lines: readonly string[],
  handler: ControlHandler,
  onEnd: (callback: () => void) => void,
  logger: Logger,
): Promise<void> {
  const answers: Promise<void>[] = []
  socket.pause()
  for (const line of lines) {
    if (line.trim() === '') continue
    answers.push(answer(socket, line, handler, onEnd, logger))
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    if (socket.destroyed) return
  }
  socket.resume()
  await Promise.all(answers)
}

/** What is called when the connection is gone: of everything that it watches. */
function endsOf(socket: Socket): (callback: () => void) => void {
  const callbacks: (() => void)[] = []
  socket.once('close', () => {
    for (const callback of callbacks) callback()
  })
  return (callback) => {
    if (callbacks.length < CONTROL_WATCHES_MAX && !socket.destroyed) return void callbacks.push(callback)
    callback()
    throw new FleetstepError('limit-reached', `a connection watches at most ${CONTROL_WATCHES_MAX} things`)
  }
}

/** Says why and hangs up; whoever goes on sending must not hold the connection open. */
function endWith(socket: Socket, error: FleetstepError): void {
  socket.write(lineOf(failure(null, error)))
  socket.destroySoon()
}

async function answer(
  socket: Socket,
  line: string,
  handler: ControlHandler,
  onEnd: (callback: () => void) => void,
  logger: Logger,
): Promise<void> {
  let id: number | null = null
  const send = (message: ControlAnswer): void => {
    if (!socket.writable) return
    // Who does not read is let go, and can come back and read the state. One answer may be larger than the backlog.
    if (socket.writableLength > CONTROL_BACKLOG_BYTES_MAX) socket.destroy()
    else socket.write(lineOf(message))
  }
  try {
    const request = parseRequest(line)
    id = request.id
    const { id: number, method, params } = request
    const stream = { emit: (event: unknown) => send({ id: number, event }), onEnd }
    send({ id: number, result: (await handler(method, params, stream)) ?? null })
  } catch (error) {
    if (!(error instanceof FleetstepError)) logger.error(`control: ${String(error)}`, { error })
    send(failure(id, error))
  }
}

function failure(id: number | null, error: unknown): ControlAnswer {
  const code = error instanceof FleetstepError ? error.code : 'internal'
  return { id, error: { code, message: error instanceof Error ? error.message : String(error) } }
}

function lineOf(message: ControlAnswer): string {
  return `${JSON.stringify(message)}\n`
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw unusable(path, describe(cause), cause)
  }
  const problem = problemOfControlFolder(path)
  if (problem !== null) throw unusable(path, problem)
}

/**
 * A socket file without a listener is what a killed daemon leaves behind. Only a refusal says that there is none: one of another
 * user, or one that has no time, cannot be asked and lives all the same.
 */
async function isAnswered(path: string): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (cause) => {
      const code = describe(cause)
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false)
      else reject(unusable(path, code, cause))
    })
  })
}

function removeStale(path: string): void {
  try {
    // A wrong word in the config must not cost a file.
    if (!lstatSync(path).isSocket()) throw unusable(path, 'what is there is no socket')
    unlinkSync(path)
  } catch (cause) {
    if (cause instanceof FleetstepError) throw cause
    if (describe(cause) !== 'ENOENT') throw unusable(path, describe(cause), cause)
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error): void => reject(unusable(path, describe(cause), cause))
    server.once('error', refuse)
    server.listen(path, () => {
      server.off('error', refuse)
      resolve()
    })
  })
}

function unusable(path: string, problem: string, cause?: unknown): FleetstepError {
  return new FleetstepError(
    'config-invalid',
    `cannot use the control socket ${path}: ${problem}; set controlSocket in the config to a short path that you may write`,
    { cause },
  )
}

function describe(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}
