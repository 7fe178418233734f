import type { Command } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import { brokerUrl, startBroker } from '../../gateway/broker.ts'
import type { WrittenBroker } from '../../gateway/broker-config/broker-config.ts'
import { BROKER_KINDS } from '../../gateway/broker-config/request.ts'
import { exitOnCrash, openLogger, stopSignal } from '../lifecycle.ts'
import { type GlobalOptions, print } from '../output.ts'

interface BrokerOptions extends GlobalOptions {
  readonly host: string
  readonly port: number
}

export function configure(command: Command): void {
  command
    .option('--host <address>', 'address to listen on; it asks nobody for a password', '127.0.0.1')
    .option('--port <number>', 'TCP port, or 0 for any free one', portOf('--port'), 1883)
    .addHelpText(
      'after',
      `
It keeps nothing over a restart: the gateways find by themselves what was missed. For more than a small fleet, or
with passwords and TLS, use Mosquitto or another broker: fleetstep broker config. Ctrl-C or SIGTERM ends it.`,
    )
    .action(async () => await runBroker(command))
  configureConfig(command.command('config'))
}

interface ConfigOptions extends GlobalOptions {
  readonly for: string
  readonly config?: string
  readonly fleet?: string
  readonly member: readonly string[]
  readonly directory: string
  readonly path?: string
  readonly server: readonly string[]
  readonly tcpPort?: number
  readonly user: readonly string[]
  readonly passwords?: true
  readonly plain?: true
  readonly persistence?: true
}

function configureConfig(command: Command): void {
  command
    .description('write the settings of a broker for this fleet, with lists of who may do what')
    .requiredOption('--for <broker>', BROKER_KINDS.join(', '))
    .option('--config <file>', 'config of any gateway of the fleet')
    .option('--fleet <folder>', 'or the folder of fleetstep fleet create')
    .option('--member <node>', 'a node that joins by a seed; may be repeated', several, [])
    .option('--directory <folder>', 'folder for the files, made if it is missing', 'broker')
    .option('--path <folder>', 'where the broker will find them, if they are copied to another place')
    .option('--server <name>', 'name or address by which gateways reach it; several for a cluster', several, [])
    .option('--tcp-port <number>', 'TCP port for MQTT (default: 8883, or 1883 with --plain)', portOf('--tcp-port'))
    .option('--user <name>', 'a tool or person: reads the mirror and writes wishes; may be repeated', several, [])
    .option('--passwords', 'user and password instead of client certificates')
    .option('--plain', 'without TLS, for a network of its own; needs --passwords')
    .option('--persistence', 'let the broker keep what is retained over a restart; the fleet does not need it')
    .addHelpText(
      'after',
      `
  fleetstep broker config --for mosquitto --config gateway.yaml --server broker.example
  fleetstep broker config --for mosquitto --fleet plant --member 0a1b2c3d4e5f6071 --server broker.example
  fleetstep broker config --for nats --config gateway.yaml --server n1.example --server n2.example --server n3.example

A node may publish only as itself, and reads no inbox but its own. Those that --user names read the mirror and write
wishes, and nothing else. Members are those of fleet.members; where nodes join
by a seed, the founder and those that --member ever named: the file members in the folder keeps them, one on a line.
Run it again when a member is added: it writes the settings anew and keeps passwords and certificates.
--for peers makes no more than certificates, for links of kind: peers, which have no broker.`,
    )
    .action(async () => await writeConfig(command))
}

async function writeConfig(command: Command): Promise<void> {
  const { writeBrokerConfig } = await import('../../gateway/broker-config/broker-config.ts')
  const options = command.optsWithGlobals<ConfigOptions>()
  const written = writeBrokerConfig({
    broker: options.for,
    config: options.config,
    fleet: options.fleet,
    members: options.member,
    directory: options.directory,
    path: options.path,
    servers: options.server.length === 0 ? ['127.0.0.1'] : options.server,
    port: options.tcpPort,
    people: options.user,
    passwords: options.passwords === true,
    plain: options.plain === true,
    persistence: options.persistence === true,
  })
  print(command, written, () => nextSteps(written))
}

function nextSteps({ broker, directory, files, servers, encrypted, authentication }: WrittenBroker): string {
  const isByName = authentication === 'certificates'
  const link = [
    ...(broker === 'peers'
      ? ['  - kind: peers', `    peers: [${servers.join(', ')}]     # one or more that are known`]
      : ['  - kind: mqtt', `    servers: [${servers.join(', ')}]`]),
    ...(isByName ? [] : ['    username: NODE', '    passwordFile: NODE     # its file in passwords/']),
    ...(encrypted ? ['    caFile: authority.crt'] : []),
    ...(isByName ? ['    certificateFile: NODE.crt', '    keyFile: NODE.key'] : []),
  ]
  return [
    `Written for ${broker} to ${directory}:`,
    ...files.map((file) => `  ${file}`),
    ...(encrypted
      ? [`Make the certificates with openssl, here and not on the broker:\n  sh ${directory}/certificates.sh`]
      : []),
    'In the config of each gateway, where NODE is its node id:',
    ...link,
    `All of these files are secret: ${broker === 'peers' ? '' : 'let only the broker read its own, and '}each gateway has its own.`,
  ].join('\n')
}

function several(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
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
    () => `fleetstep: broker ready on ${brokerUrl(host, broker.port)}`,
  )
  await stopped
  await broker.close()
  process.exit(0)
}

function portOf(option: string): (text: string) => number {
  return (text) => {
    if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
    throw new FleetstepError('usage', `${option} ${text} is no port: use a number from 0 to 65535`)
  }
}
