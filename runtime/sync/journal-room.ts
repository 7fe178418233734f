import { JOURNAL_OPERATIONS_MAX } from '../base/limits.ts'
import type { ReplicaCore } from './replica-core.ts'

/** Why nothing of our own may be added to the journal, for people, or null. What others have issued is taken all the same: nothing settles without it. */
export function journalProblem({ history, floor }: ReplicaCore): string | null {
  if (history.journal.length < JOURNAL_OPERATIONS_MAX) return null
  const member = floor.view.hold?.member ?? 'its own disk'
  return `the journal is full with ${JOURNAL_OPERATIONS_MAX} operations: it waits for ${member}`
}
