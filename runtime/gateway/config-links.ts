import { readFileSync } from 'node:fs'
import { FleetstepError } from '../base/errors.ts'
import type { TlsFiles } from '../links/mqtt/servers.ts'
import type { GatewayConfig } from './config.ts'
import type { LinkFactory } from './gateway.ts'

type LinkConfig = GatewayConfig['links'][number]
type MqttConfig = Extract<LinkConfig, { kind: 'mqtt' }>
type SerialConfig = Extract<LinkConfig, { kind: 'serial' }>

/**
 * What makes each link of a config. What the config names is read at once, so that a mistake in it is told at the start;
 * the clients, which take the largest part of a start to load, are loaded by the functions that are returned.
 * @throws FleetstepError `config-invalid`
 */
export function linkLoaders(links: readonly LinkConfig[]): (() => Promise<LinkFactory>)[] {
  return links.map((link) => (link.kind === 'mqtt' ? mqttLoader(link) : serialLoader(link)))
}

function mqttLoader(link: MqttConfig): () => Promise<LinkFactory> {
  const { name, servers, username } = link
  const options = { name, servers, username: username ?? undefined, password: passwordOf(link), tls: tlsOf(link) }
  return async () => {
    const { mqttLink } = await import('../links/mqtt/mqtt-link.ts')
    return (context) => mqttLink({ ...context, ...options })
  }
}

function serialLoader({ name, port, baud, payload, address }: SerialConfig): () => Promise<LinkFactory> {
  const options = { name, port, baud, payload: payload ?? undefined, address: address ?? undefined }
  return async () => {
    const { serialLink } = await import('../links/serial/open.ts')
    return (context) => serialLink({ ...context, ...options })
  }
}

function passwordOf({ passwordFile }: MqttConfig): string | undefined {
  return passwordFile === null ? undefined : readSecretFile(passwordFile).toString('utf8').trimEnd()
}

function tlsOf(link: MqttConfig): TlsFiles {
  return {
    ca: link.caFile === null ? undefined : readSecretFile(link.caFile),
    cert: link.certificateFile === null ? undefined : readSecretFile(link.certificateFile),
    key: link.keyFile === null ? undefined : readSecretFile(link.keyFile),
  }
}

function readSecretFile(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new FleetstepError('config-invalid', `cannot read ${file}, which the config names: ${String(cause)}`, {
      cause,
    })
  }
}
