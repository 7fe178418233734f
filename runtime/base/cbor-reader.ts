import { asciiText, copyOfPart, toHex, wordAt } from './bytes.ts'
import type { CborData } from './cbor.ts'
import {
  FALSE,
  FLOAT_16,
  FLOAT_32,
  FLOAT_64,
  MAJOR_BYTES,
  MAJOR_LIST,
  MAJOR_MAP,
  MAJOR_NEGATIVE,
  MAJOR_SIMPLE,
  MAJOR_TEXT,
  MAJOR_UINT,
  NULL,
  TRUE,
} from './cbor-heads.ts'
import { type Digest, digestAt, EMPTY_DIGEST } from './digest.ts'
import { FleetstepError } from './errors.ts'
import { floatFromHalf, halfOf } from './half-float.ts'
import { MEMBER_ID_BYTES, type MemberId, memberIdAt } from './ids.ts'
import type { RecentTexts } from './recent-texts.ts'

/**
 * Reads plain CBOR item by item and checks each as it comes, so that a hostile length, depth or type costs nothing: for the
 * messages that are exchanged most. It takes what `CborWriter` writes: one form of each item, and keys in any order.
 * Every method throws FleetstepError `message-invalid` that names the field. Source: RFC 8949 section 3 and section 4.1.
 */
export class CborReader {
  #bytes: Uint8Array = NOTHING
  #at = 0

  /** @param bytes are not copied and must not change while they are read; what is returned does not refer to them */
  constructor(bytes: Uint8Array = NOTHING) {
    this.begin(bytes)
  }

  /** Reads other bytes from here on: a reader that is used for every message is made once, and so is its code. */
  begin(bytes: Uint8Array): this {
    this.#bytes = bytes
    this.#at = 0
    return this
  }

  /** Reads `beginning` if it comes next. */
  takeBeginning(beginning: Uint8Array): boolean {
    for (let index = 0; index < beginning.length; index++)
      if (this.#bytes[this.#at + index] !== beginning[index]) return false
    this.#at += beginning.length
    return true
  }

  /** Bytes that are not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** Whether a list comes next. */
  get isAtList(): boolean {
    return this.#major() === MAJOR_LIST
  }

  get isAtUint(): boolean {
    return this.#major() === MAJOR_UINT
  }

  get isAtBytes(): boolean {
    return this.#major() === MAJOR_BYTES
  }

  /** Reads null if it comes next. */
  takeNull(): boolean {
    if (this.#bytes[this.#at] !== NULL) return false
    this.#at += 1
    return true
  }

  /** @returns how many items the list has */
  list(field: string, min: number, max: number): number {
    if (!this.isAtList) throw invalid(field, 'is not a list')
    const count = this.#argument(field)
    if (count < min || count > max) {
      throw invalid(field, min === max ? `is not a list of ${min}` : `is not a list of ${min} to ${max}`)
    }
    // Each item takes at least one byte.
    if (count > this.left) throw invalid(field, 'ends early')
    return count
  }

  /** A whole number in [0, max]. */
  uint(field: string, max: number = Number.MAX_SAFE_INTEGER): number {
    // Behind the end there is no number, although shifting nothing gives the zero of this major type.
    if (!this.isAtUint) throw invalid(field, 'is not a whole number')
    const whole = this.#argument(field)
    if (whole > max) throw invalid(field, `is more than ${max}`)
    return whole
  }

  /** @returns a copy */
  bytes(field: string, min: number, max: number): Uint8Array {
    const start = this.#bytesStart(field, min, max)
    return copyOfPart(this.#bytes, start, this.#at)
  }

  /** Goes into bytes that nothing follows: what is read next is what they hold. @returns a copy of them */
  enter(field: string, min: number, max: number): Uint8Array {
    const start = this.#bytesStart(field, min, max)
    this.end(field)
    this.#at = start
    return copyOfPart(this.#bytes, start, this.#bytes.length)
  }

  /** @returns a view, to be read at once */
  view(field: string, length: number): Uint8Array {
    return this.#bytes.subarray(this.#bytesStart(field, length, length), this.#at)
  }

  /** As lower-case hexadecimal text. */
  hex(field: string, length: number): string {
    const start = this.#bytesStart(field, length, length)
    return toHex(this.#bytes.subarray(start, this.#at))
  }

  /** The first 8 bytes of a hash. */
  digest(field: string): Digest {
    return digestAt(this.#bytes, this.#bytesStart(field, DIGEST_BYTES, DIGEST_BYTES))
  }

  memberId(field: string): MemberId {
    return memberIdAt(this.#bytes, this.#bytesStart(field, MEMBER_ID_BYTES, MEMBER_ID_BYTES))
  }

  /** Reads the text that comes next if it is among the recent ones. */
  takeRecent<T extends string>(field: string, recent: RecentTexts<T>): T | null {
    const before = this.#at
    const start = this.#textStart(field)
    const known = recent.find(this.#bytes, start, this.#at)
    if (known === null) this.#at = before
    return known
  }

  text(field: string): string {
    return this.#textFrom(field, this.#textStart(field))
  }

  /** Any item. @param depthMax levels of nesting that are accepted */
  value(field: string, depthMax: number): CborData {
    const major = this.#major()
    switch (major) {
      case MAJOR_UINT:
      case MAJOR_NEGATIVE:
        return this.#integer(field, major === MAJOR_NEGATIVE)
      case MAJOR_BYTES:
        // A value may stand for ever, and must not keep its neighbours in a slab.
        return new Uint8Array(this.bytes(field, 0, this.left))
      case MAJOR_TEXT:
        return this.text(field)
      case MAJOR_LIST:
        return this.#listValue(field, depthMax)
      case MAJOR_MAP:
        return this.#mapValue(field, depthMax)
      case MAJOR_SIMPLE:
        return this.#simple(field)
      default:
        throw invalid(field, major < 0 ? 'ends early' : 'has a tag')
    }
  }

  /** The rest, as a view. */
  rest(): Uint8Array {
    const start = this.#at
    this.#at = this.#bytes.length
    return this.#bytes.subarray(start)
  }

  end(field: string): void {
    if (this.left > 0) throw invalid(field, 'is followed by other bytes')
  }

  #major(): number {
    const initial = this.#bytes[this.#at]
    return initial === undefined ? -1 : initial >> 5
  }

  /** Reads the head of an item. Longer arguments than 2^53 are read by `#integer`. */
  #argument(field: string): number {
    const information = (this.#bytes[this.#at] as number) & 31
    if (information < 24) {
      this.#at += 1
      return information
    }
    if (information > 27) throw invalid(field, 'has an indefinite or reserved length')
    const length = 1 << (information - 24)
    if (this.left < 1 + length) throw invalid(field, 'ends early')
    const at = this.#at + 1
    this.#at = at + length
    const argument = this.#wholeAt(at, length)
    if (argument > Number.MAX_SAFE_INTEGER) throw invalid(field, 'is more than 2^53')
    if (argument < (length === 1 ? 24 : 256 ** (length / 2))) throw invalid(field, LONGER)
    return argument
  }

  #wholeAt(at: number, length: number): number {
    switch (length) {
      case 1:
        return this.#bytes[at] as number
      case 2:
        return this.#uint16At(at)
      case 4:
        return wordAt(this.#bytes, at) >>> 0
      default:
        return (wordAt(this.#bytes, at) >>> 0) * 0x1_0000_0000 + (wordAt(this.#bytes, at + 4) >>> 0)
    }
  }

  #integer(field: string, isNegative: boolean): number | bigint {
    if (((this.#bytes[this.#at] as number) & 31) !== 27) {
      const argument = this.#argument(field)
      return isNegative ? -1 - argument : argument
    }
    const start = this.#skip(field, 9)
    const argument = this.#viewAt(start + 1, 8).getBigUint64(0)
    if (argument <= 0xffff_ffffn) throw invalid(field, LONGER)
    const whole = isNegative ? -1n - argument : argument
    const isSafe = whole <= Number.MAX_SAFE_INTEGER && whole >= Number.MIN_SAFE_INTEGER
    return isSafe ? Number(whole) : whole
  }

  #listValue(field: string, depthMax: number): CborData {
    if (depthMax === 0) throw invalid(field, 'is nested too deep')
    const count = this.list(field, 0, this.left)
    const list: CborData[] = []
    for (let index = 0; index < count; index++) list.push(this.value(field, depthMax - 1))
    // A value may stand for ever, and a list that grew has room for up to 17 items more than it holds.
    return list.slice()
  }

  #mapValue(field: string, depthMax: number): CborData {
    if (depthMax === 0) throw invalid(field, 'is nested too deep')
    const count = this.#argument(field)
    if (count > this.left) throw invalid(field, 'ends early')
    const map: { [key: string]: CborData } = {}
    for (let index = 0; index < count; index++) {
      const key = this.text(field)
      if (key === '__proto__' || Object.hasOwn(map, key)) throw invalid(field, 'has a key twice, or the key __proto__')
      map[key] = this.value(field, depthMax - 1)
    }
    return map
  }

  #simple(field: string): CborData {
    const initial = this.#bytes[this.#at] as number
    switch (initial) {
      case FALSE:
      case TRUE:
        this.#at += 1
        return initial === TRUE
      case NULL:
        this.#at += 1
        return null
      case FLOAT_16:
        return fraction(field, floatFromHalf(this.#uint16At(this.#skip(field, 3) + 1)))
      case FLOAT_32: {
        const float = fraction(field, this.#viewAt(this.#skip(field, 5) + 1, 4).getFloat32(0))
        if (halfOf(float) >= 0) throw invalid(field, LONGER)
        return float
      }
      case FLOAT_64: {
        const float = fraction(field, this.#viewAt(this.#skip(field, 9) + 1, 8).getFloat64(0))
        if (Math.fround(float) === float) throw invalid(field, LONGER)
        return float
      }
      default:
        throw invalid(field, 'is none of false, true, null and the floats')
    }
  }

  #bytesStart(field: string, min: number, max: number): number {
    if (!this.isAtBytes) throw invalid(field, 'is not bytes')
    const length = this.#argument(field)
    if (length < min || length > max) {
      throw invalid(field, min === max ? `is not ${min} bytes` : `is not ${min} to ${max} bytes`)
    }
    return this.#skip(field, length)
  }

  #textStart(field: string): number {
    if (this.#major() !== MAJOR_TEXT) throw invalid(field, 'is not text')
    const length = this.#argument(field)
    return this.#skip(field, length)
  }

  #textFrom(field: string, start: number): string {
    for (let at = start; at < this.#at; at++) {
      if ((this.#bytes[at] as number) >= 0x80) return this.#wideText(field, start)
    }
    return asciiText(this.#bytes, start, this.#at)
  }

  #wideText(field: string, start: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, this.#at))
    } catch {
      throw invalid(field, 'is not UTF-8')
    }
  }

  #uint16At(at: number): number {
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
  }

  /** The `length` bytes from `at` on, where the platform is to make a number of them. */
  #viewAt(at: number, length: number): DataView {
    for (let index = 0; index < length; index++) wide.setUint8(index, this.#bytes[at + index] as number)
    return wide
  }

  /** Moves on by `length`. @returns where it was */
  #skip(field: string, length: number): number {
    const start = this.#at
    if (length > this.left) throw invalid(field, 'ends early')
    this.#at = start + length
    return start
  }
}

const NOTHING: Uint8Array = new Uint8Array()
/** The bytes of one number. */
const wide = new DataView(new ArrayBuffer(8))

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const DIGEST_BYTES: number = EMPTY_DIGEST.length / 2

const LONGER = 'is written longer than it need be'

/** What is finite and no integer that has another form. */
function fraction(field: string, float: number): number {
  if (!Number.isFinite(float)) throw invalid(field, 'is not finite')
  if (Number.isSafeInteger(float)) throw invalid(field, 'is a whole number written as a float')
  return float
}

function invalid(field: string, problem: string): FleetstepError {
  return new FleetstepError('message-invalid', `${field} ${problem}`)
}
