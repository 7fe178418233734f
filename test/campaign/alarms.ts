import type { CampaignFleet } from './campaign-fleet.ts'
import { alarmsSince } from './logs.ts'
import type { RoundReport } from './report.ts'

/** What may be told after a trouble of each kind, and never without one. */
const CAUSES: Readonly<Record<string, readonly string[]>> = {
  regressed: ['restored backup', 'retire and return', 'cloned card'],
  'untrue-announcement': ['restored backup', 'cloned card'],
  'late-operation': ['restored backup'],
  'identity-used-twice': ['restored backup', 'cloned card'],
  'newer-release': ['later kind', 'later version', 'forgery', 'bit errors'],
  'journal-long': [],
  divergence: [],
  'welcome-doubted': [],
  'epoch-conflict': [],
  'epoch-forced': [],
  'second-key': ['cloned card'],
  'cut-below-floor': [],
  'storage-damaged': [],
  'medium-failing': [],
}

/** @returns one line for each alarm of a gateway that no trouble so far explains */
export function alarmsWithoutCause(fleet: CampaignFleet, rounds: readonly RoundReport[]): string[] {
  const kinds = new Set(rounds.flatMap(({ troubles }) => troubles.map(({ kind }) => kind)))
  return alarmsSince(fleet, new Map()).flatMap(({ gateway, name, message }) =>
    CAUSES[name]?.some((kind) => kinds.has(kind)) === true
      ? []
      : [`${gateway} raised ${name} without a cause: ${message}`],
  )
}
