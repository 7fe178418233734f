import { wordAt } from '../../../runtime/base/bytes.ts'
import { floatFromHalf, halfOf } from '../../../runtime/base/half-float.ts'
import { RecentTexts } from '../../../runtime/base/recent-texts.ts'
import type { Scalar } from './peer.ts'

/** Major types in the upper three bits of an item's first byte. */
export const UINT = 0
const NEGATIVE = 0x20
export const BYTES = 0x40
const TEXT = 0x60
export const LIST = 0x80
export const NULL = 0xf6

/** The bytes of one number, where the platform is to make them. */
const single = new Float32Array(1)
const double = new Float64Array(1)
const singleBits = new Uint32Array(single.buffer)
const doubleBits = new Uint32Array(double.buffer)
const [HIGH, LOW] = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? [1, 0] : [0, 1]

/** Writes CBOR in its shortest form (RFC 8949 section 4.1) into bytes that have the room. */
export class FlatWriter {
  readonly bytes: Uint8Array
  at = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  /** @param major type in the upper three bits */
  head(major: number, argument: number): void {
    this.at = writeHead(this.bytes, this.at, major, argument)
  }

  byte(byte: number): void {
    this.bytes[this.at++] = byte
  }

  word(word: number): void {
    this.at = writeWord(this.bytes, this.at, word)
  }

  raw(item: Uint8Array): void {
    const { bytes, at } = this
    for (let index = 0; index < item.length; index++) bytes[at + index] = item[index] as number
    this.at = at + item.length
  }

  value(value: Scalar): void {
    if (typeof value === 'boolean') this.byte(value ? 0xf5 : 0xf4)
    else if (typeof value === 'string') this.#text(value)
    else if (!Number.isSafeInteger(value)) this.#float(value)
    else if (value >= 0) this.head(UINT, value)
    else this.head(NEGATIVE, -1 - value)
  }

  #text(text: string): void {
    const start = this.at
    this.head(TEXT, text.length)
    const { bytes, at } = this
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      bytes[at + index] = unit
      if (unit < 0x80) continue
      const wide = Buffer.from(text)
      this.at = start
      this.head(TEXT, wide.length)
      this.raw(wide)
      return
    }
    this.at = at + text.length
  }

  #float(float: number): void {
    if (Math.fround(float) !== float) {
      double[0] = float
      this.byte(0xfb)
      this.word(doubleBits[HIGH] as number)
      this.word(doubleBits[LOW] as number)
      return
    }
    const half = halfOf(float)
    if (half < 0) {
      single[0] = float
      this.byte(0xfa)
      this.word(singleBits[0] as number)
      return
    }
    this.byte(0xf9)
    this.byte(half >>> 8)
    this.byte(half & 0xff)
  }
}

/** Reads what {@link FlatWriter} writes, and believes it. */
export class FlatReader {
  bytes: Uint8Array = new Uint8Array()
  at = 0

  begin(bytes: Uint8Array, at: number): void {
    this.bytes = bytes
    this.at = at
  }

  byte(): number {
    return this.bytes[this.at++] as number
  }

  /** The argument of a head, of whatever type. */
  argument(): number {
    const { bytes, at } = this
    const information = (bytes[at] as number) & 31
    if (information < 24) {
      this.at = at + 1
      return information
    }
    if (information === 24) {
      this.at = at + 2
      return bytes[at + 1] as number
    }
    if (information === 25) {
      this.at = at + 3
      return ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    }
    const isWide = information === 27
    this.at = at + (isWide ? 9 : 5)
    const word = wordAt(bytes, at + 1) >>> 0
    return isWide ? word * 0x1_0000_0000 + (wordAt(bytes, at + 5) >>> 0) : word
  }

  word(): number {
    const word = wordAt(this.bytes, this.at)
    this.at += 4
    return word
  }

  value(): Scalar {
    const initial = this.bytes[this.at] as number
    if (initial < NEGATIVE) return this.argument()
    if (initial < BYTES) return -1 - this.argument()
    if (initial < LIST) return this.#text()
    this.at += 1
    if (initial < NULL) return initial === 0xf5
    if (initial === 0xf9) return floatFromHalf((this.byte() << 8) | this.byte())
    if (initial === 0xfa) {
      singleBits[0] = this.word()
      return single[0] as number
    }
    doubleBits[HIGH] = this.word()
    doubleBits[LOW] = this.word()
    return double[0] as number
  }

  #text(): string {
    const length = this.argument()
    const start = this.at
    const end = start + length
    this.at = end
    const known = texts.find(this.bytes, start, end)
    if (known !== null) return known
    const text = Buffer.from(this.bytes.subarray(start, end)).toString()
    texts.keep(text)
    return text
  }
}

const texts = new RecentTexts<string>(1024)

/** @returns where what follows the head goes */
export function writeHead(bytes: Uint8Array, at: number, major: number, argument: number): number {
  if (argument < 24) {
    bytes[at] = major | argument
    return at + 1
  }
  if (argument < 0x100) {
    bytes[at] = major | 24
    bytes[at + 1] = argument
    return at + 2
  }
  if (argument < 0x1_0000) {
    bytes[at] = major | 25
    bytes[at + 1] = argument >>> 8
    bytes[at + 2] = argument
    return at + 3
  }
  const isWide = argument >= 0x1_0000_0000
  bytes[at] = major | (isWide ? 27 : 26)
  const from = isWide ? writeWord(bytes, at + 1, Math.floor(argument / 0x1_0000_0000)) : at + 1
  return writeWord(bytes, from, argument >>> 0)
}

function writeWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >>> 24
  bytes[at + 1] = word >>> 16
  bytes[at + 2] = word >>> 8
  bytes[at + 3] = word
  return at + 4
}

/** Byte by byte where that is sooner done than a view is made. */
export function copyPart(target: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): void {
  if (end - start > 128) target.set(bytes.subarray(start, end), at)
  else for (let from = start, to = at; from < end; from++, to++) target[to] = bytes[from] as number
}
