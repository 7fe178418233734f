import { FleetstepError } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'

/** One broker, read from its URL. */
export interface Server {
  readonly protocol: 'mqtt' | 'mqtts'
  readonly host: string
  readonly port: number
  readonly username: string | null
  readonly password: string | null
  /** The URL without user and password, for people. */
  readonly label: string
}

/** Certificates and keys in PEM, read by the caller. `cert` and `key` belong together. */
export interface TlsFiles {
  readonly ca?: Buffer | undefined
  readonly cert?: Buffer | undefined
  readonly key?: Buffer | undefined
}

/** What both sides show each other; all of one authority. */
export interface MutualTls {
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
}

/**
 * @param urls one or more of `mqtt://host:1883` and `mqtts://host:8883`; user and password may stand in them
 * @throws FleetstepError `config-invalid`
 */
export function parseServers(urls: readonly string[], tls: TlsFiles): readonly Server[] {
  if (urls.length === 0) throw invalid('no MQTT server is given: name at least one, such as mqtt://127.0.0.1:1883')
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalid('the TLS client certificate needs both cert and key: give the missing one, or neither')
  }
  const servers = urls.map(parseServer)
  const plain = servers.find((server) => server.protocol === 'mqtt')
  if (plain !== undefined && (tls.ca !== undefined || tls.cert !== undefined)) {
    throw invalid(`${plain.label} would not use the TLS files that are given: write mqtts:// and the port of TLS`)
  }
  return servers
}

/** Where a node begins to try, so that a fleet spreads over the brokers of a cluster. */
export function firstServer(node: NodeId, count: number): number {
  return Number.parseInt(node.slice(-8), 16) % count
}

function parseServer(url: string): Server {
  const parsed = URL.canParse(url) ? new URL(url) : null
  const protocol = parsed?.protocol.slice(0, -1)
  if (parsed === null || parsed.hostname === '' || (protocol !== 'mqtt' && protocol !== 'mqtts')) {
    const shown = url.replace(/\/\/[^/]*@/, '//').slice(0, 80)
    throw invalid(
      `MQTT server ${JSON.stringify(shown)} is no URL of a broker: write mqtt://host:1883 or mqtts://host:8883`,
    )
  }
  const port = parsed.port === '' ? DEFAULT_PORTS[protocol] : Number(parsed.port)
  return {
    protocol,
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    username: parsed.username === '' ? null : decode(parsed.username),
    password: parsed.password === '' ? null : decode(parsed.password),
    label: `${protocol}://${parsed.hostname}:${port}`,
  }
}

const DEFAULT_PORTS = { mqtt: 1883, mqtts: 8883 } as const

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid('user or password in the URL of an MQTT server is not URL-encoded: write % as %25')
  }
}

function invalid(message: string): FleetstepError {
  return new FleetstepError('config-invalid', message)
}
