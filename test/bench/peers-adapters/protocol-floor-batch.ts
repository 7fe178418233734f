import { fromHex, wordAt } from '../../../runtime/base/bytes.ts'
import { deflate, inflate } from '../../../runtime/base/deflate.ts'
import { memberIdOf, memberIdToBytes } from '../../../runtime/base/ids.ts'
import { BATCH_BYTES_MAX, BATCH_DEFLATE_FROM_BYTES, OPERATIONS_PER_BATCH_MAX } from '../../../runtime/base/limits.ts'
import { fleetIdOf, type Genesis } from '../../../runtime/sync/membership.ts'
import type { Scalar } from './peer.ts'
import { BYTES, copyPart, FlatReader, FlatWriter, LIST, NULL, UINT } from './protocol-floor-codec.ts'
import {
  FLOOR,
  MEMBERS,
  NONE,
  NUMBER,
  REGISTER,
  type RegisterTable,
  REPLACED,
  SEQ,
  STAGE,
  WIDTH,
} from './protocol-floor-table.ts'

/** The members, numbered by priority: of two the lower number stands. */
export class Founders {
  /** With which every frame with a batch begins. */
  readonly frameStart: Uint8Array
  readonly tiers: readonly number[]
  readonly ids: readonly Uint8Array[]
  readonly self: number
  /** By a hash of the id; what is taken leads to the next. */
  readonly #slots: Int32Array

  constructor(genesis: Genesis, self: number) {
    const node = genesis.founders[self]?.node
    const sorted = [...genesis.founders].sort((one, other) => other.tier - one.tier || (one.node > other.node ? -1 : 1))
    this.tiers = sorted.map(({ tier }) => tier)
    this.ids = sorted.map((founder) => memberIdToBytes(memberIdOf(founder.node, 0)))
    this.frameStart = Uint8Array.of(LIST | 4, 1, BYTES | 8, ...fromHex(fleetIdOf(genesis)), 0)
    this.self = sorted.findIndex((founder) => founder.node === node)
    this.#slots = new Int32Array(4 * 2 ** Math.ceil(Math.log2(sorted.length))).fill(NONE)
    for (const [member, id] of this.ids.entries()) {
      let slot = this.#slotOf(id, 0)
      while (this.#slots[slot] !== NONE) slot = (slot + 1) & (this.#slots.length - 1)
      this.#slots[slot] = member
    }
  }

  /** The member whose id begins at `at`. */
  at(bytes: Uint8Array, at: number): number {
    for (let slot = this.#slotOf(bytes, at); ; slot = (slot + 1) & (this.#slots.length - 1)) {
      const member = this.#slots[slot] as number
      if (isIdAt(this.ids[member] as Uint8Array, bytes, at)) return member
    }
  }

  #slotOf(bytes: Uint8Array, at: number): number {
    const word = Math.imul(wordAt(bytes, at) ^ wordAt(bytes, at + 4) ^ wordAt(bytes, at + 8), 0x9e37_79b1)
    return (word >>> 16) & (this.#slots.length - 1)
  }
}

function isIdAt(id: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < id.length; index++) if (id[index] !== bytes[at + index]) return false
  return true
}

/** Writes one batch of `plain` form, and deflates it where that makes it shorter. */
export class BatchWriter {
  /** The payload lies between `start` and `end` when it is finished. */
  start = 0
  end = 0
  readonly #founders: Founders
  readonly #others: number[] = []
  #stage = 0
  #previousMember = 0
  #previousSeq = 0

  constructor(founders: Founders) {
    this.#founders = founders
  }

  get bytes(): Uint8Array {
    return out.bytes
  }

  /** @param stage of what the first of its operations follows, or 0 for the genesis */
  begin(stage: number, member: number, seq: number): void {
    out.at = MESSAGES_AT
    if (this.#others.length > 0) this.#others.length = 0
    this.#stage = stage
    this.#previousMember = member
    this.#previousSeq = seq
  }

  /** @param at where its fields stand; only the first one says what it follows, of which the others follow */
  operation(item: Uint8Array, value: Scalar, fields: Int32Array, at: number, isFirst: boolean): void {
    const replaced = fields[at + REPLACED] as number
    out.byte(LIST | (isFirst ? 5 : 1))
    out.byte(LIST | 1)
    out.byte(LIST | (replaced === 0 ? 2 : 3))
    out.raw(item)
    out.value(value)
    if (replaced > 0) this.#id((fields[at + MEMBERS] as number) >>> 16, replaced)
    if (isFirst) this.#previous(fields[at + FLOOR] as number)
  }

  /** The head goes right before the messages, which say how long it is. */
  finish(linkHigh: number, linkLow: number, seq: number, count: number): void {
    const { ids, tiers, self } = this.#founders
    const end = out.at
    const tier = tiers[self] as number
    const members = this.#others.length + 1
    const sizes = sizeOf(members) + members * 13 + 9 + sizeOf(tier) + sizeOf(seq) + sizeOf(count)
    this.start = MESSAGES_AT - 1 - sizes
    out.at = this.start
    out.byte(LIST | 5)
    out.head(LIST, members)
    this.#member(ids[self] as Uint8Array)
    for (const other of this.#others) this.#member(ids[other] as Uint8Array)
    out.byte(BYTES | 8)
    out.word(linkHigh)
    out.word(linkLow)
    out.head(UINT, tier)
    out.head(UINT, seq)
    out.head(LIST, count)
    this.end = end
    if (end - this.start >= BATCH_DEFLATE_FROM_BYTES) this.#deflate()
  }

  /** No guards, no original, then the floor and what is followed. */
  #previous(floor: number): void {
    out.byte(LIST)
    out.byte(NULL)
    out.head(UINT, this.#stage - floor)
    if (this.#stage === 0) return out.byte(NULL)
    out.byte(LIST | 2)
    out.head(UINT, this.#stage)
    this.#id(this.#previousMember, this.#previousSeq)
  }

  #deflate(): void {
    const deflated = deflate(out.bytes.subarray(this.start, this.end))
    const { length } = deflated
    if (sizeOf(length) + length >= this.end - this.start) return
    out.at = this.start
    out.head(BYTES, length)
    copyPart(out.bytes, out.at, deflated, 0, length)
    this.end = out.at + length
  }

  #member(id: Uint8Array): void {
    out.byte(BYTES | 12)
    out.raw(id)
  }

  #id(member: number, seq: number): void {
    if (member !== this.#founders.self) {
      let position = this.#others.indexOf(member)
      if (position < 0) position = this.#others.push(member) - 1
      out.byte(LIST | 2)
      out.head(UINT, position + 1)
    }
    out.head(UINT, seq)
  }
}

/** Behind the largest head: a table of all members. */
const MESSAGES_AT: number = 32 * 1024
/** One batch is written at a time, whoever writes it. */
const out = new FlatWriter(MESSAGES_AT + 4 * BATCH_BYTES_MAX)

function sizeOf(argument: number): number {
  return argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x1_0000 ? 3 : 5
}

/** Reads one batch: first what it is, then its operations into the table. */
export class BatchReader {
  origin = 0
  linkHigh = 0
  linkLow = 0
  seq = 0
  count = 0
  readonly operations: Int32Array = new Int32Array(OPERATIONS_PER_BATCH_MAX * WIDTH)
  /** Operations of other members that its messages follow: member, seq, member, seq … */
  readonly needs: number[] = []
  readonly #founders: Founders
  /** The members of the batch, and of those before it that had more. */
  readonly #members: number[] = []

  constructor(founders: Founders) {
    this.#founders = founders
  }

  begin(bytes: Uint8Array, start: number): void {
    input.begin(bytes, start)
    if ((bytes[start] as number) >> 5 === BYTES >> 5) {
      const length = input.argument()
      input.begin(inflate('batch', bytes.subarray(input.at, input.at + length), BATCH_BYTES_MAX), 0)
    }
    if (this.needs.length > 0) this.needs.length = 0
    input.at += 1
    const members = input.argument()
    for (let position = 0; position < members; position++) {
      this.#members[position] = this.#founders.at(input.bytes, input.at + 1)
      input.at += 13
    }
    this.origin = this.#members[0] as number
    input.at += 1
    this.linkHigh = input.word()
    this.linkLow = input.word()
    input.argument()
    this.seq = input.argument()
    this.count = input.argument()
  }

  /** Reads the fields of all its operations into `operations`. */
  read(values: Scalar[], registers: RegisterTable): void {
    this.#operation(this.seq, NONE, values, registers)
    for (let index = 1; index < this.count; index++)
      this.#operation(this.seq + index, (index - 1) * WIDTH, values, registers)
  }

  #operation(seq: number, before: number, values: Scalar[], registers: RegisterTable): void {
    const { operations } = this
    const at = before === NONE ? 0 : before + WIDTH
    const length = input.argument()
    expect(LIST | 1)
    const writeLength = input.argument()
    if (writeLength > 3) throw notPlain()
    const textLength = input.argument()
    const start = input.at
    input.at = start + textLength
    operations[at + REGISTER] = registers.at(input.bytes, start, start + textLength).index
    operations[at + NUMBER] = values.push(input.value()) - 1
    const replacedMember = writeLength === 3 ? this.#memberOfId() : 0
    operations[at + MEMBERS] = this.origin | (replacedMember << 16)
    operations[at + REPLACED] = writeLength === 3 ? input.argument() : 0
    operations[at + SEQ] = seq
    if (length > 1) expect(LIST)
    if (length > 2) expect(NULL)
    if (length < 5) {
      operations[at + STAGE] = (operations[before + STAGE] as number) + 1
      operations[at + FLOOR] = operations[before + FLOOR] as number
      return
    }
    const distance = input.argument()
    const stage = this.#stageOfPrevious()
    operations[at + STAGE] = stage + 1
    operations[at + FLOOR] = stage - distance
  }

  #stageOfPrevious(): number {
    if (input.byte() === NULL) return 0
    const stage = input.argument()
    const member = this.#memberOfId()
    const seq = input.argument()
    if (member !== this.origin) this.needs.push(member, seq)
    return stage
  }

  #memberOfId(): number {
    if ((input.bytes[input.at] as number) < LIST) return this.origin
    input.at += 1
    return this.#members[input.argument()] as number
  }
}

const input = new FlatReader()

/** One plain write, without guards or an original: all that is understood here. */
function expect(byte: number): void {
  if (input.byte() !== byte) throw notPlain()
}

function notPlain(): Error {
  return new Error('the floor of the protocol reads plain writes alone')
}
