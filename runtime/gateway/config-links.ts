import { unreachable } from '../base/errors.ts'
import type { GatewayConfig } from './config.ts'
import type { LinkFactory } from './gateway.ts'
import { secretsOf } from './secret-files.ts'

type LinkConfig = GatewayConfig['links'][number]
type MqttConfig = Extract<LinkConfig, { kind: 'mqtt' }>
type PeersConfig = Extract<LinkConfig, { kind: 'peers' }>
type SerialConfig = Extract<LinkConfig, { kind: 'serial' }>

/**
 * What makes each link of a config. What the config names is read at once, so that a mistake in it is told at the start;
 * the clients, which take the largest part of a start to load, are loaded by the functions that are returned.
 * @throws FleetstepError `config-invalid`
 */
export function linkLoaders({ links, dataDirectory }: GatewayConfig): (() => Promise<LinkFactory>)[] {
  return links.map((link) => {
    switch (link.kind) {
      case 'mqtt':
        return mqttLoader(link)
      case 'serial':
        return serialLoader(link)
      case 'peers':
        return peersLoader(link, dataDirectory)
      default:
        return unreachable(link)
    }
  })
}

function mqttLoader(link: MqttConfig): () => Promise<LinkFactory> {
  const { name, servers, username } = link
  const options = { name, servers, username: username ?? undefined, ...secretsOf(link) }
  return async () => {
    const { mqttLink } = await import('../links/mqtt/mqtt-link.ts')
    return (context) => mqttLink({ ...context, ...options })
  }
}

function peersLoader(link: PeersConfig, dataDirectory: string): () => Promise<LinkFactory> {
  const { ca, cert, key } = secretsOf({ ...link, passwordFile: null }).tls
  const tls = ca && cert && key && { ca, cert, key }
  return async () => (await import('./peers-part.ts')).peersPart({ ...link, tls }, dataDirectory)
}

function serialLoader({ name, port, baud, payload, address }: SerialConfig): () => Promise<LinkFactory> {
  const options = { name, port, baud, payload: payload ?? undefined, address: address ?? undefined }
  return async () => {
    const { serialLink } = await import('../links/serial/open.ts')
    return (context) => serialLink({ ...context, ...options })
  }
}
