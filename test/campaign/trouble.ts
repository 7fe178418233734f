import { setTimeout as sleep } from 'node:timers/promises'
import type { CampaignFleet } from './campaign-fleet.ts'
import type { Load } from './load.ts'
import { FOUNDER, GATEWAYS } from './plan.ts'
import type { Records } from './records.ts'

/** One trouble that was drawn: what it is about, and how it comes and goes. */
export interface Trouble {
  /** In a person's words: what, and whom it meets. */
  readonly what: string
  /** What it is about. Two that name the same do not come together. */
  readonly claims: readonly string[]
  /** How long it lasts; null: as long as the round draws. */
  readonly lastsMs: number | null
  /** It strikes when it ends, so that nobody has to wait for a sign before. */
  readonly strikesAtEnd: boolean
  begin(): Promise<void>
  /** Puts everything back as it was, and does what its operator would do. */
  end(): Promise<void>
  /** What shows that it has struck, in a person's words, or null while nothing does: asked while it lasts and afterwards. */
  struck(): Promise<string | null>
  /** Looked at once the fleet has settled: what nobody has noticed of it though somebody must have, or null. */
  unnoticed(): Promise<string | null>
  /** Which alarms it may bring about, by whom and about whom. Nothing else explains one. */
  alarms(): readonly AlarmCause[]
}

/** One alarm that a trouble explains. */
export interface AlarmCause {
  readonly name: string
  /** Gateways that may raise it; null: any. */
  readonly by: readonly string[] | null
  /** The node whose member it must name; null: an alarm that names none. */
  readonly about: string | null
}

/** Whether it holds within this time. What cannot be asked does not hold yet. */
export async function within(patienceMs: number, holds: () => Promise<boolean> | boolean): Promise<boolean> {
  for (const deadline = performance.now() + patienceMs; performance.now() < deadline; await sleep(LOOK_MS)) {
    const does = await Promise.resolve()
      .then(holds)
      .catch(() => false)
    if (does) return true
  }
  return false
}

const LOOK_MS = 200

/** The fleet with what draws of it need. */
export interface Scene {
  readonly load: Load
  readonly fleet: CampaignFleet
  readonly records: Records
  /** A whole number from 0, below the limit. */
  readonly below: (limit: number) => number
  readonly one: <T>(list: readonly T[]) => T
  /** The longest that one trouble may last in this round, and the least that such a long one does. */
  readonly longMs: () => { readonly leastMs: number; readonly mostMs: number }
}

export type TroubleKind = (scene: Scene) => Trouble

/** The operator's commands go by the founder, so that is not the one that is sent away. */
export const MOVABLE: readonly string[] = GATEWAYS.map(({ name }) => name).filter((name) => name !== FOUNDER)

export type TroubleParts = Pick<Trouble, 'what' | 'claims'> & {
  readonly begin: () => unknown
  readonly end: () => unknown
  readonly struck: () => Promise<string | null> | string | null
  readonly lastsMs?: number
  readonly strikesAtEnd?: boolean
  readonly unnoticed?: () => Promise<string | null> | string | null
  readonly alarms?: () => readonly AlarmCause[]
}

export function trouble({
  what,
  claims,
  begin,
  end,
  struck,
  lastsMs,
  strikesAtEnd,
  unnoticed,
  alarms,
}: TroubleParts): Trouble {
  return {
    what,
    claims,
    lastsMs: lastsMs ?? null,
    strikesAtEnd: strikesAtEnd ?? false,
    begin: async () => void (await begin()),
    end: async () => void (await end()),
    struck: async () => await struck(),
    unnoticed: async () => (unnoticed === undefined ? null : await unnoticed()),
    alarms: alarms ?? (() => []),
  }
}
