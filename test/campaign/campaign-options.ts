import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readArguments } from '../support/arguments.ts'
import type { CampaignOptions } from './run-campaign.ts'
import { TROUBLES } from './troubles.ts'

const ALL_KINDS = Object.keys(TROUBLES)

/** A healed fleet may take so long until all hold the same. */
const PATIENCE_S = 120

const USAGE = `npm run campaign -- [--seed N] [--minutes M] [--soak] [--only KIND[,KIND]] [--per-second R] [--patience S] [--out DIRECTORY]
  --seed N        another draw of troubles and load (default 1)
  --minutes M     how long (default 5; of a soak 120)
  --soak          a modest load (0.2 changes a second and gateway), longer troubles; from 30 minutes on memory and disk have to stay flat
  --only KINDS    troubles of these kinds alone: ${ALL_KINDS.join(', ')}; none: no trouble at all
  --per-second R  changes of each gateway (default 2)
  --patience S    how long a healed fleet may take until all hold the same (default ${PATIENCE_S})
  --out DIRECTORY where report.json, report.html and the logs of the gateways go (default .cache/campaign/seed-N)
npm run campaign -- --summarise DIRECTORY...
                  prints what several campaigns did as one table, of the report.json in each directory
Campaigns with different seeds can run side by side. What one that was killed has left is taken away by the next one.`

const OPTIONS = {
  seed: { type: 'string', default: '1' },
  minutes: { type: 'string' },
  soak: { type: 'boolean', default: false },
  only: { type: 'string' },
  'per-second': { type: 'string' },
  patience: { type: 'string', default: String(PATIENCE_S) },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

/** @returns the options, or an exit code: 0 for help, 2 for wrong arguments; both have been written to people */
export function readOptions(args: readonly string[]): CampaignOptions | number {
  const read = readArguments(() => parseArgs({ args: [...args], options: OPTIONS }), USAGE)
  if (read === null) return 2
  const { values } = read
  const kinds = values.only === 'none' ? [] : (values.only?.split(',') ?? ALL_KINDS)
  const unknown = kinds.find((kind) => TROUBLES[kind] === undefined)
  const { soak } = values
  const seed = Number(values.seed)
  const minutes = Number(values.minutes ?? (soak ? 120 : 5))
  const perSecond = Number(values['per-second'] ?? defaultPerSecond(soak))
  const patienceMs = Number(values.patience) * 1000
  const isWrong = unknown !== undefined || ![seed, minutes, perSecond, patienceMs].every((number) => number > 0)
  if (values.help || isWrong) {
    console.error(unknown === undefined ? USAGE : `there is no trouble ${unknown}\n${USAGE}`)
    return values.help ? 0 : 2
  }
  const out = values.out ?? join('.cache', 'campaign', `${soak ? 'soak' : 'seed'}-${seed}`)
  return { seed, minutes, perSecond, kinds, isSoak: soak, patienceMs, out }
}

/** @returns the command that draws the same campaign again, as people type it */
export function commandOf({ seed, minutes, perSecond, kinds, isSoak, patienceMs }: CampaignOptions): string {
  const words = [`npm run campaign -- --seed ${seed} --minutes ${minutes}`]
  if (isSoak) words.push('--soak')
  if (kinds !== ALL_KINDS) words.push(`--only '${kinds.length === 0 ? 'none' : kinds.join(',')}'`)
  if (perSecond !== defaultPerSecond(isSoak)) words.push(`--per-second ${perSecond}`)
  if (patienceMs !== PATIENCE_S * 1000) words.push(`--patience ${patienceMs / 1000}`)
  return words.join(' ')
}

function defaultPerSecond(isSoak: boolean): number {
  return isSoak ? 0.2 : 2
}
