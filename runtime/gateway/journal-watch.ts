import { formatOperationId, type OperationId } from '../base/ids.ts'
import type { Outcome } from '../state/operation.ts'
import type { Conflict } from '../sync/conflict.ts'
import type { Output } from '../sync/output.ts'
import { conflictToJson } from './conflict-json.ts'

/**
 * What became of operations, for whoever follows them: in the order in which it happened here, as plain data that JSON can
 * hold. None for what is about something else.
 */
export function journalEventsOf(output: Output): readonly object[] {
  if (output.kind === 'superseded') {
    const events = [...output.operations].map((operation) => outcomeEvent(operation, 'superseded', 'applied'))
    return [...events, ...[...output.conflicts].map(conflictEvent)]
  }
  const event = journalEventOf(output)
  return event === null ? [] : [event]
}

function outcomeEvent(operation: OperationId, outcome: Outcome, before: Outcome | null): object {
  return { kind: 'outcome', operation: formatOperationId(operation), outcome, before }
}

function conflictEvent(conflict: Conflict): object {
  return { kind: 'conflict', conflict: conflictToJson(conflict) }
}

function journalEventOf(output: Output): object | null {
  switch (output.kind) {
    case 'outcome':
      return outcomeEvent(output.operation, output.outcome, output.before)
    case 'removed':
      return { kind: 'removed', operations: output.operations.map(formatOperationId) }
    case 'draft-settled': {
      const { original, issued } = output
      const operation = issued === null ? null : formatOperationId(issued.id)
      return {
        kind: 'issued-again',
        original: { kind: original.kind, operation: formatOperationId(original.id) },
        operation,
      }
    }
    case 'conflict':
      return conflictEvent(output.conflict)
    case 'settled':
      return { kind: 'settled', floor: output.floor }
    default:
      return null
  }
}
