import type { CborReader } from '../base/cbor-reader.ts'
import type { CborWriter } from '../base/cbor-writer.ts'
import { type MemberId, memberIdToBytes, type OperationId } from '../base/ids.ts'
import { MEMBER_IDS_MAX } from '../base/limits.ts'
import { invalid } from './codec-fields.ts'

/** The members that a batch speaks of, so that each id of 12 bytes stands in it once. The first is the origin. */
export class MemberTable {
  #origin = '' as MemberId
  /** Those behind the origin: null in most batches, which name nobody else. */
  #others: MemberId[] | null = null

  /** The table of another batch. */
  begin(origin: MemberId): this {
    this.#origin = origin
    this.#others = null
    return this
  }

  get origin(): MemberId {
    return this.#origin
  }

  get size(): number {
    return 1 + (this.#others?.length ?? 0)
  }

  add(member: MemberId): void {
    if (this.#others === null) this.#others = [member]
    else this.#others.push(member)
  }

  /** Forgets all but the first `size`. */
  shorten(size: number): void {
    if (this.#others !== null) this.#others.length = size - 1
  }

  /** @returns the position of `member`, which is added if it is new */
  referTo(member: MemberId): number {
    if (member === this.#origin) return 0
    const known = this.#others?.indexOf(member) ?? -1
    if (known >= 0) return known + 1
    this.add(member)
    return this.size - 1
  }

  resolve(position: number, field: string): MemberId {
    const member = position === 0 ? this.#origin : this.#others?.[position - 1]
    if (member === undefined) throw invalid(field, 'names no member of the batch')
    return member
  }
}

export function writeMembers(writer: CborWriter, table: MemberTable): void {
  writer.list(table.size)
  for (let position = 0; position < table.size; position++)
    writer.bytes(memberIdToBytes(table.resolve(position, 'member')))
}

/** @param table is filled anew. @throws FleetstepError `message-invalid` */
export function readMembers(reader: CborReader, table: MemberTable): MemberTable {
  const count = reader.list('members', 1, MEMBER_IDS_MAX)
  table.begin(reader.memberId('member'))
  for (let index = 1; index < count; index++) table.add(reader.memberId('member'))
  return table
}

/** operation-id: an operation of the origin is named by its seq alone. */
export function writeOperationId(writer: CborWriter, { member, seq }: OperationId, table: MemberTable): void {
  if (member === table.origin) return writer.uint(seq)
  writer.list(2)
  writer.uint(table.referTo(member))
  writer.uint(seq)
}

/** @throws FleetstepError `message-invalid` */
export function readOperationId(reader: CborReader, field: string, table: MemberTable): OperationId {
  let member = table.origin
  if (!reader.isAtUint) {
    reader.list(field, 2, 2)
    member = table.resolve(reader.uint(field), field)
  }
  const seq = reader.uint(field)
  if (seq === 0) throw invalid(field, 'has seq 0')
  return { member, seq }
}
