import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { obstacleToLoopDisks } from '../faults/loop-disk.ts'
import { NAMESPACE_SKIP } from '../support/network-namespace.ts'
import { findProgram } from '../support/system-programs.ts'
import { commandOf, readOptions } from './campaign-options.ts'
import { reportPage } from './report-page.ts'
import type { CampaignReport } from './report.ts'
import { type CampaignOptions, CLOCK_LIBRARY, runCampaign } from './run-campaign.ts'
import { readReports, summaryOf } from './summary.ts'

/** @returns the exit code: 0, 1 if a promise was broken or nothing could be tested, 2 for wrong arguments */
export async function main(args: readonly string[]): Promise<number> {
  const summarised = args.indexOf('--summarise')
  if (summarised >= 0) return summarise(args.slice(summarised + 1))
  const options = readOptions(args)
  if (typeof options === 'number') return options
  const obstacle = obstacleToCampaign()
  if (obstacle !== null) {
    console.error(`No campaign can be run here: ${obstacle}.`)
    return 1
  }
  const { out } = options
  mkdirSync(out, { recursive: true })
  const report = await runCampaign(options)
  writeFileSync(join(out, 'report.json'), `${JSON.stringify(report)}\n`)
  writeFileSync(join(out, 'report.html'), reportPage(report))
  console.log(textOf(report, options))
  return report.broken.length === 0 ? 0 : 1
}

function summarise(directories: readonly string[]): number {
  try {
    if (directories.length === 0) throw new Error('name the directories of reports behind --summarise')
    console.log(summaryOf(readReports(directories)))
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return 2
  }
}

/** Why no campaign can be run here, or null. */
export function obstacleToCampaign(): string | null {
  const missing = ['mosquitto', 'nats-server', 'socat', 'mosquitto_sub', 'ip', 'mkfs.ext4', 'fsfreeze'].find(
    (program) => findProgram(program) === null,
  )
  if (missing !== undefined) return `${missing} is missing`
  if (CLOCK_LIBRARY === null) return 'libfaketime is missing (Debian: faketime)'
  return obstacleToLoopDisks() ?? (NAMESPACE_SKIP === false ? null : NAMESPACE_SKIP)
}

function textOf(report: CampaignReport, options: CampaignOptions): string {
  const { rounds, operations, durable, unknown, broken, falls } = report
  const troubles = rounds.flatMap((round) => round.troubles)
  const { length: struck } = troubles.filter((trouble) => trouble.struck !== null)
  return [
    `${rounds.length} rounds, ${struck} troubles that struck and ${troubles.length - struck} that struck nothing, ${operations} changes: ${durable} told durable, ${unknown} without an answer`,
    `after a trouble all held the same within ${spanOf(rounds.map((round) => round.convergedMs))}, and had settled within ${spanOf(rounds.map((round) => round.settledMs))}`,
    `${falls.length} daemons ended by themselves`,
    broken.length === 0
      ? 'no promise was broken'
      : `${broken.length} promises broken; repeat with ${commandOf(options)}`,
    `report: ${join(options.out, 'report.html')}`,
  ].join('\n')
}

function spanOf(spansMs: readonly number[]): string {
  const mean = spansMs.reduce((sum, one) => sum + one, 0) / Math.max(1, spansMs.length)
  return `${Math.round(mean)} ms on average, ${Math.max(0, ...spansMs)} ms at most`
}
