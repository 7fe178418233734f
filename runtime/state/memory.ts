import { CONTAINER_BYTES } from '../base/limits.ts'
import type { Operation } from './operation.ts'
import { isList, type Value } from './value.ts'

/**
 * Bytes of memory that an operation takes wherever it is held, about: by what Node takes for it on 64 bits. Its bytes in a message say
 * little of that: 95 of them, deflated, can be a list that takes 128,000.
 */
export function operationMemoryBytes({ writes, guards }: Operation): number {
  let bytes = OPERATION_BYTES
  for (const { argument } of writes) bytes += WRITE_BYTES + valueMemoryBytes(argument)
  for (const { value } of guards) bytes += GUARD_BYTES + valueMemoryBytes(value)
  return bytes
}

/** The same of a value. A text counts twice: it stands in the message too, which is kept. */
export function valueMemoryBytes(value: Value): number {
  switch (typeof value) {
    case 'boolean':
      return 0
    case 'number':
    case 'bigint':
      return NUMBER_BYTES
    case 'string':
      return 2 * value.length
    default:
      return value === null ? 0 : CONTAINER_BYTES + contentBytes(value)
  }
}

function contentBytes(value: Exclude<Value, null | boolean | number | bigint | string>): number {
  if (value instanceof Uint8Array) return 2 * value.length
  let bytes = 0
  if (isList(value)) for (const item of value) bytes += ITEM_BYTES + valueMemoryBytes(item)
  else for (const key in value) bytes += ENTRY_BYTES + 2 * key.length + valueMemoryBytes(value[key] as Value)
  return bytes
}

/** With its place in the journal, in its batch and among what is held of its member. */
const OPERATION_BYTES = 250
/** With its place in the chain of its point, and the cell that it has made. */
const WRITE_BYTES = 160
const GUARD_BYTES = 200
const NUMBER_BYTES = 16
const ITEM_BYTES = 8
const ENTRY_BYTES = 48
