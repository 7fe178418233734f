import type { Row } from './core.bench.ts'
import type { System } from './peers-adapters/systems.ts'

/** For people: first how we stand, then the figures of all. */
export function table(rows: readonly Row[], systems: readonly System[], runs: number): string {
  const standing = rows.map((row) => [
    `${row.work}, ${row.unit}`,
    row.ratioToBestPeer === null ? '–' : short(row.ratioToBestPeer),
    row.bestPeer,
    short(row.ratioToFloor),
    short(row.ratioToProtocolFloor),
    row.aim,
    verdict(row),
  ])
  const figures = rows.map((row) => [`${row.work}, ${row.unit}`, ...systems.map(({ name }) => figureOf(row, name))])
  const lines = [
    ...aligned([['', 'x best peer', '', 'x floor', 'x protocol', 'aim', ''], ...standing]),
    '',
    ...aligned([['', ...systems.map(({ name }) => name)], ...figures]),
    '',
    ...notes(rows, systems, runs),
  ]
  return lines.map((line) => `  ${line}`.trimEnd()).join('\n')
}

function verdict({ reached, reachedByProtocolFloor }: Row): string {
  if (reached === null) return ''
  if (reached) return 'reached'
  return reachedByProtocolFloor === false ? 'missed, by floor-protocol too' : 'missed'
}

function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines.map(([first = '', ...others]) =>
    [first.padEnd(widths[0] ?? 0), ...others.map((cell, column) => cell.padStart(widths[column + 1] ?? 0))].join('  '),
  )
}

function notes(rows: readonly Row[], systems: readonly System[], runs: number): string[] {
  const slow = systems
    .filter((system) => system.smaller !== undefined)
    .map(({ name, smaller }) => {
      const sizes = Object.entries(smaller ?? {}).map(([work, size]) => `${work} ${size}`)
      return `${name} is slow and does less: ${sizes.join(', ')}`
    })
  return [
    `per second of CPU time, median of ${runs} run${runs === 1 ? '' : 's'} in processes of their own; memory and size once.`,
    'x above 1: fleetstep is better. floor-cbor is a bare Map told of changes in the CBOR of the same library; floor-packed',
    'the same packed by hand with agreed paths. Neither keeps order, history, guards or outcomes; nor is anything signed.',
    'x protocol: floor-protocol is the least that any implementation of the protocol has to do, by hand in flat arrays: the same',
    'bytes, digests, order, history and decisions; without checks, settlement, lists of conflicts and all that time does.',
    ...(systems.some(({ kind }) => kind === 'peer')
      ? []
      : ['The peers are not installed, so only the floors stand beside fleetstep.']),
    ...new Set(rows.flatMap(({ note }) => (note === '' ? [] : [note]))),
    ...slow,
  ]
}

function figureOf(row: Row, system: string): string {
  const value = row.figures[system]
  return value === undefined ? '–' : short(value)
}

function short(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 1000) return `${(value / 1000).toPrecision(3)} k`
  return value >= 100 ? value.toFixed(0) : value.toPrecision(value < 0.1 ? 1 : 2)
}
