import { BATCHED_COMMIT_WINDOW_MS } from '../../runtime/base/limits.ts'
import { fraction, type Random } from '../../runtime/base/random.ts'
import type { Faults } from './network.ts'

/** What one schedule is made of. Each kind of trouble is switched on or off by itself, so that none hides another. */
export interface Swarm {
  readonly founders: number
  /** Machines that join later at most, clones not counted. */
  readonly newcomers: number
  /** Two broadcast domains, joined by so many relays; 0 for one domain. */
  readonly relays: number
  readonly faults: Faults
  /** Operations that are asked for in the fault phase. */
  readonly requests: number
  /** Mean time between two operations of the whole fleet, and between two troubles. */
  readonly issueEveryMs: number
  readonly troubleEveryMs: number
  readonly paths: number
  /** Only so many of the founders issue, and whoever joins. */
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

/** What may go wrong, or right again, with the share of schedules in which it does at all. */
const TROUBLES = {
  network: { partition: 0.5, 'one-way': 0.4, flap: 0.4 },
  storage: { crash: 0.5, 'crash-between': 0.4, 'torn-write': 0.4, 'full-disk': 0.25 },
  doubles: { backup: 0.15, clone: 0.08 },
  membership: { join: 0.5, retire: 0.35, 'mutual-retirement': 0.2, 'two-operators': 0.04, destroy: 0.15 },
  time: { jump: 0.4, slow: 0.3 },
} as const

type Kinds = typeof TROUBLES
/** `restart` and `heal` are always there. `restore` comes with `backup`. */
export type Trouble = { [K in keyof Kinds]: keyof Kinds[K] }[keyof Kinds] | 'restart' | 'heal' | 'restore'

/** What a run of schedules looks at more closely; the troubles of its kind come more often. */
export const FOCUSES = ['all', 'network', 'storage', 'doubles', 'membership'] as const
export type Focus = (typeof FOCUSES)[number]

export function drawSwarm(random: Random, focus: Focus): Swarm {
  const troubles = drawTroubles(random, focus)
  const founders = pick(random, [1, 2, 2, 3, 3, 3, 4, 5])
  const newcomers = troubles.includes('join') ? 1 + below(random, 3) : 0
  const relays = founders >= 3 && chance(random, 0.25) ? 1 + below(random, Math.min(2, founders - 2)) : 0
  return {
    founders,
    newcomers,
    relays,
    faults: {
      drop: chance(random, 0.6) ? 0.5 * fraction(random) : 0,
      duplicate: chance(random, 0.5) ? 0.3 * fraction(random) : 0,
      delayMs: pick(random, [0, 5, 50, 300, 1500]),
    },
    requests: 3 + below(random, pick(random, [4, 4, 8, 8, 16, 48])),
    issueEveryMs: pick(random, [10, 50, 150, 500]),
    troubleEveryMs: pick(random, [80, 300, 1000]),
    paths: 1 + below(random, 5),
    issuers: 1 + below(random, founders),
    commitWithinMs: chance(random, 0.35) ? pick(random, [20, 300, BATCHED_COMMIT_WINDOW_MS]) : 0,
    syncDelayMs: pick(random, [0, 0, 5, 60, 1200]),
    slownessMs: chance(random, 0.25) ? pick(random, [30, 400, 2500]) : 0,
    snapshotJournalBytes: chance(random, 0.5) ? 200 + below(random, 3000) : null,
    clocksDrift: chance(random, 0.3),
    absence: chance(random, 0.25) ? pick(random, ['cut-off', 'off'] as const) : 'none',
    troubles,
  }
}

function drawTroubles(random: Random, focus: Focus): Trouble[] {
  const drawn: Trouble[] = ['restart', 'heal']
  for (const [kind, shares] of Object.entries(TROUBLES)) {
    for (const [trouble, share] of Object.entries(shares) as [Trouble, number][]) {
      if (chance(random, kind === focus ? Math.min(0.9, 2.5 * share) : share)) drawn.push(trouble)
    }
  }
  if (drawn.includes('backup')) drawn.push('restore')
  return drawn
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
