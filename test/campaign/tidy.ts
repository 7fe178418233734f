import type { CampaignFleet } from './campaign-fleet.ts'
import { isMarker, type Load } from './load.ts'
import { FOUNDER } from './plan.ts'
import type { Records } from './records.ts'

/** Writes of one operation, well below what it may have. */
const DELETED_TOGETHER = 50

/**
 * Takes what was checked out of the state and out of the records, so that a campaign of hours has the state of one round: the
 * marks of changes, and lists. The load rests, and everybody has settled the same.
 */
export async function tidy(fleet: CampaignFleet, records: Records, load: Load): Promise<void> {
  const founder = fleet.gateway(FOUNDER)
  const state = (await founder.call('state.get')) ?? {}
  const paths = Object.keys(state).filter((path) => isMarker(path) || path.startsWith('lists/'))
  records.archive(new Set(paths))
  for (let index = 0; index < paths.length; index += DELETED_TOGETHER)
    await load.change(founder, 'tidy', { delete: paths.slice(index, index + DELETED_TOGETHER) })
}
