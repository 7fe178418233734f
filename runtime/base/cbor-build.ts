import { wordAt } from './bytes.ts'
import type { CborData } from './cbor.ts'
import {
  FALSE,
  MAJOR_BYTES,
  MAJOR_LIST,
  MAJOR_MAP,
  MAJOR_NEGATIVE,
  MAJOR_TEXT,
  MAJOR_UINT,
  NULL,
  TRUE,
} from './cbor-heads.ts'

/**
 * Builds what `scanCbor` has found to be one whole item of plain CBOR: nothing is looked at twice. By hand, because the library
 * takes a byte order mark off every longer text: two keys became one by that, and a text another one behind a restart.
 * @returns data whose byte strings are views of `bytes`
 */
export function buildCbor(bytes: Uint8Array): CborData {
  const { buffer, byteOffset, length } = bytes
  const cursor = {
    bytes,
    texts: Buffer.from(buffer, byteOffset, length),
    view: new DataView(buffer, byteOffset, length),
    at: 0,
  }
  return buildItem(cursor)
}

/** The same bytes three times: made once for all items. */
interface Cursor {
  readonly bytes: Uint8Array
  readonly texts: Buffer
  readonly view: DataView
  at: number
}

function buildItem(cursor: Cursor): CborData {
  const initial = cursor.bytes[cursor.at] as number
  const major = initial >> 5
  switch (major) {
    case MAJOR_UINT:
    case MAJOR_NEGATIVE:
      return integer(cursor, major === MAJOR_NEGATIVE)
    case MAJOR_BYTES: {
      const length = argument(cursor)
      return cursor.bytes.subarray(cursor.at, (cursor.at += length))
    }
    case MAJOR_TEXT:
      return buildText(cursor)
    case MAJOR_LIST:
      return buildList(cursor)
    case MAJOR_MAP:
      return buildMap(cursor)
    default:
      return buildSimple(cursor, initial)
  }
}

function buildText(cursor: Cursor): string {
  const length = argument(cursor)
  // A byte order mark is a character like any other here.
  return cursor.texts.toString('utf8', cursor.at, (cursor.at += length))
}

function buildList(cursor: Cursor): CborData {
  const count = argument(cursor)
  const list: CborData[] = []
  for (let index = 0; index < count; index++) list.push(buildItem(cursor))
  return list
}

function buildMap(cursor: Cursor): CborData {
  const count = argument(cursor)
  const map: { [key: string]: CborData } = {}
  for (let index = 0; index < count; index++) {
    const key = buildText(cursor)
    map[key] = buildItem(cursor)
  }
  return map
}

function buildSimple(cursor: Cursor, initial: number): CborData {
  cursor.at += 1
  if (initial === FALSE || initial === TRUE) return initial === TRUE
  return initial === NULL ? null : float(cursor)
}

function float(cursor: Cursor): number {
  const { view, at } = cursor
  cursor.at += 8
  return view.getFloat64(at)
}

/** A bigint where a number does not hold it exactly. */
function integer(cursor: Cursor, isNegative: boolean): number | bigint {
  const { bytes, at } = cursor
  const rounded = argument(cursor)
  const number = isNegative ? -1 - rounded : rounded
  if (Number.isSafeInteger(number)) return number
  const exact = (BigInt(unsignedAt(bytes, at + 1)) << 32n) | BigInt(unsignedAt(bytes, at + 5))
  return isNegative ? -1n - exact : exact
}

/** The argument of a head, rounded beyond 2^53, and moves behind the head. */
function argument(cursor: Cursor): number {
  const { bytes, at } = cursor
  const information = (bytes[at] as number) & 31
  if (information < 24) {
    cursor.at += 1
    return information
  }
  cursor.at += 1 + 2 ** (information - 24)
  switch (information) {
    case 24:
      return bytes[at + 1] as number
    case 25:
      return ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    case 26:
      return unsignedAt(bytes, at + 1)
    default:
      return unsignedAt(bytes, at + 1) * 0x1_0000_0000 + unsignedAt(bytes, at + 5)
  }
}

function unsignedAt(bytes: Uint8Array, at: number): number {
  return wordAt(bytes, at) >>> 0
}
