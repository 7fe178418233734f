/**
 * Walks CBOR without building anything, so that no length, nesting or extension that an attacker writes can cost memory:
 * exactly one item, lengths that the bytes can hold, at most `depthMax` levels, no tags, no indefinite lengths, text that
 * is UTF-8, text keys other than `__proto__` and none twice, and of the simple values only false, true and null.
 * One form of each number: integers and lengths in the fewest bytes, whole numbers below 2^53 as integers, all others as
 * doubles. Source: RFC 8949 section 3, section 4.1 and appendix C.
 * @returns null for one whole item of plain CBOR, else one clear line
 */
export function scanCbor(bytes: Uint8Array, depthMax: number): string | null {
  const cursor: Cursor = { bytes, at: 0, depthMax }
  return scanItem(cursor, 1) ?? (cursor.at === bytes.length ? null : 'bytes follow the item')
}

interface Cursor {
  readonly bytes: Uint8Array
  readonly depthMax: number
  at: number
}

function scanItem(cursor: Cursor, depth: number): string | null {
  const initial = cursor.bytes[cursor.at]
  if (initial === undefined) return 'it ends early'
  const major = initial >> 5
  if (major === 7) return scanSimple(cursor, initial)
  const argument = readArgument(cursor, initial)
  if (argument < 0) return BAD_HEAD
  switch (major) {
    case 0:
    case 1:
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
  const keys = keyed ? new Set<string>() : null
  for (let index = 0; index < count; index++) {
    const problem = (keys === null ? null : scanKey(cursor, keys)) ?? scanItem(cursor, depth + 1)
    if (problem !== null) return problem
  }
  return null
}

function scanKey(cursor: Cursor, keys: Set<string>): string | null {
  const initial = cursor.bytes[cursor.at]
  if (initial === undefined) return 'it ends early'
  if (initial >> 5 !== 3) return 'a key is not text'
  const length = readArgument(cursor, initial)
  if (length < 0) return BAD_HEAD
  if (isProtoKey(cursor, length)) return 'a key is __proto__'
  const start = cursor.at
  const problem = scanText(cursor, length)
  if (problem !== null) return problem
  const known = keys.size
  keys.add(Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset + start, length).toString('latin1'))
  return keys.size > known ? null : 'a key occurs twice'
}

const BAD_HEAD = 'a number or a length is indefinite, reserved, cut off, or longer than it need be'

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
    case 26:
      return 'a number with a fraction is not a double'
    case 27:
      return scanDouble(cursor)
    default:
      return 'a simple value is not false, true or null'
  }
}

/** A zero with a sign is a zero, and so an integer. */
function scanDouble(cursor: Cursor): string | null {
  const { bytes, at } = cursor
  const problem = skip(cursor, 8)
  if (problem !== null) return problem
  const value = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0)
  return Number.isSafeInteger(value) ? 'a whole number is not an integer' : null
}

function skip(cursor: Cursor, length: number): string | null {
  if (length > cursor.bytes.length - cursor.at) return 'it ends early'
  cursor.at += length
  return null
}

/** Whether an argument stands in as many bytes as it need. The library writes negative integers below -2^31 in eight. */
function isOfItsLength(argument: number, length: number, major: number): boolean {
  const wide = major === 1 ? 0x8000_0000 : 0x1_0000_0000
  if (length === 8) return argument >= wide
  return argument >= (length === 1 ? 24 : 256 ** (length / 2)) && argument < wide
}

/** The argument of an item's head, and moves behind the head; -1 if it is indefinite, reserved, cut off or too long. */
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
  return isOfItsLength(argument, length, initial >> 5) ? argument : -1
}
