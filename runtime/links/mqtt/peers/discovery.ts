/**
 * Finds peers on the local network and lets itself be found (multicast DNS service discovery, RFC 6762 and 6763). What is
 * found is a hint. It is in a module of its own so that a gateway that does not look never loads it.
 */
// bonjour-service: browses and advertises in pure JavaScript, maintained, MIT; others do one of the two, or are dead.
import { Bonjour } from 'bonjour-service'
import type { Clock } from '../../../base/clock.ts'
import { isNodeId, type NodeId } from '../../../base/ids.ts'
import { DISCOVERY_ADDRESSES_MAX, DISCOVERY_INTERVAL_MS } from '../../../base/limits.ts'
import type { Logger } from '../../../base/logger.ts'
import type { MetPeer } from './addresses.ts'

export interface DiscoveryOptions {
  readonly fleet: string
  readonly node: NodeId
  /** The port of the own post box; null looks for others and is not found. */
  readonly port: number | null
  readonly clock: Clock
  readonly logger: Logger
  /** Told again by each search. */
  found(peer: MetPeer): void
}

/** Text record of `_fleetstep._tcp`: `fleet` and `node` are ids, `v` is the version of this record. */
const VERSION = '1'
const TYPE = 'fleetstep'

/** @returns a function that says goodbye on the network and ends it */
export function startDiscovery(options: DiscoveryOptions): () => Promise<void> {
  const { fleet, node, port, clock, logger } = options
  // A network that is away for a moment must not end the gateway.
  const bonjour = new Bonjour({}, (error: unknown) => logger.warn(`discovery: ${String(error)}`))
  // Each search tells once of whoever answers. Who was out of reach then, or has another address now, is found by a later one; and so
  // are those whom the first question did not reach, because the network was not there yet.
  let stop = (): void => {}
  const search = (): void => {
    stop()
    const browser = bonjour.find({ type: TYPE }, (service: FoundService) => {
      for (const peer of peersOf(service, options)) options.found(peer)
    })
    const cancel = clock.schedule(clock.now() + DISCOVERY_INTERVAL_MS, search)
    stop = () => {
      cancel()
      browser.stop()
    }
  }
  search()
  if (port !== null) {
    bonjour.publish({ name: `fleetstep-${node}`, type: TYPE, port, txt: { fleet, node, v: VERSION }, probe: false })
  }
  return async () => {
    stop()
    await new Promise<void>((resolve) => bonjour.unpublishAll(() => resolve()))
    await new Promise<void>((resolve) => bonjour.destroy(() => resolve()))
  }
}

interface FoundService {
  readonly port: number
  readonly addresses?: string[]
  readonly txt?: unknown
}

/**
 * Of one's own fleet, in IPv4 if there is any: addresses of IPv6 on a local network may need a zone. All of them, since some are of
 * networks that lead nowhere, as those of containers are.
 */
function peersOf({ port, addresses = [], txt }: FoundService, { fleet, node }: DiscoveryOptions): MetPeer[] {
  if (typeof txt !== 'object' || txt === null || !('fleet' in txt) || !('node' in txt)) return []
  const { fleet: ofFleet, node: found } = txt
  if (ofFleet !== fleet || !isNodeId(found) || found === node) return []
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return []
  const usable = addresses.filter((address) => !/^fe80:/i.test(address))
  const old = usable.filter((address) => !address.includes(':'))
  const best = (old.length > 0 ? old : usable).slice(0, DISCOVERY_ADDRESSES_MAX)
  return best.map((host) => ({ node: found, host, port }))
}
