import { connect, createServer, type AddressInfo } from 'node:net'
import { FleetstepError } from '../../base/errors.ts'
import type { Children } from './children.ts'
import { type Patience, until } from './until.ts'

/** Where the gateways of the demo meet. */
export interface DemoBroker {
  readonly url: string
  /** For people: whose it is, and where. */
  readonly text: string
  stop(): Promise<void>
}

/** Starts a broker in a process of its own, on MQTT's usual port if that is free. */
export async function startBroker(children: Children, patience: Patience): Promise<DemoBroker> {
  const port = (await isFree(USUAL_PORT)) ? USUAL_PORT : await freePort()
  const child = children.start('broker', ['broker', '--host', HOST, '--port', String(port)], 'start')
  await until(async () => {
    if (child.end() !== null) throw children.failure(child)
    return (await answers(HOST, port)) ? null : `the broker does not answer on ${HOST}:${port}`
  }, patience)
  const reason = port === USUAL_PORT ? '' : `, because ${USUAL_PORT} is in use`
  return {
    url: `mqtt://${HOST}:${port}`,
    text: `an embedded broker on ${HOST}:${port}${reason}`,
    stop: () => child.stop(),
  }
}

/** A broker that is there already. @throws FleetstepError `broker-unreachable`, `usage` */
export async function useBroker(url: string): Promise<DemoBroker> {
  const { hostname, port, label } = addressOf(url)
  if (!(await answers(hostname, port))) {
    throw new FleetstepError(
      'broker-unreachable',
      `no broker answers on ${label}: start it, or leave --broker out, and the demo brings its own`,
    )
  }
  return { url, text: `the broker on ${label}`, stop: async () => undefined }
}

const HOST = '127.0.0.1'
/** Port of MQTT without TLS (IANA). */
const USUAL_PORT = 1883
/** Longest time for a broker to take a connection. */
const ANSWER_TIMEOUT_MS = 3000

/** `label` is for people, without user and password. */
function addressOf(url: string): { hostname: string; port: number; label: string } {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null || !/^mqtts?:$/.test(parsed.protocol) || parsed.hostname === '') {
    const shown = url.replace(/\/\/[^/]*@/, '//')
    throw new FleetstepError('usage', `--broker ${shown} is not an address: write mqtt://host:port`)
  }
  const usual = parsed.protocol === 'mqtts:' ? 8883 : USUAL_PORT
  const port = parsed.port === '' ? usual : Number(parsed.port)
  const label = `${parsed.protocol}//${parsed.hostname}:${port}`
  return { hostname: parsed.hostname.replace(/^\[|\]$/g, ''), port, label }
}

async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: ANSWER_TIMEOUT_MS })
  const answered = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('timeout', () => resolve(false))
  })
  socket.destroy()
  return answered
}

async function isFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== null
}

async function freePort(): Promise<number> {
  const port = await listenOnce(0)
  if (port === null) throw new FleetstepError('port-in-use', `no port of ${HOST} is free: end a program that listens`)
  return port
}

async function listenOnce(port: number): Promise<number | null> {
  const server = createServer()
  return await new Promise((resolve) => {
    server.once('error', () => resolve(null))
    server.listen({ host: HOST, port }, () => {
      const address: AddressInfo | string | null = server.address()
      const taken = typeof address === 'object' && address !== null ? address.port : null
      server.close(() => resolve(taken))
    })
  })
}
