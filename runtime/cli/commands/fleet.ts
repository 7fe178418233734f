import type { Command } from 'commander'
import { isNodeId } from '../../base/ids.ts'
import { FleetstepError } from '../../base/errors.ts'
import { createFleetFolder } from '../../gateway/fleet-folder.ts'
import type { GatewayStatus } from '../../gateway/inspection.ts'
import { ask } from '../connect.ts'
import { configureEpochCommands } from '../epoch-commands.ts'
import { epochStatusText, membersText } from '../fleet-text.ts'
import { wholeNumber } from '../number-option.ts'
import { type GlobalOptions, print } from '../output.ts'
import { statusSchema } from '../status-schema.ts'

interface CreateOptions extends GlobalOptions {
  readonly founder: string
  readonly tier?: string
  readonly directory?: string
}

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
On the operator's machine, once:
  fleetstep fleet create plant --founder 0a1b2c3d4e5f6071      its node id: fleetstep node id, on that machine
  fleetstep seed create founder.seed --fleet plant --founder
  fleetstep seed create cards.seed --fleet plant --uses 20

Later, with a gateway on this machine, or from machine to machine with files (--unsigned, sign, apply):
  fleetstep fleet retire 0a1b2c3d4e5f6072 --fleet plant`,
  )
  const create = command
    .command('create')
    .argument('<name>')
    .description('make the folder of a new fleet: its operator key, and what everybody knows of it')
    .requiredOption('--founder <node>', 'node id of the gateway that founds it')
    .option('--tier <number>', 'tier of the founder (default 0)')
    .option('--directory <folder>', 'where to make it (default: the name of the fleet)')
  create.action((name: string) => createFleet(create, name))
  const members = command.command('members').description('who takes part, who was retired, who asks to join')
  members.action(async () => {
    const status = await statusOf(members)
    const { epoch, candidates } = status
    print(members, { members: status.members, candidates, epoch }, () => membersText(status))
  })
  const epochs = command
    .command('epochs')
    .description('the newest epoch: who counts, who is retired, what it waits for')
  epochs.action(async () => {
    const { epoch } = await statusOf(epochs)
    print(epochs, epoch, () => epochStatusText(epoch))
  })
  configureEpochCommands(command)
}

function createFleet(command: Command, name: string): void {
  const { founder, tier, directory } = command.optsWithGlobals<CreateOptions>()
  if (!/^[A-Za-z0-9._~-]{1,64}$/.test(name) || /^\.+$/.test(name))
    throw new FleetstepError('usage', `${name} is no name of a fleet: it has 1 to 64 of A-Z a-z 0-9 . _ ~ -`)
  if (!isNodeId(founder))
    throw new FleetstepError(
      'usage',
      `--founder ${founder} is no node id: fleetstep node id prints it, on that machine`,
    )
  const founding = { node: founder, tier: wholeNumber('--tier', tier, { from: 0, to: 255, otherwise: 0 }) }
  const { path, facts } = createFleetFolder({ path: directory ?? name, name, founder: founding })
  print(command, { path, fleet: facts.id, name, founder }, () =>
    [
      `fleet ${name} (${facts.id}) is in ${path}`,
      'Keep a backup of this folder, offline: without operator.key nobody can be retired or let in any more.',
      `Next: fleetstep seed create founder.seed --fleet ${directory ?? name} --founder`,
    ].join('\n'),
  )
}

async function statusOf(command: Command): Promise<GatewayStatus> {
  return await ask(command, 'status', {}, statusSchema)
}
