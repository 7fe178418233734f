import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import type { Figures, Job } from './core-measure.ts'
import { table } from './core-table.ts'
import { figureOf, type RowKind, ROWS } from './core-rows.ts'
import { type Sizes, type System, SYSTEMS } from './peers-adapters/systems.ts'

export { measure } from './core-measure.ts'

/** The folder of the packages that this benchmark compares with. */
export const packages = 'test/bench/peers'

export interface Options {
  readonly smoke: boolean
  /** This file, bundled. */
  readonly module: string
  /** Whether the packages are there. */
  readonly hasPackages: boolean
}

export interface Row {
  readonly work: string
  readonly unit: string
  readonly better: RowKind['better']
  /** How many times as good as the best peer; null without peers. */
  readonly ratioToBestPeer: number | null
  readonly bestPeer: string
  /** How many times as good as the bare map with CBOR messages; what is above 1 is not to be had. */
  readonly ratioToFloor: number
  readonly ratioToPackedFloor: number
  /** How many times as good as the least that any implementation of the protocol has to do. */
  readonly ratioToProtocolFloor: number
  readonly aim: string
  readonly reached: boolean | null
  /** Whether that least would reach the aim; null where it does not do the work, as it never folds. */
  readonly reachedByProtocolFloor: boolean | null
  readonly note: string
  readonly figures: Figures
}

const FULL: Sizes = {
  operations: 20_000,
  shortJournal: 10_000,
  longJournal: 100_000,
  late: 1000,
  partition: 50_000,
  fleetInOrder: 200,
  fleetAnyOrder: 200,
  history: 100_000,
}
const SMOKE: Sizes = {
  operations: 200,
  shortJournal: 100,
  longJournal: 200,
  late: 20,
  partition: 100,
  fleetInOrder: 2,
  fleetAnyOrder: 2,
  history: 2000,
}
const RUNS = 3

/**
 * The consistency protocol beside other ways to keep a map equal on several nodes, and beside three floors, on the same seeded
 * workload. Each system runs in processes of its own, in turn, and every work ends in a comparison of the states.
 */
export async function run({ smoke, module, hasPackages }: Options): Promise<{ rows: Row[]; text: string }> {
  const systems = SYSTEMS.filter(({ kind }) => hasPackages || kind !== 'peer')
  const figures = new Map<string, Figures[]>()
  const measured = async (system: System, parts: readonly Job['part'][]): Promise<void> => {
    for (const part of parts) {
      const sizes = smoke ? SMOKE : { ...FULL, ...system.smaller }
      const known = figures.get(system.name) ?? []
      const started = performance.now()
      figures.set(system.name, [...known, await inChild(module, { system: system.name, part, sizes })])
      if (!smoke) console.error(`${system.name}, ${part}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
    }
  }
  if (smoke) for (const system of systems) await measured(system, ['everything'])
  else {
    for (const system of systems) await measured(system, ['save', 'memory'])
    for (const system of systems) if (system.kind === 'ours') await measured(system, ['memory-folded'])
    for (let round = 0; round < RUNS; round++)
      for (const system of systems) await measured(system, ['work', 'cold-start'])
  }
  const medians = new Map(systems.map(({ name }) => [name, mediansOf(figures.get(name) ?? [])]))
  const rows = ROWS.map((kind) => rowOf(kind, systems, medians))
  return { rows, text: table(rows, systems, smoke ? 1 : RUNS) }
}

/** The daemon keeps the room for new objects at its first size, see runtime/cli/young-generation.ts: so it is for all systems here. */
const YOUNG_GENERATION = "(await import('node:v8')).setFlagsFromString('--semi-space-growth-factor=1')"

async function inChild(module: string, job: Omit<Job, 'file' | 'importMs'>): Promise<Figures> {
  const folder = `${tmpdir()}/fleetstep-bench`
  mkdirSync(folder, { recursive: true })
  const file = `${folder}/${process.pid}-${job.system}.json`
  const script = `
    ${job.part.startsWith('memory') ? YOUNG_GENERATION : ''}
    const before = process.cpuUsage()
    const { measure } = await import(${JSON.stringify(module)})
    const used = process.cpuUsage(before)
    const job = { ...${JSON.stringify({ ...job, file })}, importMs: (used.user + used.system) / 1000 }
    console.log('\\n' + JSON.stringify(await measure(job)))`
  const child = promisify(execFile)(process.execPath, ['--expose-gc', '--input-type=module', '-e', script])
  const { stdout } = await child.catch((error: Error & { stderr: string }) => {
    throw new Error(`${job.system}, ${job.part}: ${error.stderr}`)
  })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Figures
}

function mediansOf(runs: readonly Figures[]): Figures {
  const names = new Set(runs.flatMap((figures) => Object.keys(figures)))
  const medians = new Map<string, number>()
  for (const name of names) {
    const sorted = runs.flatMap((figures) => figures[name] ?? []).sort((left, right) => left - right)
    medians.set(name, sorted[sorted.length >>> 1] ?? 0)
  }
  const growth = (medians.get('longLateMean') ?? 1) / (medians.get('shortLateMean') ?? 1)
  return { ...Object.fromEntries(medians), lateGrowth: growth }
}

function rowOf(kind: RowKind, systems: readonly System[], medians: ReadonlyMap<string, Figures>): Row {
  const figures: Record<string, number> = {}
  for (const { name } of systems) {
    const figure = figureOf(kind, medians.get(name) ?? {})
    // A growth of memory below a measurable one counts as the smallest that is measurable.
    if (figure !== undefined) figures[name] = Math.max(figure, 0.001)
  }
  const ratioTo = (system: string): number => ratio(kind, figures['fleetstep'] ?? 0, figures[system] ?? 1)
  const best = systems
    .filter((system) => system.kind === 'peer' && figures[system.name] !== undefined)
    .sort((left, right) => ratioTo(left.name) - ratioTo(right.name))[0]?.name
  const floor = medians.get('floor-protocol')?.[kind.figure]
  return {
    work: kind.work,
    unit: kind.unit,
    better: kind.better,
    ratioToBestPeer: best === undefined ? null : ratioTo(best),
    bestPeer: best ?? '',
    ratioToFloor: ratioTo('floor-cbor'),
    ratioToPackedFloor: ratioTo('floor-packed'),
    ratioToProtocolFloor: ratioTo('floor-protocol'),
    aim: aimText(kind),
    reached: isReached(kind, figures['fleetstep'] ?? 0, figures, best),
    reachedByProtocolFloor: floor === undefined ? null : isReached(kind, floor, figures, best),
    note: kind.note ?? '',
    figures,
  }
}

function ratio({ better }: RowKind, one: number, other: number): number {
  return better === 'more' ? one / other : other / one
}

/** Null if nothing is aimed at, or nothing is there that the aim is a multiple of. */
function isReached(kind: RowKind, reached: number, figures: Figures, best: string | undefined): boolean | null {
  const { ofPeer, ofFloor, figure } = kind.aim ?? {}
  const parts = [
    ofPeer === undefined || best === undefined ? null : ratio(kind, reached, figures[best] ?? 1) >= ofPeer,
    ofFloor === undefined ? null : ratio(kind, reached, figures['floor-cbor'] ?? 1) >= ofFloor,
    figure === undefined ? null : reached <= figure,
  ].filter((part) => part !== null)
  return parts.length === 0 ? null : parts.every((part) => part)
}

function aimText({ aim, unit }: RowKind): string {
  const { ofPeer, ofFloor, figure } = aim ?? {}
  return [
    ofPeer === undefined ? [] : `${ofPeer}x peer`,
    ofFloor === undefined ? [] : `${ofFloor}x floor`,
    figure === undefined ? [] : `${figure} ${unit}`,
  ]
    .flat()
    .join(', ')
}
