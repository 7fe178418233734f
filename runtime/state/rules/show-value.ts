/** Any value in one short line, for a message to a person. */
export function showValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length <= SHOWN_LENGTH ? value : `${value.slice(0, SHOWN_LENGTH)}…`)
    case 'number':
    case 'boolean':
    case 'bigint':
    case 'undefined':
      return String(value)
    case 'object':
      if (value === null) return 'null'
      if (value instanceof Uint8Array) return `${value.length} bytes`
      return Array.isArray(value) ? `a list of ${value.length}` : 'an object'
    default:
      return `a ${typeof value}`
  }
}

const SHOWN_LENGTH = 40
