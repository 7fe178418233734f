import { plots } from './report-plots.ts'
import { timeline } from './report-timeline.ts'
import type { CampaignReport, JobReport, RoundReport } from './report.ts'
import { kindsOf } from './kinds.ts'
import { escaped, mib, seconds } from './report-text.ts'

/** The report as one page that needs nothing else: what happened when, and what each gateway did. */
export function reportPage(report: CampaignReport): string {
  const isKept = report.broken.length === 0
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Campaign, seed ${report.seed}</title>
<style>${STYLE}</style>
<h1>Campaign, seed ${report.seed}</h1>
<p class="verdict ${isKept ? 'kept' : 'broken'}">${isKept ? 'No promise was broken.' : `${report.broken.length} promises were broken.`}</p>
${list(report.broken)}
${figures(report)}
<h2>What happened</h2>
<p class="key"><i style="background:#4a7fb5"></i>answers as a member <i style="background:#e08a1e"></i>asks to become one
<i style="background:#eee"></i>does not answer <i style="background:#c0392b;opacity:.45"></i>in trouble
<i style="background:#3a9d5d"></i>healed, until all have settled alike. Point at a bar to read what it was.</p>
${timeline(report)}
<h2>Stages, floors, memory, disk, traffic</h2>
${plots(report)}
<h2>Rounds</h2>
${roundsTable(report.rounds)}
<h2>Kinds of trouble</h2>
${kindsTable(report.rounds)}
<h2>What the clients did</h2>
${jobsTable(report.jobs)}
<h2>Alarms</h2>
${report.alarms.length === 0 ? '<p>None.</p>' : list(report.alarms.map(({ gateway, message }) => `${gateway}: ${message}`))}
${report.falls.length === 0 ? '' : `<h2>Daemons that ended by themselves</h2>${list(report.falls)}`}
</html>
`
}

const STYLE = `
  body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem auto; padding: 0 1rem; color: #222; max-width: 1140px }
  h2 { margin: 2rem 0 .5rem; font-size: 1.15rem } h3 { margin: 1rem 0 0; font-size: .95rem; font-weight: 600 }
  .verdict { font-size: 1.1rem; font-weight: 600 } .kept { color: #2a7a45 } .broken { color: #b00020 }
  table { border-collapse: collapse } td, th { padding: 3px 14px 3px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee }
  td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
  .figures { display: flex; flex-wrap: wrap; gap: .5rem 2rem } .figures div { min-width: 8rem } .figures b { display: block; font-size: 1.25rem }
  .key i { display: inline-block; width: 1em; height: .8em; margin: 0 .3em 0 1em } .key { color: #555 }
  svg { display: block; width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif; fill: #444 }
`

function figures({
  rounds,
  operations,
  durable,
  unknown,
  typed,
  prefixes,
  traffic,
  cpu,
  elapsedMs,
}: CampaignReport): string {
  const sent = traffic.networkBytes + traffic.serialBytes
  const cells: readonly (readonly [string, string])[] = [
    [
      `${rounds.flatMap(({ troubles }) => troubles).filter(({ struck }) => struck !== null).length}`,
      `troubles that struck in ${rounds.length} rounds, ${seconds(elapsedMs)} s`,
    ],
    [`${operations}`, `changes, ${typed} of them typed`],
    [`${durable}`, `told durable; ${unknown} without an answer`],
    [`${prefixes}`, 'settled prefixes looked at'],
    [
      `${seconds(Math.max(0, ...rounds.map(({ settledMs }) => settledMs)))} s`,
      'at most from a heal until all had settled',
    ],
    [`${mib(sent)} MiB`, `sent; the changes alone, to each gateway once: ${mib(traffic.neededBytes)} MiB`],
    [
      `${((100 * cpu.gatewaysMs) / elapsedMs / 10).toFixed(1)} %`,
      `of a processor for each gateway; ${((100 * cpu.harnessMs) / elapsedMs).toFixed(0)} % for what watches them`,
    ],
  ]
  return `<div class="figures">${cells.map(([figure, what]) => `<div><b>${figure}</b>${what}</div>`).join('')}</div>`
}

function roundsTable(rounds: readonly RoundReport[]): string {
  const rows = rounds.map(
    ({ fromMs, troubles, convergedMs, settledMs, traffic, bytesToConverge }, index) =>
      `<tr><td class="number">${index + 1}</td><td class="number">${seconds(fromMs)} s</td><td>${troubles.map(({ what, struck }) => `${escaped(what)}: <em>${escaped(struck ?? 'struck nothing')}</em>`).join('<br>')}</td>${numbers(`${convergedMs} ms`, `${settledMs} ms`, kib(bytesToConverge), kib(traffic.networkBytes + traffic.serialBytes), kib(traffic.neededBytes))}</tr>`,
  )
  return `<table><tr><th class="number"></th><th class="number">from</th><th>troubles</th>${headings('the same after', 'settled after', 'sent until then', 'sent in the round', 'needed')}</tr>${rows.join('\n')}</table>`
}

function kindsTable(rounds: readonly RoundReport[]): string {
  const rows = kindsOf(rounds).map(
    ({
      kind,
      alone,
      together,
      struckNothing,
      lastedMs,
      convergedMs,
      settledMs,
      alarms,
      drafted,
      conflicted,
      falls,
    }) => {
      const spans = [lastedMs, convergedMs, settledMs].map(
        ({ median, worst }) => `${seconds(median)} / ${seconds(worst)} s`,
      )
      const counts = [alarms, drafted, conflicted, falls].map(String)
      return `<tr><td>${escaped(kind)}</td>${numbers(`${alone}`, `${together}`, `${struckNothing}`, ...spans, ...counts)}</tr>`
    },
  )
  const heads = ['alone', 'together', 'struck nothing', 'lasted', 'the same after', 'settled after', 'alarms', 'drafts']
  return `<table><tr><th>kind</th>${headings(...heads, 'conflicts', 'daemons fell')}</tr>${rows.join('\n')}</table>
<p>Spans are median and worst. They, drafts, conflicts and falls are those of the rounds in which it struck, alone or with others; what
struck nothing does not count as tried, and is drawn again.</p>`
}

function jobsTable(jobs: Readonly<Record<string, JobReport>>): string {
  const rows = Object.entries(jobs).map(
    ([job, { asked, durable, refused, standing }]) =>
      `<tr><td>${escaped(job)}</td>${numbers(`${asked}`, `${durable}`, `${refused}`, `${standing}`)}</tr>`,
  )
  return `<table><tr><th>job</th>${headings('asked for', 'told durable', 'refused at once', 'stand at the end')}</tr>${rows.join('\n')}</table>`
}

function numbers(...texts: readonly string[]): string {
  return texts.map((text) => `<td class="number">${text}</td>`).join('')
}

function headings(...texts: readonly string[]): string {
  return texts.map((text) => `<th class="number">${text}</th>`).join('')
}

function list(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`
}
