/** What a scan found. `problem` is null for one whole item of plain CBOR, else one clear line. */
export interface CborScan {
  readonly problem: string | null
  /** True if a 64-bit integer occurs, which the library decodes as bigint whatever its size. */
  readonly hasWideIntegers: boolean
}

/**
 * Walks CBOR without building anything, so that no length, nesting or extension that an attacker writes can cost memory:
 * exactly one item, lengths that the bytes can hold, at most `depthMax` levels, no tags, no indefinite lengths, text that
 * is UTF-8, text keys other than `__proto__`, and of the simple values only false, true, null and the floats.
 * Source: RFC 8949 section 3 and appendix C.
 */
export function scanCbor(bytes: Uint8Array, depthMax: number): CborScan {
  const cursor: Cursor = { bytes, at: 0, depthMax, hasWideIntegers: false }
  const problem = scanItem(cursor, 1) ?? (cursor.at === bytes.length ? null : 'bytes follow the item')
  return { problem, hasWideIntegers: cursor.hasWideIntegers }
}

interface Cursor {
  readonly bytes: Uint8Array
  readonly depthMax: number
  at: number
  hasWideIntegers: boolean
}

function scanItem(cursor: Cursor, depth: number): string | null {
  const initial = cursor.bytes[cursor.at]
  if (initial === undefined) return 'it ends early'
  const major = initial >> 5
  if (major === 7) return scanSimple(cursor, initial)
  const argument = readArgument(cursor, initial)
  if (argument < 0) return 'a length is indefinite, reserved or cut off'
  switch (major) {
    case 0:
    case 1:
      if ((initial & 31) === 27) cursor.hasWideIntegers = true
      return null
    case 2:
      return skip(cursor, argument)
    case 3:
      return scanText(cursor, argument)
    case 4:
      return scanChildren(cursor, argument, depth, false)
    case 5:
      return scanChildren(cursor, argument, depth, true)
    default:
      return 'tags are not used here'
  }
}

/** Each child takes at least one byte, so a count beyond the bytes that are left is refused before the walk. */
function scanChildren(cursor: Cursor, count: number, depth: number, keyed: boolean): string | null {
  if (depth > cursor.depthMax) return `it is nested deeper than ${cursor.depthMax} levels`
  if (count > cursor.bytes.length - cursor.at) return 'it ends early'
  for (let index = 0; index < count; index++) {
    const problem = (keyed ? scanKey(cursor) : null) ?? scanItem(cursor, depth + 1)
    if (problem !== null) return problem
  }
  return null
}

function scanKey(cursor: Cursor): string | null {
  const initial = cursor.bytes[cursor.at]
  if (initial === undefined) return 'it ends early'
  if (initial >> 5 !== 3) return 'a key is not text'
  const length = readArgument(cursor, initial)
  if (length < 0) return 'a length is indefinite, reserved or cut off'
  if (isProtoKey(cursor, length)) return 'a key is __proto__'
  return scanText(cursor, length)
}

function scanText(cursor: Cursor, length: number): string | null {
  const start = cursor.at
  const problem = skip(cursor, length)
  if (problem !== null) return problem
  for (let at = start; at < cursor.at; at++) {
    if ((cursor.bytes[at] as number) < 0x80) continue
    return isUtf8(cursor.bytes.subarray(at, cursor.at)) ? null : 'a text is not UTF-8'
  }
  return null
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes)
    return true
  } catch {
    return false
  }
}

const PROTO_KEY = Buffer.from('__proto__')

function isProtoKey(cursor: Cursor, length: number): boolean {
  if (length !== PROTO_KEY.length) return false
  return PROTO_KEY.equals(cursor.bytes.subarray(cursor.at, cursor.at + length))
}

function scanSimple(cursor: Cursor, initial: number): string | null {
  cursor.at += 1
  switch (initial & 31) {
    case 20:
    case 21:
    case 22:
      return null
    case 25:
      return skip(cursor, 2)
    case 26:
      return skip(cursor, 4)
    case 27:
      return skip(cursor, 8)
    default:
      return 'a simple value is not false, true or null'
  }
}

function skip(cursor: Cursor, length: number): string | null {
  if (length > cursor.bytes.length - cursor.at) return 'it ends early'
  cursor.at += length
  return null
}

/** The argument of an item's head, and moves behind the head; -1 if it is indefinite, reserved or cut off. */
function readArgument(cursor: Cursor, initial: number): number {
  const information = initial & 31
  cursor.at += 1
  if (information < 24) return information
  if (information > 27) return -1
  const length = 1 << (information - 24)
  if (length > cursor.bytes.length - cursor.at) return -1
  let argument = 0
  for (let index = 0; index < length; index++) argument = argument * 256 + (cursor.bytes[cursor.at + index] as number)
  cursor.at += length
  return argument
}
