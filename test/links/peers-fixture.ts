import type { NodeId } from '../../runtime/base/ids.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Link } from '../../runtime/links/link.ts'
import type { MetPeer } from '../../runtime/links/mqtt/peers/addresses.ts'
import type { PeersLinkOptions } from '../../runtime/links/mqtt/peers/options.ts'
import { peersLink } from '../../runtime/links/mqtt/peers/peers-link.ts'
import { realClock } from './clocks.ts'
import { FLEET } from './mqtt-fixture.ts'

/** Keeps what was met in memory. */
export class Book {
  peers: readonly MetPeer[] = []

  load(): readonly MetPeer[] {
    return this.peers
  }

  store(peers: readonly MetPeer[]): void {
    this.peers = peers
  }
}

/** A link without a broker. */
export function testPeer(node: NodeId, options: Partial<PeersLinkOptions> = {}): Link {
  return peersLink(peerOptions(node, options))
}

/** On a free port; pauses of milliseconds. */
export function peerOptions(node: NodeId, options: Partial<PeersLinkOptions> = {}): PeersLinkOptions {
  return {
    fleet: FLEET,
    node,
    startCount: 1,
    listen: { host: '127.0.0.1', port: 0 },
    peers: [],
    discover: false,
    gatherMs: 300,
    book: new Book(),
    clock: realClock,
    random: seededRandom(Number.parseInt(node.slice(0, 8), 16)),
    logger: silentLogger,
    ...options,
    timing: { delayMinMs: 10, delayMaxMs: 40, stableMs: 50, ...options.timing },
  }
}
