import { compareCanonically } from '../state/operation.ts'
import type { History } from './history.ts'
import { type Batch, firstOf } from './message.ts'

/**
 * Two lives have used one member id (PROTOCOL section 5): of two contents under one operation id the one of higher stage
 * stands, then the one of lower digest. Decided where the two chains part, the same on every node.
 * @param batch one that starts behind a batch that is held, and is not the one that follows there
 * @returns `ours` to refuse it; `theirs` to take back what is held from there on and take it instead; null if the place
 * where they part is not kept here any more, or not here yet
 */
export function standingLife(batch: Batch, history: History): 'ours' | 'theirs' | null {
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
  if (held.stage !== received.stage) return compareCanonically(held, received) > 0 ? 'ours' : 'theirs'
  return ours.digest < batch.digest ? 'ours' : 'theirs'
}
