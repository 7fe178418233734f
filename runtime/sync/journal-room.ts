import {
  JOURNAL_BYTES_MAX,
  JOURNAL_BYTES_WARNING,
  JOURNAL_OPERATIONS_MAX,
  JOURNAL_OPERATIONS_WARNING,
} from '../base/limits.ts'
import type { Journal } from './journal.ts'
import type { ReplicaCore } from './replica-core.ts'

/** Why nothing of our own may be added to the journal, for people, or null. What others have issued is taken all the same: nothing settles without it. */
export function journalProblem({ history, floor }: ReplicaCore): string | null {
  const { length, memoryBytes } = history.journal
  if (length < JOURNAL_OPERATIONS_MAX && memoryBytes < JOURNAL_BYTES_MAX) return null
  const member = floor.view.hold?.member ?? 'its own disk'
  return `the journal is full with ${length} operations, which take ${memoryBytes} bytes of memory: it waits for ${member}`
}

/** Whether some member holds up so much that people are to know it. */
export function isJournalLong({ length, memoryBytes }: Journal): boolean {
  return length >= JOURNAL_OPERATIONS_WARNING || memoryBytes >= JOURNAL_BYTES_WARNING
}
