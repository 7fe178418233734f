import type { Logger } from '../base/logger.ts'
import type { EmbeddedBroker } from '../links/mqtt/embedded-broker.ts'
import { formatAddress } from '../links/mqtt/peers/addresses.ts'
import { systemClock } from './system-clock.ts'

/**
 * A broker for fleets that have none; it is loaded only where it is wanted.
 * @throws FleetstepError `port-in-use`, `config-invalid`
 */
export async function startBroker(options: {
  readonly host: string
  readonly port: number
  readonly logger: Logger
}): Promise<EmbeddedBroker> {
  const { startEmbeddedBroker } = await import('../links/mqtt/embedded-broker.ts')
  return await startEmbeddedBroker({ ...options, clock: systemClock })
}

/** Under which gateways of this machine reach a broker that listens there. */
export function brokerUrl(host: string, port: number): string {
  return `mqtt://${formatAddress({ host, port })}`
}
