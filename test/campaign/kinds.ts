import { isExplained } from './alarms.ts'
import type { RoundReport } from './report.ts'

/** What one kind of trouble did over all rounds in which it struck. */
export interface KindReport {
  readonly kind: string
  /** Rounds in which it struck alone, and together with others. */
  readonly alone: number
  readonly together: number
  /** How often it was begun and struck nothing: not counted above, nor in any figure below. */
  readonly struckNothing: number
  readonly lastedMs: Span
  /** From the heal of its rounds until all held the same, and until all had settled alike. */
  readonly convergedMs: Span
  readonly settledMs: Span
  /** Alarms that it explains. */
  readonly alarms: number
  /** In its rounds: changes that waited as drafts, operations that had to yield, daemons that ended by themselves. */
  readonly drafted: number
  readonly conflicted: number
  readonly falls: number
}

export interface Span {
  readonly median: number
  readonly worst: number
}

/** By kind, in the order of its name. A round of several troubles counts for each of them. */
export function kindsOf(rounds: readonly RoundReport[]): KindReport[] {
  const kinds = new Set(rounds.flatMap(({ troubles }) => troubles.map(({ kind }) => kind)))
  return [...kinds].toSorted().map((kind) => kindOf(kind, rounds))
}

function kindOf(kind: string, rounds: readonly RoundReport[]): KindReport {
  const met = rounds.flatMap((round) =>
    round.troubles.flatMap((trouble) => (trouble.kind === kind ? [{ round, trouble }] : [])),
  )
  const struck = met.filter(({ trouble }) => trouble.struck !== null)
  const own = struck.map(({ round }) => round)
  const alone = own.filter(({ troubles }) => troubles.filter((trouble) => trouble.struck !== null).length === 1).length
  const explained = struck.flatMap(({ round, trouble }) =>
    round.alarms.filter((alarm) => isExplained(alarm, trouble.mayRaise)),
  )
  return {
    kind,
    alone,
    together: own.length - alone,
    struckNothing: met.length - struck.length,
    lastedMs: spanOf(struck.map(({ trouble }) => trouble.untilMs - trouble.fromMs)),
    convergedMs: spanOf(own.map(({ convergedMs }) => convergedMs)),
    settledMs: spanOf(own.map(({ settledMs }) => settledMs)),
    alarms: explained.length,
    drafted: sumOf(own.map(({ drafted }) => drafted)),
    conflicted: sumOf(own.map(({ conflicted }) => conflicted)),
    falls: sumOf(own.map(({ falls }) => falls)),
  }
}

/** The lower one of two in the middle. */
export function spanOf(values: readonly number[]): Span {
  const sorted = values.toSorted((left, right) => left - right)
  return { median: sorted[Math.floor((sorted.length - 1) / 2)] ?? 0, worst: sorted.at(-1) ?? 0 }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0)
}
