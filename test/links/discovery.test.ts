import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { Bonjour, Browser } from 'bonjour-service'
import { DISCOVERY_ADDRESSES_MAX, DISCOVERY_INTERVAL_MS } from '../../runtime/base/limits.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import type { MetPeer } from '../../runtime/links/mqtt/peers/addresses.ts'
import { startDiscovery } from '../../runtime/links/mqtt/peers/discovery.ts'
import { drivenClock } from '../device/driven-clock.ts'

const NODE = '0200000000000001' as NodeId
const OTHER = '0200000000000002'
const FLEET = '0011223344556677'

/** A search of the library itself, with answers of the test. */
function searching(t: TestContext) {
  const network = Object.assign(new EventEmitter(), { query: () => undefined })
  t.mock.method(Bonjour.prototype, 'find', (options: { type: string }, up: () => void) => {
    return new Browser(network, options, up)
  })
  const clock = drivenClock()
  const found: MetPeer[] = []
  const end = startDiscovery({
    fleet: FLEET,
    node: NODE,
    port: null,
    clock,
    logger: silentLogger,
    found: (peer) => found.push(peer),
  })
  t.after(end)
  return {
    clock,
    answer(addresses: readonly string[], { node = OTHER, fleet = FLEET, port = 1884 } = {}): readonly MetPeer[] {
      const name = `fleetstep-${node}._fleetstep._tcp.local`
      const txt = [`fleet=${fleet}`, `node=${node}`, 'v=1'].map((text) => Buffer.from(text))
      found.length = 0
      network.emit('response', {
        answers: [{ type: 'PTR', name: '_fleetstep._tcp.local', data: name, ttl: 120 }],
        additionals: [
          { type: 'SRV', name, ttl: 120, data: { target: 'host.local', port } },
          { type: 'TXT', name, ttl: 120, data: txt },
          ...addresses.map((data) => ({ type: data.includes(':') ? 'AAAA' : 'A', name: 'host.local', ttl: 120, data })),
        ],
      })
      return [...found]
    },
  }
}

describe('discovery by multicast DNS', () => {
  it('tells again of one who answers, and where he is now, with each search', async (t) => {
    const { answer, clock } = searching(t)
    assert.deepEqual(answer(['10.0.0.2']), [{ node: OTHER, host: '10.0.0.2', port: 1884 }])
    assert.deepEqual(answer(['10.0.0.2']), [], 'once in a search')
    clock.advance(DISCOVERY_INTERVAL_MS)
    assert.deepEqual(answer(['10.0.0.7']), [{ node: OTHER, host: '10.0.0.7', port: 1884 }])
  })

  it('tells of all addresses in IPv4, else of those in IPv6 that need no zone', (t) => {
    const { answer, clock } = searching(t)
    const hosts = (addresses: readonly string[]): readonly string[] => {
      clock.advance(DISCOVERY_INTERVAL_MS)
      return answer(addresses).map(({ host }) => host)
    }
    assert.deepEqual(hosts(['172.17.0.1', 'fd00::2', '10.0.0.2']), ['172.17.0.1', '10.0.0.2'])
    assert.deepEqual(hosts(['fe80::2', 'fd00::2']), ['fd00::2'])
    assert.deepEqual(hosts(['fe80::2']), [])
    const many = Array.from({ length: 100 }, (_, index) => `10.0.1.${index}`)
    assert.equal(hosts(many).length, DISCOVERY_ADDRESSES_MAX)
  })

  it('tells of no other fleet, of no name that is none, and not of itself', (t) => {
    const { answer } = searching(t)
    assert.deepEqual(answer(['10.0.0.2'], { fleet: 'ffffffffffffffff' }), [])
    assert.deepEqual(answer(['10.0.0.2'], { node: 'nobody' }), [])
    assert.deepEqual(answer(['10.0.0.2'], { node: NODE }), [])
    assert.deepEqual(answer(['10.0.0.2'], { node: '0200000000000003', port: 0 }), [])
  })
})
