/**
 * Finds peers on the local network and lets itself be found (multicast DNS service discovery, RFC 6762 and 6763). What is
 * found is a hint. It is in a module of its own so that a gateway that does not look never loads it.
 */
// bonjour-service: browses and advertises in pure JavaScript, maintained, MIT; others do one of the two, or are dead.
import { Bonjour } from 'bonjour-service'
import type { Clock } from '../../../base/clock.ts'
import { isNodeId, type NodeId } from '../../../base/ids.ts'
import { DISCOVERY_INTERVAL_MS } from '../../../base/limits.ts'
import type { Logger } from '../../../base/logger.ts'
import type { PeerAddress } from './addresses.ts'

export interface DiscoveryOptions {
  readonly fleet: string
  readonly node: NodeId
  /** The port of the own post box; null looks for others and is not found. */
  readonly port: number | null
  readonly clock: Clock
  readonly logger: Logger
  found(address: PeerAddress): void
}

/** Text record of `_fleetstep._tcp`: `fleet` and `node` are ids, `v` is the version of this record. */
const VERSION = '1'
const TYPE = 'fleetstep'

/** @returns a function that says goodbye on the network and ends it */
export function startDiscovery(options: DiscoveryOptions): () => Promise<void> {
  const { fleet, node, port, clock, logger } = options
  // A network that is away for a moment must not end the gateway.
  const bonjour = new Bonjour({}, (error: unknown) => logger.warn(`discovery: ${String(error)}`))
  const browser = bonjour.find({ type: TYPE }, (service: FoundService) => {
    for (const address of addressesOf(service, options)) options.found(address)
  })
  // The first question may come before the network is there, and those who start together do not hear each other's.
  let cancel = (): void => {}
  const askAgain = (): void => {
    cancel = clock.schedule(clock.now() + DISCOVERY_INTERVAL_MS, () => {
      browser.update()
      askAgain()
    })
  }
  askAgain()
  if (port !== null) {
    bonjour.publish({ name: `fleetstep-${node}`, type: TYPE, port, txt: { fleet, node, v: VERSION }, probe: false })
  }
  return async () => {
    cancel()
    browser.stop()
    await new Promise<void>((resolve) => bonjour.unpublishAll(() => resolve()))
    await new Promise<void>((resolve) => bonjour.destroy(() => resolve()))
  }
}

interface FoundService {
  readonly port: number
  readonly addresses?: string[]
  readonly txt?: unknown
}

/** Of one's own fleet, in IPv4 if there is one: addresses of IPv6 on a local network may need a zone. */
function addressesOf({ port, addresses = [], txt }: FoundService, { fleet, node }: DiscoveryOptions): PeerAddress[] {
  if (typeof txt !== 'object' || txt === null || !('fleet' in txt) || !('node' in txt)) return []
  if (txt.fleet !== fleet || !isNodeId(txt.node) || txt.node === node) return []
  const usable = addresses.filter((address) => !/^fe80:/i.test(address))
  const best = usable.find((address) => !address.includes(':')) ?? usable[0]
  return best === undefined || !Number.isInteger(port) || port < 1 || port > 65_535 ? [] : [{ host: best, port }]
}
