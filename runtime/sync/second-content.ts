import { nodeOf, sameOperationId } from '../base/ids.ts'
import type { Operation } from '../state/operation.ts'
import { originalPoint } from '../state/reserved-point.ts'
import { equalValues } from '../state/value.ts'
import type { LocalState } from './local-state.ts'

/**
 * Whether something else has come back under the name of an operation: two clones that became drafts before either had heard of
 * the other bring back what each had issued. Of what has left the journal nobody can tell.
 */
export function isSecondContent(operation: Content, local: LocalState): boolean {
  const { original } = operation
  if (original === null) return false
  for (const { operation: other } of local.entriesAt(originalPoint(original))) {
    const isOfName = other.original?.kind === original.kind && sameOperationId(other.original.id, original.id)
    const isItsOwn = nodeOf(other.id.member) === nodeOf(original.id.member)
    if (isOfName && isItsOwn && !isSameContent(operation, other)) return true
  }
  return false
}

type Content = Pick<Operation, 'writes' | 'guards' | 'original'>

function isSameContent(left: Content, right: Content): boolean {
  return (
    left.writes.length === right.writes.length &&
    left.guards.length === right.guards.length &&
    left.writes.every(({ path, kind, argument }, index) => {
      const other = right.writes[index]
      return path === other?.path && kind === other.kind && equalValues(argument, other.argument)
    }) &&
    left.guards.every(({ path, comparison, value }, index) => {
      const other = right.guards[index]
      return path === other?.path && comparison === other.comparison && equalValues(value, other.value)
    })
  )
}
