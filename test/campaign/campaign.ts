import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { obstacleToLoopDisks } from '../faults/loop-disk.ts'
import { NAMESPACE_SKIP } from '../support/network-namespace.ts'
import { readArguments } from '../support/arguments.ts'
import { findProgram } from '../support/system-programs.ts'
import { reportPage } from './report-page.ts'
import type { CampaignReport } from './report.ts'
import { type CampaignOptions, CLOCK_LIBRARY, runCampaign } from './run-campaign.ts'
import { readReports, summaryOf } from './summary.ts'
import { TROUBLES } from './troubles.ts'

const USAGE = `npm run campaign -- [--seed N] [--minutes M] [--soak] [--only KIND[,KIND]] [--per-second R] [--patience S] [--out DIRECTORY]
  --seed N        another draw of troubles and load (default 1)
  --minutes M     how long (default 5; of a soak 120)
  --soak          a modest load (0.2 changes a second and gateway), longer troubles; from 30 minutes on memory and disk have to stay flat
  --only KINDS    troubles of these kinds alone: ${Object.keys(TROUBLES).join(', ')}; none: no trouble at all
  --per-second R  changes of each gateway (default 2)
  --patience S    how long a healed fleet may take until all hold the same (default 120)
  --out DIRECTORY where report.json, report.html and the logs of the gateways go (default .cache/campaign/seed-N)
npm run campaign -- --summarise DIRECTORY...
                  prints what several campaigns did as one table, of the report.json in each directory
Campaigns with different seeds can run side by side. What one that was killed has left is taken away by the next one.`

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
  console.log(textOf(report, out))
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

const OPTIONS = {
  seed: { type: 'string', default: '1' },
  minutes: { type: 'string' },
  soak: { type: 'boolean', default: false },
  only: { type: 'string' },
  'per-second': { type: 'string' },
  patience: { type: 'string', default: '120' },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

function readOptions(args: readonly string[]): CampaignOptions | number {
  const read = readArguments(() => parseArgs({ args: [...args], options: OPTIONS }), USAGE)
  if (read === null) return 2
  const { values } = read
  const kinds = values.only === 'none' ? [] : (values.only?.split(',') ?? Object.keys(TROUBLES))
  const unknown = kinds.find((kind) => TROUBLES[kind] === undefined)
  const { soak } = values
  const seed = Number(values.seed)
  const minutes = Number(values.minutes ?? (soak ? 120 : 5))
  const perSecond = Number(values['per-second'] ?? (soak ? 0.2 : 2))
  const patienceMs = Number(values.patience) * 1000
  const isWrong = unknown !== undefined || ![seed, minutes, perSecond, patienceMs].every((number) => number > 0)
  if (values.help || isWrong) {
    console.error(unknown === undefined ? USAGE : `there is no trouble ${unknown}\n${USAGE}`)
    return values.help ? 0 : 2
  }
  const out = values.out ?? join('.cache', 'campaign', `${soak ? 'soak' : 'seed'}-${seed}`)
  return { seed, minutes, perSecond, kinds, isSoak: soak, patienceMs, out }
}

function textOf(report: CampaignReport, out: string): string {
  const { rounds, operations, durable, unknown, broken, falls, seed, minutes } = report
  const troubles = rounds.flatMap((round) => round.troubles)
  const { length: struck } = troubles.filter((trouble) => trouble.struck !== null)
  return [
    `${rounds.length} rounds, ${struck} troubles that struck and ${troubles.length - struck} that struck nothing, ${operations} changes: ${durable} told durable, ${unknown} without an answer`,
    `after a trouble all held the same within ${spanOf(rounds.map((round) => round.convergedMs))}, and had settled within ${spanOf(rounds.map((round) => round.settledMs))}`,
    `${falls.length} daemons ended by themselves`,
    broken.length === 0
      ? 'no promise was broken'
      : `${broken.length} promises broken; repeat with npm run campaign -- --seed ${seed} --minutes ${minutes}`,
    `report: ${join(out, 'report.html')}`,
  ].join('\n')
}

function spanOf(spansMs: readonly number[]): string {
  const mean = spansMs.reduce((sum, one) => sum + one, 0) / Math.max(1, spansMs.length)
  return `${Math.round(mean)} ms on average, ${Math.max(0, ...spansMs)} ms at most`
}
