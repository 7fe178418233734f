import type { Clock } from '../../../base/clock.ts'
import type { NodeId } from '../../../base/ids.ts'
import type { Logger } from '../../../base/logger.ts'
import type { Random } from '../../../base/random.ts'
import type { MqttTiming } from '../options.ts'
import type { MutualTls } from '../servers.ts'
import type { MetPeer } from './addresses.ts'

export interface PeersLinkOptions {
  /** The fleet's id: the group in the topics. */
  readonly fleet: string
  readonly node: NodeId
  /** Rises with each start of the node. */
  readonly startCount: number
  /** Where peers connect to this gateway; null if they cannot. Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number } | null
  /** `mqtt://host:port` of peers that are known, `mqtts://` with TLS; the others are heard of from them. */
  readonly peers: readonly string[]
  /** Looks for peers on the local network by multicast DNS, and lets itself be found. */
  readonly discover: boolean
  /** The same for all peers or for none. The common name of each certificate is the node id that it is for. */
  readonly tls?: MutualTls | undefined
  readonly book: PeerBook
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** How long those that are known may take to answer before the link says that it is up without them. */
  readonly gatherMs?: number | undefined
  /** `peers` unless there are several. */
  readonly name?: string | undefined
  readonly timing?: Partial<MqttTiming> | undefined
}

/** Keeps the addresses at which peers were met, so that a restart needs no discovery. Neither call may throw. */
export interface PeerBook {
  load(): readonly MetPeer[]
  store(peers: readonly MetPeer[]): void
}
