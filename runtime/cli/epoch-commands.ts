import type { Command } from 'commander'
import { FleetstepError } from '../base/errors.ts'
import type { ControlClient } from '../gateway/control-client.ts'
import { epochToJson, type EpochDocument, proposalFromJson, type ProposedEpoch } from '../gateway/epoch-file.ts'
import { readEpochFile, readProposalFile, writeEpochFile } from '../gateway/epoch-exchange.ts'
import { assertAsked, lastSignedEpoch, openFleetFolder, signEpoch } from '../gateway/fleet-folder.ts'
import type { GatewayStatus } from '../gateway/inspection.ts'
import { askOf, withGateway } from './connect.ts'
import { epochText } from './fleet-text.ts'
import { type GlobalOptions, note, print } from './output.ts'
import { statusSchema } from './status-schema.ts'

interface ChangeOptions extends GlobalOptions {
  readonly fleet?: string
  readonly unsigned?: string
  readonly force?: readonly string[]
  readonly operator?: true
}

interface Change extends Readonly<Record<string, unknown>> {
  readonly retire: readonly string[]
  readonly replace: readonly string[]
  readonly revoke: readonly string[]
}

const NOTHING: Change = { retire: [], replace: [], revoke: [] }

/** The commands by which the operator says who takes part: each makes one epoch. */
export function configureEpochCommands(command: Command): void {
  const retire = change(command, 'retire', '<nodes...>', 'take nodes out of the fleet: they are dead, sold or stolen')
  retire.action(async (retired: string[]) => await makeEpoch(retire, { ...NOTHING, retire: retired }))
  const replace = change(
    command,
    'replace',
    '<nodes...>',
    'let nodes in that ask to join, and retire what they were before',
  )
  replace.option('--operator', 'they may be operators, who set the rules of devices: their seed says whether they are')
  replace.action(async (replaced: string[]) => await makeEpoch(replace, { ...NOTHING, replace: replaced }))
  const revoke = change(command, 'revoke', '<tokens...>', 'take enrolment tokens back: nobody joins with them any more')
  revoke.action(async (revoked: string[]) => await makeEpoch(revoke, { ...NOTHING, revoke: revoked }))
  const sign = command
    .command('sign')
    .argument('<file>')
    .description("sign what --unsigned has written: read it first; on the operator's machine")
    .requiredOption('--fleet <folder>', 'the folder with the operator key')
    .requiredOption('--out <file>', 'where the signed epoch goes')
  sign.action((file: string) => signFile(sign, file))
  const apply = command
    .command('apply')
    .argument('<file>')
    .description('hand a signed epoch to a gateway, which passes it on to all')
  apply.action(async (file: string) => {
    const epoch = epochToJson(readEpochFile(file))
    const taken = await withGateway(apply, async (gateway) => await gateway.call('epoch.take', { epoch }))
    print(apply, taken, () => `epoch ${String(epoch['number'])} is taken in and goes on to the others`)
  })
}

function change(command: Command, name: string, words: string, description: string): Command {
  return command
    .command(name)
    .argument(words)
    .description(description)
    .option('--fleet <folder>', 'sign it here, with the operator key in this folder')
    .option(
      '--unsigned <file>',
      'write down what is to be signed, for fleetstep fleet sign on the machine with the key',
    )
    .option('--force <nodes...>', 'name those who count where nobody is left who does: what only others hold is lost')
}

async function makeEpoch(command: Command, wanted: Change): Promise<void> {
  const { fleet, unsigned, force = [], operator = false } = command.optsWithGlobals<ChangeOptions>()
  if ((fleet === undefined) === (unsigned === undefined))
    throw new FleetstepError('usage', 'say either --fleet FOLDER, to sign it here, or --unsigned FILE')
  await withGateway(command, async (gateway) => {
    if (unsigned !== undefined) {
      const before = await askOf(gateway, 'status', {}, statusSchema)
      const proposal = await propose(gateway, { ...wanted, force })
      writeEpochFile(unsigned, proposal)
      print(command, epochToJson(proposal), () => `${epochText(proposal.epoch)}\nto be signed: ${unsigned}`)
      warnOfTokens(before, proposal.epoch)
    } else await signAndTake(command, gateway, fleet ?? '', { ...wanted, force }, operator)
  })
}

async function signAndTake(
  command: Command,
  gateway: ControlClient,
  path: string,
  wanted: Change,
  mayBeOperators: boolean,
): Promise<void> {
  const folder = openFleetFolder(path)
  const last = lastSignedEpoch(folder)
  const before = await askOf(gateway, 'status', {}, statusSchema)
  // What was signed last and has not come this far goes first: two epochs of one number would be a conflict.
  if (last !== null && before.epoch.number < last.number)
    await gateway.call('epoch.take', { epoch: epochToJson({ fleet: folder.facts.id, epoch: last }) })
  const proposal = await propose(gateway, wanted)
  assertAsked(folder, proposal, { ...wanted, mayBeOperators })
  const epoch = signEpoch(folder, proposal.epoch)
  const document = epochToJson({ fleet: folder.facts.id, epoch })
  await gateway.call('epoch.take', { epoch: document })
  print(command, document, () => epochText(epoch))
  warnOfTokens(before, epoch)
}

async function propose(gateway: ControlClient, wanted: Change): Promise<EpochDocument<ProposedEpoch>> {
  return proposalFromJson(await gateway.call('epoch.propose', wanted), "the gateway's answer")
}

function signFile(command: Command, file: string): void {
  const { fleet, out } = command.optsWithGlobals<{ readonly fleet: string; readonly out: string }>()
  const folder = openFleetFolder(fleet)
  const proposal = readProposalFile(file)
  assertAsked(folder, proposal, null)
  const epoch = signEpoch(folder, proposal.epoch)
  const document = { fleet: folder.facts.id, epoch }
  writeEpochFile(out, document)
  print(
    command,
    epochToJson(document),
    () => `${epochText(epoch)}\nsigned: ${out}; hand it over: fleetstep fleet apply ${out}`,
  )
}

/** Who was retired may come back with the same token, if it still holds. */
function warnOfTokens({ members }: GatewayStatus, { retired, revoked = [] }: ProposedEpoch): void {
  const gone = members.filter(({ member, isRetired }) => !isRetired && retired.includes(member))
  const tokens = new Set(gone.flatMap(({ token }) => (token === null || revoked.includes(token) ? [] : [token])))
  for (const token of tokens)
    note(`whoever has its card can join again while token ${token} has uses left: fleetstep fleet revoke ${token}`)
}
