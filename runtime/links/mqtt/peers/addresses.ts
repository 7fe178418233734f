/**
 * Where peers are reached, as text that one gateway says to another: the port that it listens on itself (`-` if it does
 * not), then the peers that it has met, one on each line. All of it is a hint: who is there is told by presence.
 *
 *   1884
 *   0a00000000000002 192.168.1.12:1884
 */
import { isNodeId, type NodeId } from '../../../base/ids.ts'
import { PEER_ADDRESSES_BYTES_MAX, PEERS_MAX } from '../../../base/limits.ts'

export interface PeerAddress {
  readonly host: string
  readonly port: number
}

/** A peer that was met at an address. */
export interface MetPeer extends PeerAddress {
  readonly node: NodeId
}

export interface Whereabouts {
  readonly port: number | null
  readonly met: readonly MetPeer[]
}

export function formatWhereabouts({ port, met }: Whereabouts): string {
  const lines = met.slice(0, PEERS_MAX).map((peer) => `${peer.node} ${formatAddress(peer)}`)
  return [port === null ? '-' : String(port), ...lines].join('\n')
}

/** The inverse of {@link formatWhereabouts}; null for any other payload. */
export function parseWhereabouts(payload: Uint8Array): Whereabouts | null {
  if (payload.length === 0 || payload.length > PEER_ADDRESSES_BYTES_MAX) return null
  const [first = '', ...lines] = Buffer.from(payload).toString('latin1').split('\n')
  const met = lines.map(parseMet)
  if (met.length > PEERS_MAX || met.includes(null)) return null
  const port = first === '-' ? null : portOf(first)
  if (first !== '-' && port === null) return null
  return { port, met: met.filter((peer) => peer !== null) }
}

/** `host:port`, with an IPv6 address in brackets. */
export function formatAddress({ host, port }: PeerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function parseAddress(text: string): PeerAddress | null {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})$/.exec(text)
  const port = portOf(match?.[3] ?? '')
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port === null ? null : { host, port }
}

/** As sockets name it; IPv4 may come in the form of IPv6. */
export function plainHost(address: string): string {
  return address.replace(/^::ffff:/i, '')
}

function parseMet(line: string): MetPeer | null {
  const [node, address, ...rest] = line.split(' ')
  const parsed = parseAddress(address ?? '')
  return isNodeId(node) && parsed !== null && rest.length === 0 ? { node, ...parsed } : null
}

function portOf(text: string): number | null {
  const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : null
}
