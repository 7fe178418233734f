import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { FOCUSES, type Focus } from './swarm.ts'

/** A schedule that failed once. The tests replay it for ever. */
export interface Regression {
  readonly seed: number
  readonly focus: Focus
  /** What was broken, in one line. */
  readonly failure: string
}

const FOLDER = fileURLToPath(new URL('regressions/', import.meta.url))

/** @returns where it is kept */
export function keepRegression(regression: Regression): string {
  const name = `${regression.focus}-${regression.seed}.json`
  writeFileSync(`${FOLDER}${name}`, `${JSON.stringify(regression, null, 2)}\n`)
  return `test/simulation/regressions/${name}`
}

export function regressions(): Regression[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
  return names.toSorted().map((name) => regressionFrom(JSON.parse(readFileSync(`${FOLDER}${name}`, 'utf8'))))
}

export function commandOf({ seed, focus }: Pick<Regression, 'seed' | 'focus'>): string {
  const more = focus === 'all' ? '' : ` --focus ${focus}`
  return `npm run sim -- --seed ${seed} --schedules 1${more}`
}

function regressionFrom(data: unknown): Regression {
  const { seed, focus, failure } = data as Partial<Record<keyof Regression, unknown>>
  const known = FOCUSES.find((one) => one === focus)
  if (typeof seed !== 'number' || known === undefined || typeof failure !== 'string')
    throw new Error(`not a regression: ${JSON.stringify(data)}`)
  return { seed, focus: known, failure }
}
