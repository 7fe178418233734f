import { join } from 'node:path'
import { freePort } from '../links/mosquitto.ts'
import { NATS_SKIP, startNats } from '../support/nats.ts'
import { acceptGeneratedBroker } from './broker-acceptance.ts'

for (const [how, wish] of [
  ['client certificates', { passwords: false, plain: false }],
  ['passwords', { passwords: true, plain: true }],
] as const) {
  acceptGeneratedBroker(
    `nats-server by ${how}`,
    { broker: 'nats', ...wish, port: freePort },
    async ({ directory }) => {
      const server = startNats(join(directory, 'nats-server.conf'))
      await server.ready()
      return server
    },
    NATS_SKIP,
  )
}
