import type { CampaignReport, RoundReport, Sample } from './report.ts'
import { clock, ticks } from './report-text.ts'

const WIDTH = 1100
const LEFT = 90
const HEIGHT = 130
const BOTTOM = 18

/** One plot for each figure, a line for each gateway, and the times of trouble behind them. */
export function plots(report: CampaignReport): string {
  const gateways = [...new Set(report.samples.map(({ gateway }) => gateway))]
  const key = gateways.map((gateway, index) => `<i style="background:${colour(index)}"></i>${gateway}`)
  return [
    `<p class="key">${key.join(' ')}</p>`,
    plot(
      report,
      gateways,
      'Stage (highest place in the order)',
      valuesOf(({ stage }) => stage),
    ),
    plot(
      report,
      gateways,
      'Not settled yet: stages above the floor',
      valuesOf(({ stage, floor }) => stage - floor),
    ),
    plot(
      report,
      gateways,
      'Operations in the journal',
      valuesOf(({ journal }) => journal),
    ),
    plot(
      report,
      gateways,
      'Memory, MiB',
      valuesOf(({ rssKib }) => rssKib / 1024),
    ),
    plot(
      report,
      gateways,
      'Data directory, KiB',
      valuesOf(({ diskBytes }) => diskBytes / 1024),
    ),
    plot(
      report,
      gateways,
      'Sent over the network, KiB a second',
      rateOf(({ sentBytes }) => sentBytes / 1024),
    ),
    plot(
      report,
      gateways,
      'Processor, percent',
      rateOf(({ cpuMs }) => cpuMs / 10),
    ),
  ].join('\n')
}

type Points = readonly (readonly [ms: number, value: number])[]
type PointsOf = (samples: readonly Sample[]) => Points

function valuesOf(valueOf: (sample: Sample) => number): PointsOf {
  return (samples) => samples.filter(({ isUp }) => isUp).map((sample) => [sample.atMs, valueOf(sample)])
}

/** Of a counter, which begins anew when its process does. */
function rateOf(counterOf: (sample: Sample) => number): PointsOf {
  return (samples) => {
    const up = samples.filter(({ isUp }) => isUp)
    return up.slice(1).flatMap((sample, index) => {
      const before = up[index]
      const grown = before === undefined ? -1 : counterOf(sample) - counterOf(before)
      return before === undefined || grown < 0
        ? []
        : [[sample.atMs, (grown * 1000) / Math.max(1, sample.atMs - before.atMs)] as const]
    })
  }
}

function plot(
  { samples, elapsedMs, rounds }: CampaignReport,
  gateways: readonly string[],
  title: string,
  pointsOf: PointsOf,
): string {
  const lines = gateways.map((gateway) => pointsOf(samples.filter((sample) => sample.gateway === gateway)))
  const most = niceTop(Math.max(1, ...lines.flat().map(([, value]) => value)))
  const x = (ms: number): number => LEFT + (ms / elapsedMs) * (WIDTH - LEFT)
  const y = (value: number): number => 4 + (1 - value / most) * (HEIGHT - 8)
  const grid = [0, most / 2, most].map(
    (value) =>
      `<line x1="${LEFT}" x2="${WIDTH}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#ddd"/><text x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${Number(value.toPrecision(3))}</text>`,
  )
  const times = ticks(elapsedMs).map(
    (ms) => `<text x="${x(ms).toFixed(1)}" y="${HEIGHT + 13}" text-anchor="middle">${clock(ms)}</text>`,
  )
  const polylines = lines.map(
    (points, index) =>
      `<polyline points="${points.map(([ms, value]) => `${x(ms).toFixed(1)},${y(value).toFixed(1)}`).join(' ')}" fill="none" stroke="${colour(index)}" stroke-width="1.2"><title>${gateways[index] ?? ''}</title></polyline>`,
  )
  return `<h3>${title}</h3><svg viewBox="0 0 ${WIDTH} ${HEIGHT + BOTTOM}" role="img">${troubleTimes(rounds, x)}${grid.join('')}${times.join('')}${polylines.join('')}</svg>`
}

function troubleTimes(rounds: readonly RoundReport[], x: (ms: number) => number): string {
  return rounds
    .flatMap(({ troubles, healedMs }) => {
      const fromMs = Math.min(...troubles.map((trouble) => trouble.fromMs))
      if (!Number.isFinite(fromMs)) return []
      const width = Math.max(1, x(healedMs) - x(fromMs))
      return `<rect x="${x(fromMs).toFixed(1)}" y="4" width="${width.toFixed(1)}" height="${HEIGHT - 8}" fill="#c0392b" fill-opacity=".07"/>`
    })
    .join('')
}

/** The next of 1, 2 and 5 times a power of ten. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 5, 10].find((one) => one * power >= value) ?? 10)
}

function colour(index: number): string {
  return `hsl(${(index * 137) % 360} 60% 42%)`
}
