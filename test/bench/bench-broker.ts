import { silentLogger } from '../../runtime/base/logger.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { MOSQUITTO_FLEET, MOSQUITTO_SKIP, startMosquitto } from '../links/mosquitto.ts'

export interface BenchBroker {
  readonly port: number
  readonly name: string
  end(): Promise<void>
}

/** Mosquitto without a line for each message, or the embedded broker where there is none. */
export async function startBenchBroker(): Promise<BenchBroker> {
  if (MOSQUITTO_SKIP === false) {
    const broker = await startMosquitto([...MOSQUITTO_FLEET, 'log_type information'])
    return { port: broker.port, name: 'mosquitto', end: () => broker.end() }
  }
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
  return { port: broker.port, name: 'embedded', end: () => broker.close() }
}
