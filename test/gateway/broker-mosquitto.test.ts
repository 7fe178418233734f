import { freePort, MOSQUITTO_SKIP, startGeneratedMosquitto } from '../links/mosquitto.ts'
import { acceptGeneratedBroker } from './broker-acceptance.ts'

acceptGeneratedBroker(
  'mosquitto by client certificates',
  { broker: 'mosquitto', passwords: false, plain: false, port: freePort },
  async ({ directory }, port) => await startGeneratedMosquitto(directory, port),
  MOSQUITTO_SKIP,
)

acceptGeneratedBroker(
  'mosquitto by passwords',
  { broker: 'mosquitto', passwords: true, plain: true, port: freePort },
  async ({ directory }, port) => await startGeneratedMosquitto(directory, port),
  MOSQUITTO_SKIP,
)
