import { formatOperationId } from '../base/ids.ts'
import type { Output } from '../sync/output.ts'
import { conflictToJson } from './conflict-json.ts'

/**
 * What became of operations, for whoever follows them: in the order in which it happened here, as plain data that JSON can
 * hold. Null for what is about something else.
 */
export function journalEventOf(output: Output): object | null {
  switch (output.kind) {
    case 'outcome': {
      const { outcome, before } = output
      return { kind: 'outcome', operation: formatOperationId(output.operation), outcome, before }
    }
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
      return { kind: 'conflict', conflict: conflictToJson(output.conflict) }
    case 'settled':
      return { kind: 'settled', floor: output.floor }
    default:
      return null
  }
}
