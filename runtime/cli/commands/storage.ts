import { resolve } from 'node:path'
import type { Command } from 'commander'
import { EXIT_CODES, FleetstepError } from '../../base/errors.ts'
import { loadConfig } from '../../gateway/config.ts'
import { type DirectoryReport, readDataDirectory } from '../../gateway/data-directory.ts'
import { exportDataDirectory } from '../../gateway/data-export.ts'
import { type ImportReport, importDataDirectory } from '../../gateway/data-import.ts'
import { print, table } from '../output.ts'
import { wearText } from '../wear-text.ts'

interface Place {
  readonly config?: string
  readonly directory?: string
}

interface ImportFlags extends Place {
  readonly nodeId?: string
  readonly replace?: true
  readonly foreign?: true
}

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
For a gateway that is stopped. Only import changes its data directory; the others read it as its next start would. While
the gateway runs they say so and end with exit code ${EXIT_CODES['data-directory-locked']}; fleetstep status shows its storage then.

To move a gateway to a new card in the same machine:
  fleetstep storage export pump.export --config gateway.yaml      on the old card, with the gateway stopped
  fleetstep storage import pump.export --config gateway.yaml      on the new one, before its first start`,
  )
  const info = placed(command.command('info')).description('say whose data it is, how much, and how far it goes')
  info.action(async () => {
    const { report } = await readDataDirectory(directoryOf(info), enduranceOf(info))
    print(info, report, () => reportText(report))
  })
  const check = placed(command.command('check')).description(
    `read all of it and say what is not as it should be; exit code ${EXIT_CODES['data-directory-damaged']} if something is missing`,
  )
  check.action(async () => {
    const { report } = await readDataDirectory(directoryOf(check), enduranceOf(check))
    print(check, report, () => [verdictOf(report), ...report.findings].join('\n'))
    if (!report.isWhole) process.exitCode = EXIT_CODES['data-directory-damaged']
  })
  const exporting = placed(command.command('export'))
    .argument('<file>', 'written anew; one that is there is not replaced')
    .description('write the snapshot and all records behind it into one file, as JSON lines with base64')
  exporting.action(async (file: string) => {
    const report = await exportDataDirectory(directoryOf(exporting), resolve(file))
    print(
      exporting,
      { file, ...report },
      () => `${file}: snapshot and ${report.recordsAfterSnapshot} records of node ${report.node}`,
    )
  })
  configureImport(placed(command.command('import')))
}

function configureImport(importing: Command): void {
  importing
    .argument('<file>', 'what storage export wrote; all of it is checked before anything is changed')
    .description('put an export into a data directory that is empty or not there, whole or not at all')
    .option('--replace', 'into one that holds data: the old files stay beside the new ones as replaced-…')
    .option('--foreign', 'also data of another node or fleet, to look at: no gateway here starts with them')
    .option('--node-id <name>', 'as run --node-id, with --config')
    .addHelpText(
      'after',
      `
With --config it is compared with this machine and its fleet at once, without it at the next start of the gateway.
An export is as old as its making. If the other members know more of this node, it notices when it hears them, and goes on
as a draft that waits to be taken in anew. What was on the replaced disk alone is not in the export.`,
    )
    .action(async (file: string) => {
      const { replace, foreign, nodeId, config } = importing.optsWithGlobals<ImportFlags>()
      const report = await importDataDirectory({
        file: resolve(file),
        directory: directoryOf(importing),
        gateway: config === undefined ? null : { config: loadConfig(config), nodeName: nodeId ?? null },
        replaces: replace === true,
        acceptsForeign: foreign === true,
      })
      print(importing, report, () => importText(report))
    })
}

function placed(command: Command): Command {
  return command
    .option('--config <file>', 'the config of the gateway')
    .option('--directory <path>', 'its data directory, in place of a config')
}

function directoryOf(command: Command): string {
  const { config, directory } = command.optsWithGlobals<Place>()
  if (directory !== undefined) return resolve(directory)
  if (config !== undefined) return loadConfig(config).dataDirectory
  throw new FleetstepError('usage', 'name the data directory with --directory PATH, or with --config FILE')
}

function enduranceOf(command: Command): number | undefined {
  const { config } = command.optsWithGlobals<Place>()
  return config === undefined ? undefined : loadConfig(config).storage.cardEnduranceTb
}

function reportText(report: DirectoryReport): string {
  return table([
    ['directory', report.directory],
    ['node', report.node],
    ['fleet', report.fleet],
    ['format', String(report.format)],
    ['records', `${report.lastRecord}, of which ${report.recordsAfterSnapshot} are behind the snapshot`],
    ['snapshot', `through record ${report.snapshotThrough}, ${report.snapshotBytes} bytes`],
    ['journal', `${report.segments} segments`],
    ['on the disk', `${report.diskBytes} bytes, ${report.freeBytes} bytes are free`],
    ['written', `${report.bytesWritten} bytes by all runs of the gateway${wearText(report)}`],
    ['findings', report.findings.length === 0 ? 'none' : `${report.findings.length}: fleetstep storage check`],
  ])
}

function verdictOf({ directory, isWhole, findings, lastRecord }: DirectoryReport): string {
  if (!isWhole) return `${directory}: acknowledged records are missing after record ${lastRecord}`
  return `${directory}: whole up to record ${lastRecord}${findings.length === 0 ? '' : ', and something to know'}`
}

function importText(report: ImportReport): string {
  const { directory, node, fleet, lastRecord, isWhole, replaced } = report
  return [
    `${directory}: node ${node} of fleet ${fleet}, whole up to record ${lastRecord}`,
    ...(isWhole ? [] : ['the export was made of a damaged directory: acknowledged records after that are missing']),
    ...(replaced.length === 0 ? [] : [`the former files are kept beside: ${replaced.join(', ')}`]),
  ].join('\n')
}
