import type { Command } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import type { HardwareReport } from '../../device/identity/hardware.ts'
import { deriveNodeId, explainNodeId, type NodeIdentity } from '../../device/identity/node-id.ts'
import { readHardware } from '../../device/identity/sources.ts'
import type { NodeId } from '../../base/ids.ts'
import { loadProfile } from '../../device/profiles/load.ts'
import { type GatewayConfig, loadConfig } from '../../gateway/config.ts'
import { fleetOf } from '../../gateway/fleet.ts'
import { shippedProfile } from '../../gateway/shipped-profiles.ts'
import { assertTier, type ChosenTier, chosenTier, tierBinding } from '../../gateway/tier.ts'
import { type GlobalOptions, globalOptions, note, print, printLine, table } from '../output.ts'

interface NodeIdOptions extends GlobalOptions {
  readonly explain?: true
  readonly nodeId?: string
  readonly label?: string
  readonly config?: string
}

export function configure(command: Command): void {
  const id = command
    .command('id')
    .description('print the node id of this machine: the name of a member in fleet.members of every config')
    .option('--explain', 'show each source that was asked, and why it was used or not')
    .option('--node-id <name>', 'as run --node-id: name this node instead of asking the hardware')
    .option('--label <label>', 'as label in the config: tells several nodes on one machine apart')
    .option('--config <file>', 'the config of this gateway: its label, and with --explain the tier and what says so')
    .action(() => printNodeId(id))
}

function printNodeId(command: Command): void {
  const options = command.optsWithGlobals<NodeIdOptions>()
  const report = readHardware({ override: options.nodeId ?? null })
  if (options.explain === true && globalOptions(command).json !== true) printLine(explanationText(report))
  const config = options.config === undefined ? null : loadConfig(options.config)
  const identity = derive(report, options.label ?? config?.label ?? '')
  const { id, source, warnings } = identity
  const result = { id, source, warnings, container: report.container }
  const tier = options.explain === true && config !== null ? tierOf(config, id) : null
  const more = options.explain === true ? { sources: explainNodeId(report), tier } : {}
  print(command, { ...result, ...more }, () => (options.explain === true ? `\nnode id ${id}\n${tierText(tier)}` : id))
  if (globalOptions(command).json !== true) for (const warning of warnings) note(warning)
}

/** With which it joins, or was founded. @throws FleetstepError `config-invalid`, `seed-invalid`, `profile-invalid` */
function tierOf(config: GatewayConfig, node: NodeId): ChosenTier {
  const binding = tierBinding(fleetOf(config, node), node)
  if (config.profile === null) return chosenTier(binding, null)
  const file = shippedProfile(config.profile)
  const { profile } = loadProfile(file)
  assertTier(binding, profile, file)
  return chosenTier(binding, profile)
}

function tierText(tier: ChosenTier | null): string {
  return tier === null ? 'tier    --config FILE shows it: the config says' : `tier    ${tier.tier}, from ${tier.from}`
}

/** @throws FleetstepError `identity-unavailable`, naming the options of this command */
function derive(report: HardwareReport, label: string): NodeIdentity {
  try {
    return deriveNodeId(report, label)
  } catch (error) {
    if (!(error instanceof FleetstepError) || error.code !== 'identity-unavailable' || report.container === null)
      throw error
    throw new FleetstepError(error.code, `${error.message} (here --label LABEL, and label: LABEL in the config)`, {
      cause: error,
    })
  }
}

function explanationText(report: HardwareReport): string {
  const container = report.container === null ? [] : [`This is a container: ${report.container}.`]
  const rows = explainNodeId(report).map(({ verdict, source, reason }) => [verdict, source, reason])
  return [...container, 'Sources, best first:', table(rows, '  ')].join('\n')
}
