import type { Command } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import type { HardwareReport } from '../../device/identity/hardware.ts'
import { deriveNodeId, explainNodeId, type NodeIdentity } from '../../device/identity/node-id.ts'
import { readHardware } from '../../device/identity/sources.ts'
import { type GlobalOptions, globalOptions, note, print, printLine, table } from '../output.ts'

interface NodeIdOptions extends GlobalOptions {
  readonly explain?: true
  readonly nodeId?: string
  readonly label?: string
}

export function configure(command: Command): void {
  const id = command
    .command('id')
    .description('print the node id of this machine: the name of a member in fleet.members of every config')
    .option('--explain', 'show each source that was asked, and why it was used or not')
    .option('--node-id <name>', 'as run --node-id: name this node instead of asking the hardware')
    .option('--label <label>', 'as label in the config: tells several nodes on one machine apart')
    .action(() => printNodeId(id))
}

function printNodeId(command: Command): void {
  const options = command.optsWithGlobals<NodeIdOptions>()
  const report = readHardware({ override: options.nodeId ?? null })
  if (options.explain === true && globalOptions(command).json !== true) printLine(explanationText(report))
  const identity = derive(report, options.label ?? '')
  const { id, source, warnings } = identity
  const result = { id, source, warnings, container: report.container }
  const sources = options.explain === true ? { sources: explainNodeId(report) } : {}
  print(command, { ...result, ...sources }, () => (options.explain === true ? `\nnode id ${id}` : id))
  if (globalOptions(command).json !== true) for (const warning of warnings) note(warning)
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
