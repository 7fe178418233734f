import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { growthChart } from './scale-chart.ts'
import type { ScaleFigures, ScaleJob } from './scale-measure.ts'

export { measureScale } from './scale-measure.ts'

interface Options {
  readonly smoke: boolean
  /** This file, bundled. */
  readonly module: string
  /** Where the drawing goes, or null for its usual place. */
  readonly report: string | null
}

interface Row {
  readonly figure: string
  readonly unit: string
  /** How many times as large the figure may grow for each time that the fleet grows: below 1 is better than linear. */
  readonly ratioToLinear: number
  readonly [members: `of ${number}`]: number
}

const FIGURES: readonly { readonly name: string; readonly figure: string; readonly unit: string }[] = [
  { name: 'idleBytesPerS', figure: 'idle, received by each node', unit: 'B/s' },
  { name: 'idleFramesPerS', figure: 'idle, received by each node', unit: 'frames/s' },
  { name: 'idleCpu', figure: 'idle, CPU of each node', unit: 'µs/s' },
  { name: 'activeBytesPerS', figure: '1 % active, received by each node', unit: 'B/s' },
  { name: 'activeFramesPerS', figure: '1 % active, received by each node', unit: 'frames/s' },
  { name: 'activeCpu', figure: '1 % active, CPU of each node', unit: 'µs/s' },
  { name: 'changeMs', figure: 'one change, until all have it', unit: 'ms' },
  { name: 'lossMs', figure: 'the same, lost by 10 %', unit: 'ms' },
  { name: 'lossKb', figure: 'the same, received by each node', unit: 'kB' },
  { name: 'settledMs', figure: 'until it is settled everywhere', unit: 'ms' },
  { name: 'memoryKb', figure: 'memory of each node', unit: 'kB' },
]

/**
 * Fleets of 10, 100 and 1,000 members on one broadcast link, as MQTT is, in the simulator's time: what each node receives,
 * computes and keeps, and how long a change takes. Each size runs in a process of its own.
 */
export async function run({ smoke, module, report }: Options): Promise<{ rows: Row[]; text: string }> {
  const sizes = smoke ? [4, 20] : [10, 100, 1000]
  const measured = new Map<number, ScaleFigures>()
  for (const members of sizes) {
    if (!smoke) console.error(`a fleet of ${members}`)
    measured.set(members, await inChild(module, { members, windowMs: smoke ? 2000 : 20_000, isVerbose: false }))
  }
  const rows = FIGURES.map(({ name, figure, unit }) => {
    const figures = sizes.map((members) => [members, Math.max(measured.get(members)?.[name] ?? 0, 0.001)] as const)
    const growths = figures.slice(1).map(([members, value], index) => {
      const [fewer, before] = figures[index] as readonly [number, number]
      return value / before / (members / fewer)
    })
    const columns = Object.fromEntries(figures.map(([members, value]) => [`of ${members}`, value]))
    return { figure, unit, ratioToLinear: Math.max(...growths), ...columns }
  })
  const file = report ?? fileURLToPath(new URL('../../.cache/bench/scale.svg', import.meta.url))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(
    file,
    growthChart(
      sizes,
      FIGURES.map((kind) => ({ ...kind, values: valuesOf(measured, sizes, kind.name) })),
    ),
  )
  return { rows, text: textOf(rows, sizes, file) }
}

async function inChild(module: string, job: ScaleJob): Promise<ScaleFigures> {
  const script = `
    const { measureScale } = await import(${JSON.stringify(module)})
    console.log('\\n' + JSON.stringify(measureScale(${JSON.stringify(job)})))`
  const flags = ['--expose-gc', '--max-old-space-size=12000', '--input-type=module']
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '-e', script])
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ScaleFigures
}

function valuesOf(measured: ReadonlyMap<number, ScaleFigures>, sizes: readonly number[], name: string): number[] {
  return sizes.map((members) => measured.get(members)?.[name] ?? 0)
}

function textOf(rows: readonly Row[], sizes: readonly number[], file: string): string {
  const head = ['', 'x linear', ...sizes.map((members) => `of ${members}`)]
  const lines = rows.map((row) => [
    `${row.figure}, ${row.unit}`,
    row.ratioToLinear.toPrecision(2),
    ...sizes.map((members) => Number((row[`of ${members}`] ?? 0).toPrecision(3)).toString()),
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)))
  const table = [head, ...lines].map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  )
  return [
    ...table,
    '',
    'x linear: the largest growth of the figure over the growth of the fleet; up to 1 is no worse than linear for each node.',
    'One process simulates all nodes; in idle times 50 of them listen. Up to 20 members have issued something before.',
    `The growth is drawn in ${file}.`,
  ]
    .map((line) => `  ${line}`.trimEnd())
    .join('\n')
}
