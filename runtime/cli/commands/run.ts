import { resolve } from 'node:path'
import type { Command } from 'commander'
import manifest from '../../../package.json' with { type: 'json' }
import { loadConfig } from '../../gateway/config.ts'
import { type Daemon, startDaemon } from '../../gateway/daemon.ts'
import { GUARD_OUTPUTS } from '../internal-commands.ts'
import { exitOnCrash, openLogger, stopSignal } from '../lifecycle.ts'
import { type GlobalOptions, print } from '../output.ts'
import { keepYoungGenerationSmall } from '../young-generation.ts'

interface RunOptions extends GlobalOptions {
  readonly config: string
  readonly nodeId?: string
}

export function configure(command: Command): void {
  command
    .requiredOption('--config <file>', 'what fleetstep config prints, made to fit')
    .option('--node-id <name>', 'name this node instead of asking the hardware: for several on one machine')
    .addHelpText(
      'after',
      `
It prints one line when it is ready, and logs to standard error: readable lines, or JSON lines with --json.
Ctrl-C or SIGTERM ends it cleanly with exit code 0; a second one ends it at once, which loses nothing either.
Without its broker it goes on alone and catches up later. It ends by itself only when its disk has failed or
its data directory is gone (exit code 5) or on a bug (70): let a supervisor start it again.`,
    )
    .action(async () => await run(command))
}

async function run(command: Command): Promise<void> {
  keepYoungGenerationSmall()
  const options = command.optsWithGlobals<RunOptions>()
  const read = loadConfig(options.config)
  const config = options.socket === undefined ? read : { ...read, controlSocket: resolve(options.socket) }
  const logger = await openLogger(config.logLevel, config.device ?? 'fleetstep', options.json === true)
  const exit = exitOnCrash(logger)
  const stopped = stopSignal()
  const [, script] = process.argv
  const daemon = await startDaemon({
    config,
    nodeName: options.nodeId ?? null,
    logger,
    onFatal: exit,
    ...(script !== undefined && { guardProgram: [process.execPath, script, GUARD_OUTPUTS] }),
  })
  const ready = describe(daemon, daemon.fleetName)
  print(command, ready, () => {
    const broker = ready.brokerPort === null ? '' : `, broker on port ${ready.brokerPort}`
    const { version, device, node, fleet, controlSocket } = ready
    return `fleetstep ${version}: gateway ${device} ready (node ${node}, fleet ${fleet}, control ${controlSocket}${broker})`
  })
  logger.info(`ended by ${await stopped}`)
  await daemon.close()
  process.exit(0)
}

function describe({ gateway, controlSocket, brokerPort }: Daemon, fleet: string) {
  const { version } = manifest
  const { device, node } = gateway
  return { ready: true, version, device, node, fleet, controlSocket, brokerPort, pid: process.pid }
}
