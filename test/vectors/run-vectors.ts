import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { Observer } from './observer.ts'
import { type Ending, readScenarios, type Scenario, type Step } from './scenario.ts'

/** The files that belong to the project. */
export const OWN_FILES: readonly string[] = ['scenarios.json', 'members.json'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
)

const USAGE = `npm run vectors -- [FILE …]
  Plays golden scenarios through a real replica and prints the first difference of each. Without FILE, the project's own.`

/** What became of one scenario. */
export type Verdict = { readonly kind: 'equal' } | { readonly kind: 'differs'; readonly difference: string }

/**
 * Plays the files and prints one line for each scenario.
 * @returns the exit code: 0 if all are equal, 1 if one differs or could not be played, 2 for wrong usage
 */
export function main(args: readonly string[], print: (line: string) => void = console.log): Promise<number> {
  try {
    return Promise.resolve(playAll(args, print))
  } catch (error) {
    print(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return Promise.resolve(2)
  }
}

/** @throws Error if the scenario contradicts itself */
export function play(scenario: Scenario): Verdict {
  const observer = new Observer(scenario)
  for (const [index, step] of scenario.steps.entries()) {
    const seen = observer.deliver(scenario.deliver[index] ?? step.d)
    const difference = differenceOfSteps(step, seen)
    if (difference !== null) {
      return { kind: 'differs', difference: `step ${index + 1} (${JSON.stringify(step.d)}): ${difference}` }
    }
  }
  const difference = differenceOfEndings(scenario.expect, observer.ending())
  return difference === null ? { kind: 'equal' } : { kind: 'differs', difference: `at the end: ${difference}` }
}

function playAll(args: readonly string[], print: (line: string) => void): number {
  const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true })
  let failures = 0
  for (const file of positionals.length > 0 ? positionals : OWN_FILES) {
    for (const scenario of readScenarios(file)) {
      const verdict = play(scenario)
      print(lineOf(scenario, verdict))
      if (verdict.kind === 'differs') failures += 1
    }
  }
  return failures === 0 ? 0 : 1
}

function lineOf({ name }: Scenario, verdict: Verdict): string {
  return verdict.kind === 'differs' ? `${name}: differs: ${verdict.difference}` : `${name}: ${verdict.kind}`
}

/** A field that the format leaves out where nothing of the kind happened is compared as what it then stands for. */
function differenceOfSteps(expected: Step, seen: Step): string | null {
  const known = new Set(Object.keys(seen))
  const unknown = Object.keys(expected).find((field) => !known.has(field))
  if (unknown !== undefined) return `${unknown} is a field that is not known here`
  const whole: Step = { undone: [], removed: [], ...expected, floor: expected.floor ?? seen.floor ?? 0 }
  return firstDifference(whole, seen)
}

/** The lists of an ending are sets. */
function differenceOfEndings(expected: Ending, seen: Ending): string | null {
  return firstDifference(sorted(expected), sorted(seen))
}

function sorted(ending: Ending): Ending {
  const keyOf = (conflict: Ending['conflicts'][number]): string => `${conflict.op} ${conflict.path} ${conflict.by}`
  return {
    ...ending,
    conflicts: ending.conflicts.toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1)),
    members: ending.members.toSorted(),
  }
}

function firstDifference<T extends object>(expected: T, seen: T): string | null {
  for (const field of Object.keys(expected) as (keyof T & string)[]) {
    if (isDeepStrictEqual(expected[field], seen[field])) continue
    return `${field}: expected ${JSON.stringify(expected[field])}, seen ${JSON.stringify(seen[field])}`
  }
  return null
}
