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
  begin(): Promise<void>
  /** Puts everything back as it was, and does what its operator would do. */
  end(): Promise<void>
  /** Looked at once the fleet has settled: what nobody has noticed of it though somebody must have, or null. */
  unnoticed(): Promise<string | null>
}

/** The fleet with what draws of it need. */
export interface Scene {
  readonly load: Load
  readonly fleet: CampaignFleet
  readonly records: Records
  /** A whole number from 0, below the limit. */
  readonly below: (limit: number) => number
  readonly one: <T>(list: readonly T[]) => T
}

export type TroubleKind = (scene: Scene) => Trouble

/** The operator's commands go by the founder, so that is not the one that is sent away. */
export const MOVABLE: readonly string[] = GATEWAYS.map(({ name }) => name).filter((name) => name !== FOUNDER)

export function trouble(
  what: string,
  claims: readonly string[],
  begin: () => Promise<void> | void,
  end: () => Promise<void> | void,
  unnoticed: () => Promise<string | null> | string | null = () => null,
): Trouble {
  return {
    what,
    claims,
    begin: async () => await begin(),
    end: async () => await end(),
    unnoticed: async () => await unnoticed(),
  }
}
