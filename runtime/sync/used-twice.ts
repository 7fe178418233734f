import type { MemberId } from '../base/ids.ts'
import { compareCanonically } from '../state/operation.ts'
import type { History } from './history.ts'
import { type Batch, firstOf, lastOf } from './message.ts'
import type { Peers } from './peers.ts'
import type { VersionEntry } from './version-vector.ts'

/**
 * Two lives have used one member id (PROTOCOL section 5): of two contents under one operation id the one stands that cannot give
 * way any more, then the one of higher stage, then the one of lower digest. Decided where the two chains part, the same on every
 * node.
 * @param batch one that starts behind a batch that is held, and is not the one that follows there
 * @returns `ours` to refuse it; `theirs` to take back what is held from there on and take it instead; null if the place
 * where they part is not kept here any more, or not here yet
 */
export function standingLife(batch: Batch, history: History, peers: Peers): 'ours' | 'theirs' | null {
  const log = history.log(batch.origin)
  const { seq } = firstOf(batch).current.id
  if (seq > log.held.seq) return null
  const [ours] = log.between(seq - 1, seq)
  if (
    ours === undefined ||
    firstOf(ours).current.id.seq !== seq ||
    ours.link !== batch.link ||
    ours.digest === batch.digest
  )
    return null
  const [held, received] = [firstOf(ours).current, firstOf(batch).current]
  if (received.stage <= history.floor || held.stage <= history.floor) return null
  const fixed = [...fixedChains(batch.origin, history, peers)]
  if (fixed.some(({ end, stage }) => held.stage <= stage && log.digestAt(end.seq) === end.digest)) return 'ours'
  if (fixed.some(({ end, stage }) => received.stage <= stage && isEndOf(batch, end))) return 'theirs'
  if (held.stage !== received.stage) return compareCanonically(held, received) > 0 ? 'ours' : 'theirs'
  return ours.digest < batch.digest ? 'ours' : 'theirs'
}

/** The operations of a member up to `end`: those at or below `stage` cannot give way to another life any more. */
interface FixedChain {
  readonly end: VersionEntry
  readonly stage: number
}

/** Of a retired member the one that the cut names; of any other those that somebody has settled parts of. */
function* fixedChains(member: MemberId, { retirement, membership }: History, peers: Peers): Generator<FixedChain> {
  const { cuts, number } = retirement
  if (cuts === null) return
  const cut = cuts.get(member)
  if (retirement.isRetired(member)) {
    if (cut !== undefined) yield { end: cut, stage: Infinity }
    return
  }
  for (const [other, { announcement, vector, isVectorKnown }] of peers.entries()) {
    const end = vector.get(member)
    const counts = membership.get(other) !== undefined && !retirement.isRetired(other) && announcement.epoch === number
    if (end !== undefined && isVectorKnown && counts) yield { end, stage: announcement.floor }
  }
}

function isEndOf(batch: Batch, { seq, digest }: VersionEntry): boolean {
  return lastOf(batch).current.id.seq === seq && batch.digest === digest
}
