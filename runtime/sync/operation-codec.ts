import type { CborData } from '../base/cbor.ts'
import { isFounding, type MemberId, memberIdToBytes, type OperationId } from '../base/ids.ts'
import { GUARDS_PER_OPERATION_MAX, KEY_BYTES, WRITES_PER_OPERATION_MAX } from '../base/limits.ts'
import {
  COMPARISONS,
  type Guard,
  type Join,
  type Original,
  pathsMet,
  pathsOf,
  type Write,
  WRITE_KINDS,
} from '../state/operation.ts'
import { type Path, pathProblem } from '../state/path.ts'
import { priorityOf, TIER_MAX } from '../state/priority.ts'
import { ownValue, type Value, valueProblem } from '../state/value.ts'
import { invalid, listOf, memberFrom, tupleOf, uintOf } from './codec-fields.ts'
import type { Previous, SyncMessage } from './message.ts'

/**
 * The members that a batch speaks of, so that each id of 12 bytes stands in it once. The first is the origin;
 * everybody else is referred to by position.
 */
export class MemberTable {
  readonly members: MemberId[]

  constructor(members: readonly MemberId[]) {
    this.members = [...members]
  }

  referTo(member: MemberId): number {
    const known = this.members.indexOf(member)
    return known >= 0 ? known : this.members.push(member) - 1
  }

  resolve(data: CborData | undefined, field: string): MemberId {
    const member = this.members[uintOf(data, field)]
    if (member === undefined) throw invalid(field, 'names no member of the batch')
    return member
  }
}

/** sync-message = [current, previous, priority], see `sync.cddl`. */
export function encodeSyncMessage(message: SyncMessage, table: MemberTable): CborData {
  const { current, previous } = message
  return [
    [
      encodeOperationId(current.id, table),
      current.stage,
      current.floor,
      current.join === null ? current.writes.map((write) => encodeWrite(write, table)) : [encodeJoin(current.join)],
      current.guards.map(encodeGuard),
      ...(current.original === null ? [] : [encodeOriginal(current.original, table)]),
    ],
    [previous.id === null ? null : encodeOperationId(previous.id, table), previous.stage],
    current.priority.tier,
  ]
}

/** @throws FleetstepError `message-invalid` */
export function decodeSyncMessage(data: CborData | undefined, table: MemberTable): SyncMessage {
  const [current, previous, tier] = tupleOf(data, 'message', 3)
  const [id, stage, floor, writes, guards, origin] = tupleOf(current, 'current', hasOriginal(current) ? 6 : 5)
  const operationId = decodeOperationId(id, 'operation id', table)
  const encodedWrites = listOf(writes, 'writes', WRITES_PER_OPERATION_MAX)
  const join = decodeJoin(encodedWrites)
  const decodedWrites = join === null ? encodedWrites.map((write) => decodeWrite(write, table)) : []
  const decodedGuards = listOf(guards, 'guards', GUARDS_PER_OPERATION_MAX).map(decodeGuard)
  const original = origin === undefined ? null : decodeOriginal(origin, table)
  const decoded: SyncMessage = {
    current: {
      id: operationId,
      stage: uintOf(stage, 'stage'),
      floor: uintOf(floor, 'floor'),
      priority: priorityOf(operationId.member, uintOf(tier, 'priority', TIER_MAX)),
      writes: decodedWrites,
      guards: decodedGuards,
      join,
      original,
      paths: pathsMet(pathsOf(decodedWrites, decodedGuards), operationId.member, join, original),
    },
    previous: decodePrevious(previous, table),
  }
  checkStages(decoded)
  return decoded
}

function encodeOperationId(id: OperationId, table: MemberTable): CborData {
  return [table.referTo(id.member), id.seq]
}

function decodeOperationId(data: CborData | undefined, field: string, table: MemberTable): OperationId {
  const [member, seq] = tupleOf(data, field, 2)
  const id = { member: table.resolve(member, field), seq: uintOf(seq, field) }
  if (id.seq === 0) throw invalid(field, 'has seq 0')
  return id
}

function checkStages(message: SyncMessage): void {
  const { current, previous } = message
  if (current.stage !== previous.stage + 1)
    throw invalid('stage', 'does not follow the stage of the previous operation')
  if (current.floor >= current.stage) throw invalid('floor', 'is not below the stage')
  if ((previous.id === null) !== (previous.stage === 0)) throw invalid('previous', 'is the genesis or has a stage')
  if (current.join === null && current.writes.length === 0) throw invalid('writes', 'are none')
  if (current.join !== null && current.guards.length > 0) throw invalid('join', 'has guards')
  if (current.join !== null && current.original !== null) throw invalid('join', 'has an original')
}

function decodePrevious(data: CborData | undefined, table: MemberTable): Previous {
  const [id, stage] = tupleOf(data, 'previous', 2)
  return {
    id: id === null ? null : decodeOperationId(id, 'previous', table),
    stage: uintOf(stage, 'stage of the previous operation'),
  }
}

/** On the wire a join is the only write of its operation: an empty path, kind 5, and who is admitted. */
const KIND_JOIN = WRITE_KINDS.length

function encodeJoin(join: Join): CborData {
  return ['', KIND_JOIN, [memberIdToBytes(join.member), join.tier, join.key], null]
}

/** Null if the writes are ordinary ones. */
function decodeJoin(writes: readonly CborData[]): Join | null {
  const [write] = writes
  if (writes.length !== 1 || !Array.isArray(write) || write[1] !== KIND_JOIN) return null
  const [path, , admitted, replaces] = tupleOf(write, 'join', 4)
  if (path !== '' || replaces !== null) throw invalid('join', 'names a path or what it replaces')
  const [member, tier, key] = tupleOf(admitted, 'join', 3)
  const join: Join = {
    member: memberFrom(member, 'member of a join'),
    tier: uintOf(tier, 'tier of a join', TIER_MAX),
    key: keyFrom(key),
  }
  if (isFounding(join.member)) throw invalid('member of a join', 'is of the genesis')
  return join
}

/** @returns a public key of its own bytes; an empty one in a fleet without signatures */
export function keyFrom(data: CborData | undefined): Uint8Array {
  if (!(data instanceof Uint8Array) || (data.length !== 0 && data.length !== KEY_BYTES))
    throw invalid('key', `is not ${KEY_BYTES} bytes`)
  return new Uint8Array(data)
}

const ORIGINAL_KINDS = ['operation', 'draft'] as const

function hasOriginal(current: CborData | undefined): boolean {
  return Array.isArray(current) && current.length === 6
}

function encodeOriginal(original: Original, table: MemberTable): CborData {
  return [ORIGINAL_KINDS.indexOf(original.kind), encodeOperationId(original.id, table)]
}

function decodeOriginal(data: CborData, table: MemberTable): Original {
  const [kindIndex, id] = tupleOf(data, 'original', 2)
  const kind = ORIGINAL_KINDS[uintOf(kindIndex, 'kind of original')]
  if (kind === undefined) throw invalid('kind of original', 'is not known to this version')
  return { kind, id: decodeOperationId(id, 'original', table) }
}

function encodeWrite(write: Write, table: MemberTable): CborData {
  const replaces = write.replaces === null ? null : encodeOperationId(write.replaces, table)
  return [write.path, WRITE_KINDS.indexOf(write.kind), write.argument, replaces]
}

function decodeWrite(data: CborData, table: MemberTable): Write {
  const [path, kindIndex, argument, replaces] = tupleOf(data, 'write', 4)
  const kind = WRITE_KINDS[uintOf(kindIndex, 'kind of write')]
  if (kind === undefined) throw invalid('kind of write', 'is not known to this version')
  const write: Write = {
    path: decodePath(path),
    kind,
    argument: decodeValue(argument, 'argument'),
    replaces: replaces === null ? null : decodeOperationId(replaces, 'replaces', table),
  }
  const problem = writeProblem(write)
  if (problem !== null) throw invalid(kind, problem)
  return write
}

/** Null if argument and `replaces` fit the kind of write. */
export function writeProblem(write: Write): string | null {
  switch (write.kind) {
    case 'set':
      return null
    case 'delete':
    case 'toggle':
      return write.argument === null ? null : 'takes no argument'
    case 'add':
      if (typeof write.argument !== 'number' && typeof write.argument !== 'bigint') return 'takes a number'
      return write.replaces === null ? null : 'replaces nothing'
    case 'append':
      return write.replaces === null ? null : 'replaces nothing'
  }
}

function encodeGuard(guard: Guard): CborData {
  return [guard.path, COMPARISONS.indexOf(guard.comparison), guard.value]
}

function decodeGuard(data: CborData): Guard {
  const [path, comparisonIndex, value] = tupleOf(data, 'guard', 3)
  const comparison = COMPARISONS[uintOf(comparisonIndex, 'comparison')]
  if (comparison === undefined) throw invalid('comparison', 'is not known to this version')
  if (comparison === 'exists' && typeof value !== 'boolean') throw invalid('exists', 'takes true or false')
  return { path: decodePath(path), comparison, value: decodeValue(value, 'value of a guard') }
}

function decodePath(data: CborData | undefined): Path {
  const problem = pathProblem(data)
  if (problem !== null) throw invalid('path', `is not valid: ${problem}`)
  return data as Path
}

function decodeValue(data: CborData | undefined, field: string): Value {
  const problem = valueProblem(data)
  if (problem !== null) throw invalid(field, `is not valid: ${problem}`)
  // Byte strings are views of the frame: a value must not keep a whole frame alive or change with its buffer.
  return ownValue(data as Value)
}
