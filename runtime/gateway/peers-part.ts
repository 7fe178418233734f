import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { isNodeId, type NodeId } from '../base/ids.ts'
import { PEERS_MAX } from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import type { MetPeer } from '../links/mqtt/peers/addresses.ts'
import type { PeerBook } from '../links/mqtt/peers/options.ts'
import { peersLink } from '../links/mqtt/peers/peers-link.ts'
import type { MutualTls } from '../links/mqtt/servers.ts'
import type { LinkFactory } from './gateway.ts'
import { assertOwnCertificate } from './own-certificate.ts'
import { PEERS_PORT, type PeersSettings } from './peers-config.ts'

export interface PeersPart extends Pick<PeersSettings, 'name' | 'listen' | 'peers' | 'discover'> {
  readonly tls: MutualTls | undefined
}

/** What a config has that says nothing of it. */
export const PEERS_DEFAULTS: PeersPart = {
  name: 'peers',
  listen: { host: '0.0.0.0', port: PEERS_PORT },
  peers: [],
  discover: false,
  tls: undefined,
}

/** A link to peers whose addresses are kept in the data directory. */
export function peersPart(part: PeersPart, dataDirectory: string): LinkFactory {
  return (context) => {
    if (part.tls !== undefined) assertOwnCertificate(part.tls, context.node, part.name)
    const book = peerBook(join(dataDirectory, bookOf(part.name)), context.logger)
    return peersLink({ ...context, ...part, book })
  }
}

/** A link may be called as any of the files is that the gateway keeps: `identity`, `format`. */
function bookOf(name: string): string {
  return name === PEERS_DEFAULTS.name ? `${name}.json` : `peers-${name}.json`
}

const MET = v.pipe(
  v.array(
    v.object({
      node: v.custom<NodeId>(isNodeId),
      host: v.pipe(v.string(), v.maxLength(253)),
      port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
    }),
  ),
  v.maxLength(PEERS_MAX),
)

/** Addresses help to find each other sooner: without the file, peers are met as the first time. */
function peerBook(file: string, logger: Logger): PeerBook {
  return {
    load() {
      try {
        return v.parse(MET, JSON.parse(readFileSync(file, 'utf8')))
      } catch (error) {
        const isNew = error instanceof Error && 'code' in error && error.code === 'ENOENT'
        if (!isNew) logger.warn(`${file}: the addresses of peers cannot be read, they are met anew: ${String(error)}`)
        return []
      }
    },
    store(peers: readonly MetPeer[]) {
      try {
        const met = peers.slice(0, PEERS_MAX).map(({ node, host, port }) => ({ node, host, port }))
        writeFileSync(`${file}.new`, JSON.stringify(met), { mode: 0o600 })
        renameSync(`${file}.new`, file)
      } catch (error) {
        logger.warn(`${file}: the addresses of peers cannot be kept: ${String(error)}`)
      }
    },
  }
}
