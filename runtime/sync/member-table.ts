import type { CborReader } from '../base/cbor-reader.ts'
import type { CborWriter } from '../base/cbor-writer.ts'
import { type MemberId, memberIdFromLatin1, memberIdToBytes, type OperationId } from '../base/ids.ts'
import { MEMBER_IDS_MAX } from '../base/limits.ts'
import { invalid } from './codec-fields.ts'

/** The members that a batch speaks of, so that each id of 12 bytes stands in it once. The first is the origin. */
export class MemberTable {
  readonly members: MemberId[]

  /** @param members are added to */
  constructor(members: [MemberId, ...MemberId[]]) {
    this.members = members
  }

  get origin(): MemberId {
    return this.members[0] as MemberId
  }

  /** @returns the position of `member`, which is added if it is new */
  referTo(member: MemberId): number {
    const known = this.members.indexOf(member)
    return known >= 0 ? known : this.members.push(member) - 1
  }

  resolve(position: number, field: string): MemberId {
    const member = this.members[position]
    if (member === undefined) throw invalid(field, 'names no member of the batch')
    return member
  }
}

export function writeMembers(writer: CborWriter, { members }: MemberTable): void {
  writer.list(members.length)
  for (const member of members) writer.bytes(memberIdToBytes(member))
}

/** @throws FleetstepError `message-invalid` */
export function readMembers(reader: CborReader): MemberTable {
  const count = reader.list('members', 1, MEMBER_IDS_MAX)
  const table = new MemberTable([readMember(reader)])
  for (let index = 1; index < count; index++) table.members.push(readMember(reader))
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

function readMember(reader: CborReader): MemberId {
  return memberIdFromLatin1(reader.latin1('member', 12))
}
