import { wordAt } from '../../../runtime/base/bytes.ts'

/** No operation, no register, and nothing at a place. */
export const NONE = -1

// The fields of an operation stand behind each other, in half a line of the processor's cache.

/** Its member in the lower half, and in the upper one that of the operation that it replaced. */
export const MEMBERS = 0
export const SEQ = 1
export const STAGE = 2
export const FLOOR = 3
/** Seq of the operation that it replaced, 0 for none. */
export const REPLACED = 4
/** Its place among the values, which no other operation has. */
export const NUMBER = 5
/** The number of the operation that stands behind this one in its chain: its own if it was applied. */
export const STANDS = 6
/** Which register it writes. */
export const REGISTER = 7
export const WIDTH = 8

/**
 * The chains of all registers in one piece of memory, so that they are no work for the garbage collector, and one of them is
 * walked without a miss of the cache at each step. A chain that is full moves to a block of twice the size.
 */
export class ChainMemory {
  fields: Int32Array = new Int32Array(1024 * WIDTH)
  #end = 0
  /** Blocks that chains have left, by the logarithm of their size. */
  readonly #left: number[][] = Array.from({ length: 32 }, () => [])

  /** Makes room at `position` of a chain, counted from its start, and moves what stands there. @returns where that is */
  insert(register: Register, position: number): number {
    if (register.length === register.room) this.#grow(register)
    const at = register.start + position
    if (position < register.length) this.fields.copyWithin(at + WIDTH, at, register.start + register.length)
    register.length += WIDTH
    return at
  }

  #grow(register: Register): void {
    const room = Math.max(FIRST_BLOCK, register.room * 2)
    const start = this.#block(room)
    this.fields.copyWithin(start, register.start, register.start + register.length)
    if (register.room > 0) this.#left[Math.log2(register.room)]?.push(register.start)
    register.start = start
    register.room = room
  }

  #block(size: number): number {
    const start = this.#left[Math.log2(size)]?.pop() ?? this.#end
    if (start < this.#end) return start
    this.#end += size
    while (this.#end > this.fields.length) this.fields = doubled(this.fields)
    return start
  }
}

const FIRST_BLOCK: number = 4 * WIDTH

/** Numbers of 32 bits behind each other. */
export class NumberList {
  numbers: Int32Array = new Int32Array(64)
  length = 0

  push(number: number): void {
    if (this.length === this.numbers.length) this.numbers = doubled(this.numbers)
    this.numbers[this.length++] = number
  }
}

function doubled(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(numbers.length * 2)
  grown.set(numbers)
  return grown
}

/** One point: the chain of its operations in canonical order, and which of them stands: its value, and who wrote it. */
export class Register {
  readonly index: number
  readonly path: string
  /** The path as an item of CBOR. */
  readonly item: Uint8Array
  /** Where its chain lies, how much of that is taken, and how much there is. */
  start = 0
  length = 0
  room = 0
  /** Positions in the chain: of what stands, and of what is to be executed, from the first on all, up to the last at least. */
  stands: number = NONE
  firstStale: number = NONE
  lastStale: number = NONE

  constructor(index: number, path: string, item: Uint8Array) {
    this.index = index
    this.path = path
    this.item = item
  }
}

/** The points, found by a text here and by the bytes of a message. */
export class RegisterTable {
  readonly all: Register[] = []
  readonly #byPath = new Map<string, Register>()
  /** A power of two, at most half of them taken; one that is taken leads to the next. */
  #slots: (Register | null)[] = emptySlots(4096)

  of(path: string): Register {
    return this.#byPath.get(path) ?? this.#add(path)
  }

  /** Of the text whose bytes lie between `start` and `end`. */
  at(bytes: Uint8Array, start: number, end: number): Register {
    const mask = this.#slots.length - 1
    for (let slot = hashOf(bytes, start, end) & mask; ; slot = (slot + 1) & mask) {
      const register = this.#slots[slot] as Register | null
      if (register === null) return this.of(Buffer.from(bytes.subarray(start, end)).toString())
      if (endsWith(register.item, bytes, start, end)) return register
    }
  }

  #add(path: string): Register {
    const text = Buffer.from(path)
    const head = text.length < 24 ? [0x60 + text.length] : [0x78, text.length]
    const register = new Register(this.all.length, path, Uint8Array.of(...head, ...text))
    this.#byPath.set(path, register)
    this.all.push(register)
    if (this.all.length * 2 > this.#slots.length) {
      this.#slots = emptySlots(this.#slots.length * 2)
      for (const one of this.all) this.#place(one)
    } else this.#place(register)
    return register
  }

  #place(register: Register): void {
    const { item } = register
    const mask = this.#slots.length - 1
    let slot = hashOf(item, textStart(item), item.length) & mask
    while (this.#slots[slot] !== null) slot = (slot + 1) & mask
    this.#slots[slot] = register
  }
}

function emptySlots(count: number): (Register | null)[] {
  return Array.from({ length: count }, () => null)
}

function textStart(item: Uint8Array): number {
  return item.length <= 24 ? 1 : 2
}

function endsWith(item: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const offset = textStart(item)
  if (item.length - offset !== end - start) return false
  for (let at = start; at < end; at++) if (item[offset + at - start] !== bytes[at]) return false
  return true
}

/** Four bytes at a time, turned so that all of them come to count in the lower bits. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  let at = start
  for (; at + 4 <= end; at += 4) hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ wordAt(bytes, at), 0x9e37_79b1)
  for (; at < end; at++) hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ (bytes[at] as number), 0x9e37_79b1)
  return (hash ^ (hash >>> 15)) >>> 0
}
