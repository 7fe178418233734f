import { fraction, type Random } from '../../runtime/base/random.ts'
import { BATCHED_COMMIT_WINDOW_MS } from '../../runtime/base/limits.ts'
import type { Faults } from './network.ts'

/** What one schedule is made of. Each kind of trouble is switched on or off by itself, so that none hides another. */
export interface Swarm {
  readonly nodes: number
  /** Two broadcast domains, joined by so many relays; 0 for one domain. */
  readonly relays: number
  readonly faults: Faults
  /** Operations that are asked for in the fault phase. */
  readonly requests: number
  /** Mean time between two operations of the whole fleet, and between two troubles. */
  readonly issueEveryMs: number
  readonly troubleEveryMs: number
  readonly paths: number
  /** Only so many of the nodes issue. */
  readonly issuers: number
  readonly commitWithinMs: number
  readonly syncDelayMs: number
  readonly slownessMs: number
  readonly snapshotJournalBytes: number | null
  /** Every clock runs at its own rate. */
  readonly clocksDrift: boolean
  /** The node of the highest priority is away for most of the time: cut off and issuing, or without power. */
  readonly absence: 'none' | 'cut-off' | 'off'
  readonly troubles: readonly Trouble[]
}

/** Membership adds its own here: join, retire, restored backup, clone. */
export const TROUBLES = ['crash', 'crash-between', 'restart', 'partition', 'one-way', 'heal', 'flap', 'jump'] as const
export type Trouble = (typeof TROUBLES)[number]

export function drawSwarm(random: Random): Swarm {
  const nodes = 2 + below(random, 5)
  const relays = nodes >= 3 && chance(random, 0.25) ? 1 + below(random, Math.min(2, nodes - 2)) : 0
  return {
    nodes,
    relays,
    faults: {
      drop: chance(random, 0.6) ? 0.5 * fraction(random) : 0,
      duplicate: chance(random, 0.5) ? 0.3 * fraction(random) : 0,
      delayMs: pick(random, [0, 5, 50, 300, 1500]),
    },
    requests: 3 + below(random, pick(random, [8, 25, 25, 80])),
    issueEveryMs: pick(random, [10, 50, 150, 500]),
    troubleEveryMs: pick(random, [80, 300, 1000]),
    paths: 1 + below(random, 5),
    issuers: 1 + below(random, nodes),
    commitWithinMs: chance(random, 0.35) ? pick(random, [20, 300, BATCHED_COMMIT_WINDOW_MS]) : 0,
    syncDelayMs: pick(random, [0, 0, 5, 60, 1200]),
    slownessMs: chance(random, 0.25) ? pick(random, [30, 400, 2500]) : 0,
    snapshotJournalBytes: chance(random, 0.5) ? 200 + below(random, 3000) : null,
    clocksDrift: chance(random, 0.3),
    absence: chance(random, 0.25) ? pick(random, ['cut-off', 'off'] as const) : 'none',
    troubles: TROUBLES.filter((trouble) => trouble === 'restart' || trouble === 'heal' || chance(random, 0.5)),
  }
}

/** A whole number in [0, bound). */
export function below(random: Random, bound: number): number {
  return random.uint32() % bound
}

export function chance(random: Random, probability: number): boolean {
  return fraction(random) < probability
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[below(random, choices.length)] as T
}
