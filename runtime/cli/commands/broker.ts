import type { Command } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import { startBroker } from '../../gateway/broker.ts'
import { exitOnCrash, openLogger, stopSignal } from '../lifecycle.ts'
import { type GlobalOptions, print } from '../output.ts'

interface BrokerOptions extends GlobalOptions {
  readonly host: string
  readonly port: number
}

export function configure(command: Command): void {
  command
    .option('--host <address>', 'address to listen on; it asks nobody for a password', '127.0.0.1')
    .option('--port <number>', 'TCP port, or 0 for any free one', portOf, 1883)
    .addHelpText(
      'after',
      `
It keeps nothing over a restart: the gateways find by themselves what was missed. For more than a small fleet, or
with passwords and TLS, use Mosquitto or another broker. Ctrl-C or SIGTERM ends it.`,
    )
    .action(async () => await runBroker(command))
}

async function runBroker(command: Command): Promise<void> {
  const { host, port, json } = command.optsWithGlobals<BrokerOptions>()
  const logger = await openLogger('warn', 'broker', json === true)
  exitOnCrash(logger)
  const stopped = stopSignal()
  const broker = await startBroker({ host, port, logger })
  print(
    command,
    { ready: true, host, port: broker.port, pid: process.pid },
    () => `fleetstep: broker ready on mqtt://${host}:${broker.port}`,
  )
  await stopped
  await broker.close()
  process.exit(0)
}

function portOf(text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new FleetstepError('usage', `--port ${text} is no port: use a number from 0 to 65535`)
}
