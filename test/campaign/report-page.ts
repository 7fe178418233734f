import type { CampaignReport, Sample } from './report.ts'

const WIDTH = 1100
const LEFT = 110
const LANE = 22
const PLOT = 120

/** The report as one page that needs nothing else: what happened when, and what each gateway did. */
export function reportPage(report: CampaignReport): string {
  const gateways = [...new Set(report.samples.map(({ gateway }) => gateway))]
  const verdict =
    report.broken.length === 0 ? 'No promise was broken.' : `${report.broken.length} promises were broken.`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Campaign, seed ${report.seed}</title>
<style>
  body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; max-width: ${WIDTH}px }
  table { border-collapse: collapse } td, th { padding: 2px 10px 2px 0; text-align: left; vertical-align: top }
  .broken { color: #b00020 } svg text { font: 11px system-ui, sans-serif; fill: #444 }
</style>
<h1>Campaign, seed ${report.seed}</h1>
<p class="${report.broken.length === 0 ? '' : 'broken'}">${verdict} ${report.rounds.length} rounds in ${seconds(report.elapsedMs)} s;
${report.operations} changes, ${report.durable} told durable, ${report.unknown} without an answer;
${report.falls.length} daemons ended by themselves.</p>
${list(report.broken, 'broken')}${list(report.falls, '')}
<h2>What happened</h2>
${timeline(report, gateways)}
<p>A lane is blue while the gateway answers as a member, orange while it is a draft, and empty while it does not answer. Grey bars are
troubles; green ones the time from the end of the last one until all had settled alike.</p>
<h2>Stages, floors and journals</h2>
${plot(report, gateways, ({ stage }) => stage, 'stage of each gateway')}
${plot(report, gateways, ({ floor }) => floor, 'settled stage of each gateway')}
${plot(report, gateways, ({ journal }) => journal, 'operations in each journal')}
<h2>Memory and disk</h2>
${plot(report, gateways, ({ rssKib }) => rssKib / 1024, 'MiB of memory of each gateway')}
${plot(report, gateways, ({ diskBytes }) => diskBytes / 1024, 'KiB on the disk of each gateway')}
<h2>Rounds</h2>
<table><tr><th>healed at</th><th>the same after</th><th>settled after</th><th>bytes sent until then</th><th>troubles</th></tr>
${report.rounds.map(({ healedMs, convergedMs, settledMs, bytesToConverge, troubles }) => `<tr><td>${seconds(healedMs)} s</td><td>${convergedMs} ms</td><td>${settledMs} ms</td><td>${bytesToConverge}</td><td>${troubles.map(({ what }) => escaped(what)).join('<br>')}</td></tr>`).join('\n')}
</table>
</html>
`
}

function timeline({ rounds, samples, elapsedMs }: CampaignReport, gateways: readonly string[]): string {
  const troubles = rounds.flatMap((round) => round.troubles)
  const height = (gateways.length + 2) * LANE + 40
  const x = (ms: number): number => LEFT + (ms / elapsedMs) * (WIDTH - LEFT)
  const lanes = gateways.map((gateway, lane) => {
    const own = samples.filter((sample) => sample.gateway === gateway && sample.isUp)
    const bars = own.map(
      ({ atMs, isMember }) =>
        `<rect x="${x(atMs).toFixed(1)}" y="${lane * LANE + 4}" width="${((WIDTH - LEFT) * 2100) / elapsedMs}" height="${LANE - 8}" fill="${isMember ? '#4a7fb5' : '#e08a1e'}"/>`,
    )
    return `<text x="0" y="${lane * LANE + 15}">${gateway}</text>${bars.join('')}`
  })
  const top = gateways.length * LANE + 4
  const bars = troubles.map(
    ({ what, fromMs, untilMs }) =>
      `<rect x="${x(fromMs).toFixed(1)}" y="0" width="${Math.max(1, x(untilMs) - x(fromMs)).toFixed(1)}" height="${top + LANE}" fill="#888" fill-opacity="0.2"><title>${escaped(what)}</title></rect>`,
  )
  const healing = rounds.map(
    ({ healedMs, settledMs }) =>
      `<rect x="${x(healedMs).toFixed(1)}" y="${top + LANE}" width="${Math.max(1, x(settledMs) - LEFT).toFixed(1)}" height="${LANE - 8}" fill="#3a9d5d"><title>settled after ${settledMs} ms</title></rect>`,
  )
  return `<svg viewBox="0 0 ${WIDTH} ${height}">${bars.join('')}${lanes.join('')}<text x="0" y="${top + LANE + 11}">settling</text>${healing.join('')}<text x="${LEFT}" y="${height - 8}">0 s</text><text x="${WIDTH - 50}" y="${height - 8}">${seconds(elapsedMs)} s</text></svg>`
}

function plot(
  { samples, elapsedMs }: CampaignReport,
  gateways: readonly string[],
  valueOf: (sample: Sample) => number,
  title: string,
): string {
  const most = Math.max(1, ...samples.map(valueOf))
  const lines = gateways.map((gateway, index) => {
    const points = samples
      .filter((sample) => sample.gateway === gateway && sample.isUp)
      .map(
        (sample) =>
          `${(LEFT + (sample.atMs / elapsedMs) * (WIDTH - LEFT)).toFixed(1)},${(PLOT - (valueOf(sample) / most) * (PLOT - 14)).toFixed(1)}`,
      )
    return `<polyline points="${points.join(' ')}" fill="none" stroke="hsl(${index * 36} 60% 40%)" stroke-width="1"><title>${gateway}</title></polyline>`
  })
  return `<svg viewBox="0 0 ${WIDTH} ${PLOT + 6}"><text x="0" y="12">${title}</text><text x="0" y="28">up to ${Math.round(most)}</text>${lines.join('')}</svg>`
}

function list(lines: readonly string[], style: string): string {
  return lines.length === 0
    ? ''
    : `<ul class="${style}">${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>\n`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
