import manifest from '../../package.json' with { type: 'json' }
// commander: parses commands and options and writes their help; the last major that runs on Node 20; MIT, no dependencies.
import { Command, CommanderError } from 'commander'
import { describeFailure, type Failure, failureLines, onCrash } from './failure.ts'
import { afterHelp, beforeHelp } from './help.ts'
import { GUARD_OUTPUTS } from './internal-commands.ts'
import { watchOutput } from './lost-output.ts'
import { endWithParent } from './parent.ts'
import { readWords, refuseEmptyOptions } from './words.ts'

/** A command's module: it gives its arguments, options and action to the command that carries its name. */
interface CommandModule {
  configure(command: Command): void
}

/** What the help of the program shows of a command, and where the rest of it is. */
interface CommandEntry {
  readonly name: string
  readonly group: string
  readonly summary: string
  /** Called only for the command that is run, so that a start costs no more than it needs. */
  readonly load: () => Promise<CommandModule>
  /** Not for people. */
  readonly hidden?: true
}

const GATEWAY = 'Run a gateway:'
const FLEET = 'Found a fleet, and say who takes part:'
const STATE = 'Shared state, on a running gateway:'
const OPERATION = 'See what it does:'

const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'demo',
    group: GATEWAY,
    summary: 'run a fleet of three gateways on this machine, with a short story to watch',
    load: () => import('./commands/demo.ts'),
  },
  {
    name: 'run',
    group: GATEWAY,
    summary: 'run a gateway until it is told to end',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'config',
    group: GATEWAY,
    summary: 'print an example config for this machine, or check a config file',
    load: () => import('./commands/config.ts'),
  },
  {
    name: 'node',
    group: GATEWAY,
    summary: 'say which node id this machine has, and why',
    load: () => import('./commands/node.ts'),
  },
  {
    name: 'broker',
    group: GATEWAY,
    summary: 'run an MQTT broker for a small fleet that has none',
    load: () => import('./commands/broker.ts'),
  },
  {
    name: 'fleet',
    group: FLEET,
    summary: 'create a fleet; its members and epochs; retire, replace, revoke',
    load: () => import('./commands/fleet.ts'),
  },
  {
    name: 'seed',
    group: FLEET,
    summary: 'make and check the seeds by which nodes join a fleet',
    load: () => import('./commands/seed.ts'),
  },
  {
    name: 'state',
    group: STATE,
    summary: 'get, show, set, rm, patch and watch the shared state',
    load: () => import('./commands/state.ts'),
  },
  {
    name: 'conflict',
    group: STATE,
    summary: 'list the changes that had to yield, and apply or dismiss them',
    load: () => import('./commands/conflict.ts'),
  },
  {
    name: 'profile',
    group: STATE,
    summary: 'list, show, validate, diff and apply the profiles of devices',
    load: () => import('./commands/profile.ts'),
  },
  {
    name: 'status',
    group: OPERATION,
    summary: 'members, stage, floor, queues, links and alarms',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'journal',
    group: OPERATION,
    summary: 'list the operations that are not settled yet, in their order',
    load: () => import('./commands/journal.ts'),
  },
  {
    name: 'storage',
    group: OPERATION,
    summary: 'look into the data directory of a gateway that is stopped: info, check, export',
    load: () => import('./commands/storage.ts'),
  },
  {
    name: 'serial',
    group: GATEWAY,
    summary: 'list and check the serial ports of this machine, and listen to one',
    load: () => import('./commands/serial.ts'),
  },
  {
    name: 'gpio',
    group: GATEWAY,
    summary: 'check, read, write and watch the GPIO lines of this machine',
    load: () => import('./commands/gpio.ts'),
  },
  {
    name: 'link',
    group: OPERATION,
    summary: 'list links; open or close one for maintenance',
    load: () => import('./commands/link.ts'),
  },
  {
    name: GUARD_OUTPUTS,
    group: GATEWAY,
    summary: 'set outputs to their safe values, for a gateway that is gone',
    load: () => import('./commands/guard-outputs.ts'),
    hidden: true,
  },
]

await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<void> {
  const failed = (error: unknown): void => {
    const failure = describeFailure(error)
    report(failure, wantsJson(words))
    process.exitCode = failure.exitCode
  }
  onCrash((error) => {
    failed(error)
    process.exit()
  })
  endWithParent()
  watchOutput(failed)
  try {
    await createProgram().parseAsync(readWords(words), { from: 'user' })
  } catch (error) {
    // Help and version end in an error with code 0.
    if (!(error instanceof CommanderError && error.exitCode === 0)) failed(error)
  }
}

function createProgram(): Command {
  const program = new Command('fleetstep')
  program
    .usage('<command> [options]')
    .version(manifest.version, '-V, --version', 'print the version')
    .option('--json', 'print JSON for programs instead of text for people')
    .option('--gateway <name>', 'talk to the gateway with this device name, where several run')
    .option('--socket <path>', 'talk to the gateway on this control socket (or set FLEETSTEP_SOCKET)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => undefined })
    .addHelpText('before', beforeHelp)
    .addHelpText('after', afterHelp())
    .exitOverride()
  for (const { name, group, summary, hidden = false } of COMMANDS)
    program.command(name, { hidden }).helpGroup(group).description(summary)
  program.hook('preSubcommand', async (_program, command) => {
    const entry = COMMANDS.find(({ name }) => name === command.name())
    if (entry !== undefined) (await entry.load()).configure(command)
  })
  program.hook('preAction', (_program, command) => refuseEmptyOptions(command))
  return program
}

/** Looked up in the words themselves, because what is reported may be that they cannot be parsed. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return (end < 0 ? words : words.slice(0, end)).includes('--json')
}

function report(failure: Failure, json: boolean): void {
  if (json) {
    const { code, message, exitCode } = failure
    process.stdout.write(`${JSON.stringify({ error: { code, message, exitCode } })}\n`)
  } else {
    process.stderr.write(failureLines(failure))
  }
}
