import { resolve } from 'node:path'
import type { Command } from 'commander'
import { EXIT_CODES, FleetstepError } from '../../base/errors.ts'
import { loadConfig } from '../../gateway/config.ts'
import { type DirectoryReport, exportDataDirectory, readDataDirectory } from '../../gateway/data-directory.ts'
import { print, table } from '../output.ts'

interface Place {
  readonly config?: string
  readonly directory?: string
}

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
These read the data directory of a gateway that is stopped, as its next start would, and change nothing in it. While the
gateway runs they say so and end with exit code ${EXIT_CODES['data-directory-locked']}; fleetstep status shows its storage then.`,
  )
  const info = placed(command.command('info')).description('say whose data it is, how much, and how far it goes')
  info.action(async () => {
    const { report } = await readDataDirectory(directoryOf(info))
    print(info, report, () => reportText(report))
  })
  const check = placed(command.command('check')).description(
    `read all of it and say what is not as it should be; exit code ${EXIT_CODES['data-directory-damaged']} if something is missing`,
  )
  check.action(async () => {
    const { report } = await readDataDirectory(directoryOf(check))
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
    ['findings', report.findings.length === 0 ? 'none' : `${report.findings.length}: fleetstep storage check`],
  ])
}

function verdictOf({ directory, isWhole, findings, lastRecord }: DirectoryReport): string {
  if (!isWhole) return `${directory}: acknowledged records are missing after record ${lastRecord}`
  return `${directory}: whole up to record ${lastRecord}${findings.length === 0 ? '' : ', and something to know'}`
}
