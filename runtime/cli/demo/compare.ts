import { isDeepStrictEqual } from 'node:util'
import type { JournalEntry, Reading } from './reading.ts'

export interface NamedReading {
  readonly name: string
  readonly reading: Reading
}

/**
 * What tells replicas apart, for people: operations that one lacks, their order, their outcomes, the state, the conflicts,
 * the digest of what is settled. Empty if they are equal. The floor is not a part of the state: what is above the highest
 * one is compared operation by operation, and what is below equal ones by digest.
 */
export function differences(replicas: readonly NamedReading[]): string[] {
  const [first, ...others] = replicas
  if (first === undefined) return []
  const floor = Math.max(...replicas.map(({ reading }) => reading.floor))
  return others.flatMap((other) => differencesOfTwo(first, other, floor))
}

/** True once the settled parts can be compared by digest, which {@link differences} then does. */
export function haveOneFloor(replicas: readonly NamedReading[], atLeast: number): boolean {
  const floors = new Set(replicas.map(({ reading }) => reading.floor))
  return floors.size === 1 && replicas.every(({ reading }) => reading.floor >= atLeast)
}

function differencesOfTwo(left: NamedReading, right: NamedReading, floor: number): string[] {
  return [
    ...differencesOfSettled(left, right),
    ...differencesOfJournals(left, right, floor),
    ...differencesOfStates(left, right),
    ...differencesOfConflicts(left, right),
  ]
}

function differencesOfSettled(left: NamedReading, right: NamedReading): string[] {
  if (left.reading.floor !== right.reading.floor) return []
  if (left.reading.floorDigest === right.reading.floorDigest) return []
  return [`the settled history of ${left.name} and ${right.name} is not the same at floor ${left.reading.floor}`]
}

function differencesOfJournals(left: NamedReading, right: NamedReading, floor: number): string[] {
  const ours = above(left, floor)
  const theirs = above(right, floor)
  const lacks = [...lacksOf(left.name, ours, theirs), ...lacksOf(right.name, theirs, ours)]
  if (lacks.length > 0) return lacks
  return ours.flatMap((entry, place) => {
    const other = theirs[place]
    if (isDeepStrictEqual(entry, other)) return []
    return [
      `at place ${place + 1} above floor ${floor} ${left.name} has ${described(entry)} and ${right.name} ${described(other)}`,
    ]
  })
}

function above({ reading }: NamedReading, floor: number): readonly JournalEntry[] {
  return reading.journal.filter(({ stage }) => stage > floor)
}

function lacksOf(name: string, held: readonly JournalEntry[], wanted: readonly JournalEntry[]): string[] {
  const operations = new Set(held.map(({ operation }) => operation))
  const lacking = wanted.filter(({ operation }) => !operations.has(operation))
  return lacking.length === 0 ? [] : [`${name} lacks ${lacking.map(({ operation }) => operation).join(', ')}`]
}

function described(entry: JournalEntry | undefined): string {
  return entry === undefined ? 'nothing' : `${entry.operation} at stage ${entry.stage} (${entry.outcome})`
}

function differencesOfStates(left: NamedReading, right: NamedReading): string[] {
  const paths = new Set([...Object.keys(left.reading.state), ...Object.keys(right.reading.state)])
  return [...paths].flatMap((path) => {
    const ours = left.reading.state[path]
    const theirs = right.reading.state[path]
    if (isDeepStrictEqual(ours, theirs)) return []
    return [`${path} is ${shown(ours)} on ${left.name} and ${shown(theirs)} on ${right.name}`]
  })
}

function differencesOfConflicts(left: NamedReading, right: NamedReading): string[] {
  const ours = new Map(left.reading.conflicts.map((conflict) => [conflict.id, conflict]))
  const theirs = new Map(right.reading.conflicts.map((conflict) => [conflict.id, conflict]))
  return [...new Set([...ours.keys(), ...theirs.keys()])].flatMap((id) => {
    if (isDeepStrictEqual(ours.get(id), theirs.get(id))) return []
    return [`the conflict ${id} is not listed the same on ${left.name} and ${right.name}`]
  })
}

function shown(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value)
}
