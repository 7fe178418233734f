import type { CampaignReport, RoundReport, Sample, TroubleReport } from './report.ts'
import { clock, escaped, ticks } from './report-text.ts'

const WIDTH = 1100
const LEFT = 90
const LANE = 20

/** A lane for each gateway and one for each trouble of a round; what a gateway suffers lies over its lane. */
export function timeline({ rounds, samples, elapsedMs }: CampaignReport): string {
  const gateways = [...new Set(samples.map(({ gateway }) => gateway))]
  const x = (ms: number): number => LEFT + (ms / elapsedMs) * (WIDTH - LEFT)
  const depth = Math.max(1, ...rounds.map(({ troubles }) => troubles.length))
  const troubleTop = gateways.length * LANE + 8
  const healTop = troubleTop + depth * LANE
  const height = healTop + LANE + 22
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">
${ticks(elapsedMs)
  .map(
    (ms) =>
      `<line x1="${x(ms).toFixed(1)}" x2="${x(ms).toFixed(1)}" y1="0" y2="${healTop + LANE}" stroke="#eee"/><text x="${x(ms).toFixed(1)}" y="${height - 6}" text-anchor="middle">${clock(ms)}</text>`,
  )
  .join('')}
${gateways.map((gateway, lane) => laneOf(gateway, lane, samples, rounds, x)).join('\n')}
<text x="0" y="${troubleTop + 13}">troubles</text>
${rounds.flatMap(({ troubles }) => troubles.map((trouble, row) => troubleBar(trouble, troubleTop + row * LANE, x))).join('\n')}
<text x="0" y="${healTop + 13}">settling</text>
${rounds
  .map(({ healedMs, convergedMs, settledMs }, index) => {
    const width = Math.max(2, x(healedMs + settledMs) - x(healedMs))
    return `<rect x="${x(healedMs).toFixed(1)}" y="${healTop + 3}" width="${width.toFixed(1)}" height="${LANE - 6}" fill="#3a9d5d"><title>round ${index + 1}: all the same after ${convergedMs} ms, settled after ${settledMs} ms</title></rect>`
  })
  .join('')}
</svg>`
}

function laneOf(
  gateway: string,
  lane: number,
  samples: readonly Sample[],
  rounds: readonly RoundReport[],
  x: (ms: number) => number,
): string {
  const top = lane * LANE + 3
  const isNamed = new RegExp(`\\b${gateway}\\b`)
  const spans = spansOf(samples.filter((sample) => sample.gateway === gateway))
  const bars = spans.map(
    ({ fromMs, untilMs, standing }) =>
      `<rect x="${x(fromMs).toFixed(1)}" y="${top}" width="${Math.max(1, x(untilMs) - x(fromMs)).toFixed(1)}" height="${LANE - 6}" fill="${COLOURS[standing]}"><title>${gateway} ${standing}, ${clock(fromMs)} to ${clock(untilMs)}</title></rect>`,
  )
  const troubles = rounds.flatMap((round) => round.troubles.filter(({ what }) => isNamed.test(what)))
  const shades = troubles.map(
    ({ fromMs, untilMs, what }) =>
      `<rect x="${x(fromMs).toFixed(1)}" y="${top}" width="${Math.max(1, x(untilMs) - x(fromMs)).toFixed(1)}" height="${LANE - 6}" fill="#c0392b" fill-opacity=".45"><title>${escaped(what)}</title></rect>`,
  )
  return `<text x="0" y="${top + 11}">${gateway}</text>${bars.join('')}${shades.join('')}`
}

type Standing = 'answers as a member' | 'asks to become a member' | 'does not answer'

const COLOURS: Readonly<Record<Standing, string>> = {
  'answers as a member': '#4a7fb5',
  'asks to become a member': '#e08a1e',
  'does not answer': '#eee',
}

/** Neighbouring samples of one kind are one span, up to the next sample. */
function spansOf(samples: readonly Sample[]): { fromMs: number; untilMs: number; standing: Standing }[] {
  const spans: { fromMs: number; untilMs: number; standing: Standing }[] = []
  for (const { atMs, isUp, isMember } of samples) {
    const standing = isMember ? 'answers as a member' : isUp ? 'asks to become a member' : 'does not answer'
    const last = spans.at(-1)
    if (last !== undefined) last.untilMs = atMs
    if (last?.standing !== standing) spans.push({ fromMs: atMs, untilMs: atMs, standing })
  }
  return spans
}

function troubleBar({ kind, what, fromMs, untilMs }: TroubleReport, top: number, x: (ms: number) => number): string {
  const width = Math.max(2, x(untilMs) - x(fromMs))
  const letters = Math.floor(width / 6)
  const label = kind.length <= letters ? kind : letters > 3 ? `${kind.slice(0, letters - 1)}…` : ''
  return `<g><title>${escaped(what)} (${clock(fromMs)} to ${clock(untilMs)})</title><rect x="${x(fromMs).toFixed(1)}" y="${top + 2}" width="${width.toFixed(1)}" height="${LANE - 4}" rx="2" fill="#f0d5d2" stroke="#c0392b" stroke-width=".5"/><text x="${(x(fromMs) + 3).toFixed(1)}" y="${top + 14}">${escaped(label)}</text></g>`
}
