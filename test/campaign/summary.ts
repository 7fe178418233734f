import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kindsOf, spanOf } from './kinds.ts'
import type { CampaignReport, Sample } from './report.ts'
import { mib, seconds } from './report-text.ts'

/** @param directories that hold a report.json each @throws Error that names one that does not */
export function readReports(directories: readonly string[]): CampaignReport[] {
  return directories.map((directory) => {
    const file = join(directory, 'report.json')
    if (!existsSync(file)) throw new Error(`there is no ${file}: name the directories that campaigns wrote (--out)`)
    const report = JSON.parse(readFileSync(file, 'utf8')) as CampaignReport
    if (report.kinds === undefined) throw new Error(`${file} is of an older campaign, which did not say what struck`)
    return report
  })
}

/** Several campaigns as one: their figures in all, a line for each, and a line for each kind of trouble. */
export function summaryOf(reports: readonly CampaignReport[]): string {
  return [totals(reports), campaigns(reports), kinds(reports), findings(reports)]
    .filter((part) => part !== '')
    .join('\n\n')
}

function totals(reports: readonly CampaignReport[]): string {
  const rounds = reports.flatMap((report) => report.rounds)
  const troubles = rounds.flatMap((round) => round.troubles)
  const struck = troubles.filter((trouble) => trouble.struck !== null)
  const sent = sumOf(reports.map(({ traffic }) => traffic.networkBytes + traffic.serialBytes))
  const needed = sumOf(reports.map(({ traffic }) => traffic.neededBytes))
  const converged = spanOf(rounds.map(({ convergedMs }) => convergedMs))
  const settled = spanOf(rounds.map(({ settledMs }) => settledMs))
  const ends = reports.map(({ samples }) => atTheEnd(samples))
  return table([
    [
      'campaigns',
      `${reports.length}, ${Math.round(sumOf(reports.map(({ elapsedMs }) => elapsedMs)) / 60_000)} minutes`,
    ],
    ['seeds', reports.map(({ seed }) => seed).join(' ')],
    ['commits', [...new Set(reports.map(({ commit }) => commit))].join(' ')],
    ['rounds', `${rounds.length}`],
    ['troubles', `${struck.length} struck, ${troubles.length - struck.length} struck nothing`],
    ['changes asked for', `${sumOf(reports.map(({ operations }) => operations))}`],
    ['told durable', `${sumOf(reports.map(({ durable }) => durable))}`],
    ['without an answer', `${sumOf(reports.map(({ unknown }) => unknown))}`],
    ['settled prefixes', `${sumOf(reports.map(({ prefixes }) => prefixes))}`],
    ['fate told by others', `${sumOf(reports.map(({ toldByOthers }) => toldByOthers))}`],
    ['promises broken', `${sumOf(reports.map(({ broken }) => broken.length))}`],
    ['daemons that fell', `${sumOf(reports.map(({ falls }) => falls.length))}`],
    ['the same after a heal', `${seconds(converged.median)} s median, ${seconds(converged.worst)} s worst`],
    ['settled after a heal', `${seconds(settled.median)} s median, ${seconds(settled.worst)} s worst`],
    ['sent against needed', `${mib(sent)} against ${mib(needed)} MiB: ${ratio(sent, needed)} times`],
    [
      'memory at the end',
      spanText(
        ends.map(({ memory }) => memory),
        'MiB',
      ),
    ],
    [
      'journal at the end',
      spanText(
        ends.map(({ journal }) => journal),
        'operations',
      ),
    ],
    [
      'disk at the end',
      spanText(
        ends.map(({ disk }) => disk),
        'MiB',
      ),
    ],
  ])
}

function campaigns(reports: readonly CampaignReport[]): string {
  const head = [
    'seed',
    'commit',
    'min',
    'rounds',
    'struck',
    'nothing',
    'durable',
    'broken',
    'falls',
    'same, worst',
    'sent/needed',
    'MiB',
    'journal',
  ]
  const rows = reports.map((report) => {
    const { seed, commit, elapsedMs, rounds, durable, broken, falls, traffic, samples } = report
    const troubles = rounds.flatMap((round) => round.troubles)
    const struck = troubles.filter((trouble) => trouble.struck !== null).length
    const { memory, journal } = atTheEnd(samples)
    return [
      `${seed}`,
      commit,
      (elapsedMs / 60_000).toFixed(1),
      `${rounds.length}`,
      `${struck}`,
      `${troubles.length - struck}`,
      `${durable}`,
      `${broken.length}`,
      `${falls.length}`,
      `${seconds(spanOf(rounds.map(({ convergedMs }) => convergedMs)).worst)} s`,
      ratio(traffic.networkBytes + traffic.serialBytes, traffic.neededBytes),
      memory.worst.toFixed(0),
      `${journal.worst}`,
    ]
  })
  return table([head, ...rows])
}

function kinds(reports: readonly CampaignReport[]): string {
  const head = [
    'kind',
    'alone',
    'together',
    'nothing',
    'lasted',
    'worst',
    'same after',
    'worst',
    'settled',
    'worst',
    'alarms',
    'drafts',
    'conflicts',
    'falls',
  ]
  const rows = kindsOf(reports.flatMap((report) => report.rounds)).map((one) => [
    one.kind,
    `${one.alone}`,
    `${one.together}`,
    `${one.struckNothing}`,
    ...[one.lastedMs, one.convergedMs, one.settledMs].flatMap(({ median, worst }) => [
      `${seconds(median)} s`,
      `${seconds(worst)} s`,
    ]),
    `${one.alarms}`,
    `${one.drafted}`,
    `${one.conflicted}`,
    `${one.falls}`,
  ])
  return rows.length === 0 ? '' : table([head, ...rows])
}

function findings(reports: readonly CampaignReport[]): string {
  return reports
    .flatMap(({ seed, broken, falls }) => [
      ...broken.map((line) => `seed ${seed}: BROKEN: ${line}`),
      ...falls.map((line) => `seed ${seed}: ${line}`),
    ])
    .join('\n')
}

interface AtTheEnd {
  readonly memory: { readonly median: number; readonly worst: number }
  readonly journal: { readonly median: number; readonly worst: number }
  readonly disk: { readonly median: number; readonly worst: number }
}

/** Of each gateway that was up, what was seen of it last. */
function atTheEnd(samples: readonly Sample[]): AtTheEnd {
  const last = [...new Map(samples.filter(({ isUp }) => isUp).map((sample) => [sample.gateway, sample])).values()]
  return {
    memory: spanOf(last.map(({ rssKib }) => rssKib / 1024)),
    journal: spanOf(last.map(({ journal }) => journal)),
    disk: spanOf(last.map(({ diskBytes }) => diskBytes / 1024 / 1024)),
  }
}

function spanText(spans: readonly { readonly median: number; readonly worst: number }[], unit: string): string {
  const median = spanOf(spans.map((span) => span.median)).median
  return `${Math.round(median)} ${unit} median, ${Math.round(Math.max(0, ...spans.map(({ worst }) => worst)))} worst, of one gateway`
}

function ratio(sent: number, needed: number): string {
  return needed === 0 ? '-' : (sent / needed).toFixed(1)
}

/** Columns as wide as they have to be, the first one to the left. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const isPair = widths.length === 2
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 || isPair ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0)
}
