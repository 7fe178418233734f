import { connect } from 'node:net'
import { EXIT_CODES, FleetstepError } from '../../base/errors.ts'
import type { Child, Children } from './children.ts'
import { type Patience, until } from './until.ts'

/** Where the gateways of the demo meet. */
export interface DemoBroker {
  readonly url: string
  /** For people: whose it is, and where. */
  readonly text: string
  stop(): Promise<void>
}

/**
 * Starts a broker in a process of its own, on MQTT's usual port if that is free. It says itself where it listens: on the usual port
 * the broker of another demo, which begins at the same moment, may answer.
 */
export async function startBroker(children: Children, patience: Patience): Promise<DemoBroker> {
  const usual = startOn(USUAL_PORT, children)
  const url = await readyUrl(usual, children, patience)
  if (url !== null) return { url, text: `an embedded broker on ${placeOf(url)}`, stop: () => usual.stop() }
  if (usual.end() !== PORT_IN_USE) throw children.failure(usual)
  const child = startOn(0, children)
  const otherUrl = await readyUrl(child, children, patience)
  if (otherUrl === null) throw children.failure(child)
  const text = `an embedded broker on ${placeOf(otherUrl)}, because ${USUAL_PORT} is in use`
  return { url: otherUrl, text, stop: () => child.stop() }
}

const PORT_IN_USE = `exit code ${EXIT_CODES['port-in-use']}`

function startOn(port: number, children: Children): Child {
  return children.start('broker', ['broker', '--host', HOST, '--port', String(port)], 'start')
}

/** Null if it has ended. */
async function readyUrl(child: Child, children: Children, patience: Patience): Promise<string | null> {
  let url: string | null = null
  await until(async () => {
    url = /^broker ready on (\S+)$/.exec(children.words(child) ?? '')?.[1] ?? null
    return url !== null || child.end() !== null ? null : 'the broker is not ready'
  }, patience)
  return child.end() === null ? url : null
}

function placeOf(url: string): string {
  return new URL(url).host
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
