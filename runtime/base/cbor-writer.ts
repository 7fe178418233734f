import { copyOfPart, nibbleOf } from './bytes.ts'
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
  MAJOR_TEXT,
  MAJOR_UINT,
  NULL,
  TRUE,
} from './cbor-heads.ts'
import { halfOf } from './half-float.ts'

/**
 * Writes plain CBOR item by item, without building a tree of it first: for the messages that are exchanged most. The
 * bytes are those of RFC 8949's preferred form (section 4.1): every head and every float as short as it can be.
 * The caller has checked what it writes: finite numbers, bigints of at most 64 bits.
 */
export class CborWriter {
  #bytes: Uint8Array = new Uint8Array(INITIAL_BYTES)
  #view: DataView = new DataView(this.#bytes.buffer)
  #at = 0

  /** A list of `count` items follows. */
  list(count: number): void {
    this.#head(MAJOR_LIST, count)
  }

  null(): void {
    this.#byte(NULL)
  }

  /** A whole number from 0 to 2^53 - 1. */
  uint(whole: number): void {
    this.#head(MAJOR_UINT, whole)
  }

  bytes(bytes: Uint8Array): void {
    this.#head(MAJOR_BYTES, bytes.length)
    this.raw(bytes)
  }

  /** Bytes that are at hand as lower-case hexadecimal text. */
  hex(hex: string): void {
    const length = hex.length / 2
    this.#head(MAJOR_BYTES, length)
    this.#reserve(length)
    for (let index = 0; index < length; index++)
      this.#bytes[this.#at + index] =
        (nibbleOf(hex.charCodeAt(2 * index)) << 4) | nibbleOf(hex.charCodeAt(2 * index + 1))
    this.#at += length
  }

  text(text: string): void {
    // A UTF-16 unit takes at most three bytes.
    this.#reserve(9 + text.length * 3)
    // Most texts are ASCII, whose length in bytes is known before they are written.
    const start = this.#at
    this.#head(MAJOR_TEXT, text.length)
    const content = this.#at
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit >= 0x80) {
        this.#at = start
        return this.#wideText(text)
      }
      this.#bytes[content + index] = unit
    }
    this.#at = content + text.length
  }

  value(data: CborData): void {
    switch (typeof data) {
      case 'boolean':
        return this.#byte(data ? TRUE : FALSE)
      case 'number':
        return Number.isSafeInteger(data) ? this.#integer(data) : this.#float(data)
      case 'bigint':
        return this.#wideInteger(data)
      case 'string':
        return this.text(data)
      default:
        return this.#object(data)
    }
  }

  /** Items that are encoded already. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes
    this.#reserve(length)
    if (length > COPIED_BYTE_BY_BYTE_MAX) this.#bytes.set(bytes, this.#at)
    else for (let index = 0; index < length; index++) this.#bytes[this.#at + index] = bytes[index] as number
    this.#at += length
  }

  /** All that another writer has written. */
  rawOf(other: CborWriter): void {
    const { length } = other
    this.#reserve(length)
    if (length > COPIED_BYTE_BY_BYTE_MAX) this.#bytes.set(other.#bytes.subarray(0, length), this.#at)
    else for (let index = 0; index < length; index++) this.#bytes[this.#at + index] = other.#bytes[index] as number
    this.#at += length
  }

  /** Bytes that were written so far. */
  get length(): number {
    return this.#at
  }

  /** Forgets what was written behind the first `length` bytes. */
  shorten(length: number): void {
    this.#at = length
  }

  /** @returns bytes of their own with all that was written; the writer starts again */
  take(): Uint8Array {
    const taken = copyOfPart(this.#bytes, 0, this.#at)
    this.reset()
    return taken
  }

  /** Forgets what was written. */
  reset(): void {
    this.#at = 0
    if (this.#bytes.length > KEPT_BYTES) this.#resize(INITIAL_BYTES)
  }

  #wideText(text: string): void {
    const length = Buffer.byteLength(text)
    this.#head(MAJOR_TEXT, length)
    this.#reserve(length)
    utf8.encodeInto(text, this.#bytes.subarray(this.#at))
    this.#at += length
  }

  #object(data: Exclude<CborData, boolean | number | bigint | string>): void {
    if (data === null) return this.null()
    if (data instanceof Uint8Array) return this.bytes(data)
    if (isList(data)) {
      this.list(data.length)
      for (const child of data) this.value(child)
      return
    }
    const keys = Object.keys(data)
    this.#head(MAJOR_MAP, keys.length)
    for (const key of keys) {
      this.text(key)
      this.value(data[key] as CborData)
    }
  }

  #integer(whole: number): void {
    if (whole >= 0) return this.#head(MAJOR_UINT, whole)
    this.#head(MAJOR_NEGATIVE, -1 - whole)
  }

  #wideInteger(whole: bigint): void {
    if (whole <= Number.MAX_SAFE_INTEGER && whole >= Number.MIN_SAFE_INTEGER) return this.#integer(Number(whole))
    this.#reserve(9)
    this.#bytes[this.#at] = ((whole < 0n ? MAJOR_NEGATIVE : MAJOR_UINT) << 5) | 27
    this.#view.setBigUint64(this.#at + 1, whole < 0n ? -1n - whole : whole)
    this.#at += 9
  }

  #float(float: number): void {
    this.#reserve(9)
    if (Math.fround(float) !== float) {
      this.#bytes[this.#at] = FLOAT_64
      this.#view.setFloat64(this.#at + 1, float)
      this.#at += 9
      return
    }
    const half = halfOf(float)
    if (half < 0) {
      this.#bytes[this.#at] = FLOAT_32
      this.#view.setFloat32(this.#at + 1, float)
      this.#at += 5
      return
    }
    this.#bytes[this.#at] = FLOAT_16
    this.#view.setUint16(this.#at + 1, half)
    this.#at += 3
  }

  #head(major: number, argument: number): void {
    this.#reserve(9)
    const at = this.#at
    const bytes = this.#bytes
    const initial = major << 5
    if (argument < 24) {
      bytes[at] = initial | argument
      this.#at = at + 1
    } else if (argument < 0x100) {
      bytes[at] = initial | 24
      bytes[at + 1] = argument
      this.#at = at + 2
    } else if (argument < 0x1_0000) {
      bytes[at] = initial | 25
      this.#view.setUint16(at + 1, argument)
      this.#at = at + 3
    } else if (argument < 0x1_0000_0000) {
      bytes[at] = initial | 26
      this.#view.setUint32(at + 1, argument)
      this.#at = at + 5
    } else {
      bytes[at] = initial | 27
      this.#view.setUint32(at + 1, Math.floor(argument / 0x1_0000_0000))
      this.#view.setUint32(at + 5, argument >>> 0)
      this.#at = at + 9
    }
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#at++] = byte
  }

  #reserve(count: number): void {
    const needed = this.#at + count
    if (needed > this.#bytes.length) this.#resize(Math.max(needed, this.#bytes.length * 2))
  }

  #resize(length: number): void {
    const grown = new Uint8Array(length)
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

const INITIAL_BYTES = 1024
/** Below, a copy in a loop is sooner done than a view is made. */
const COPIED_BYTE_BY_BYTE_MAX = 128
/** A writer that once wrote something large does not keep that memory. */
const KEPT_BYTES: number = 64 * 1024

const utf8 = new TextEncoder()

function isList(data: CborData): data is readonly CborData[] {
  return Array.isArray(data)
}
