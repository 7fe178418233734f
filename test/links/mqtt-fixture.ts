import type { NodeId } from '../../runtime/base/ids.ts'
import { silentLogger, type Logger } from '../../runtime/base/logger.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Link } from '../../runtime/links/link.ts'
import { mqttLink } from '../../runtime/links/mqtt/mqtt-link.ts'
import type { MqttLinkOptions } from '../../runtime/links/mqtt/options.ts'
import { startEmbeddedBroker, type EmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { realClock, until } from './clocks.ts'
import type { LinkHarness } from './link-acceptance.ts'
import { freePort } from './mosquitto.ts'

export const FLEET = '00112233445566ff'

/** Pauses of milliseconds, so that tests wait for brokers only. */
export function testLink(node: NodeId, port: number, options: Partial<MqttLinkOptions> = {}): Link {
  return mqttLink({
    fleet: FLEET,
    node,
    startCount: 1,
    servers: [`mqtt://127.0.0.1:${port}`],
    clock: realClock,
    random: seededRandom(Number.parseInt(node.slice(0, 8), 16)),
    logger: silentLogger,
    ...options,
    timing: { delayMinMs: 10, delayMaxMs: 40, stableMs: 50, ...options.timing },
  })
}

/** @param broker how a broker at one port is taken away and brought back */
export function mqttHarness(port: number, broker: Pick<LinkHarness, 'cut' | 'heal' | 'end'>): LinkHarness {
  return { link: (node) => testLink(node, port), until, finish: (call) => call, ...broker }
}

export async function embeddedHarness(): Promise<LinkHarness> {
  const port = await freePort()
  let broker: EmbeddedBroker = await startEmbeddedBroker({ host: '127.0.0.1', port, logger: silentLogger })
  return mqttHarness(port, {
    cut: () => broker.close(),
    heal: async () => {
      broker = await startEmbeddedBroker({ host: '127.0.0.1', port, logger: silentLogger })
    },
    end: () => broker.close(),
  })
}

/** Keeps what is logged, one line each. */
export function keepingLogger(lines: string[]): Logger {
  const keep = (message: string): void => void lines.push(message)
  return { debug: keep, info: keep, warn: keep, error: keep }
}
