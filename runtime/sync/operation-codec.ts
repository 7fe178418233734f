import type { CborData } from '../base/cbor.ts'
import type { MemberId, OperationId } from '../base/ids.ts'
import { GUARDS_PER_OPERATION_MAX, WRITES_PER_OPERATION_MAX } from '../base/limits.ts'
import { COMPARISONS, type Guard, pathsOf, type Write, WRITE_KINDS } from '../state/operation.ts'
import { type Path, pathProblem } from '../state/path.ts'
import { priorityOf, TIER_MAX } from '../state/priority.ts'
import { ownValue, type Value, valueProblem } from '../state/value.ts'
import { invalid, listOf, tupleOf, uintOf } from './codec-fields.ts'
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
      current.writes.map((write) => encodeWrite(write, table)),
      current.guards.map(encodeGuard),
    ],
    [previous.id === null ? null : encodeOperationId(previous.id, table), previous.stage],
    current.priority.tier,
  ]
}

/** @throws FleetstepError `message-invalid` */
export function decodeSyncMessage(data: CborData | undefined, table: MemberTable): SyncMessage {
  const [current, previous, tier] = tupleOf(data, 'message', 3)
  const [id, stage, floor, writes, guards] = tupleOf(current, 'current', 5)
  const operationId = decodeOperationId(id, 'operation id', table)
  const decodedWrites = listOf(writes, 'writes', WRITES_PER_OPERATION_MAX).map((write) => decodeWrite(write, table))
  const decodedGuards = listOf(guards, 'guards', GUARDS_PER_OPERATION_MAX).map(decodeGuard)
  const decoded: SyncMessage = {
    current: {
      id: operationId,
      stage: uintOf(stage, 'stage'),
      floor: uintOf(floor, 'floor'),
      priority: priorityOf(operationId.member, uintOf(tier, 'priority', TIER_MAX)),
      writes: decodedWrites,
      guards: decodedGuards,
      paths: pathsOf(decodedWrites, decodedGuards),
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
  if (current.writes.length === 0) throw invalid('writes', 'are none')
}

function decodePrevious(data: CborData | undefined, table: MemberTable): Previous {
  const [id, stage] = tupleOf(data, 'previous', 2)
  return {
    id: id === null ? null : decodeOperationId(id, 'previous', table),
    stage: uintOf(stage, 'stage of the previous operation'),
  }
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
