import type { CborReader } from '../base/cbor-reader.ts'
import type { CborWriter } from '../base/cbor-writer.ts'
import { isFounding, memberIdToBytes, type OperationId, sameOperationId } from '../base/ids.ts'
import { KEY_BYTES, PROOF_BYTES_MAX, WRITES_PER_OPERATION_MAX } from '../base/limits.ts'
import { type Join, type Operation, type Original, pathsMet, pathsOf, type Write } from '../state/operation.ts'
import { type Priority, TIER_MAX } from '../state/priority.ts'
import { type MarkedRole, ROLES } from '../state/role.ts'
import { invalid, keyFrom, markedRoleFrom, unknownHere } from './codec-fields.ts'
import { type MemberTable, readOperationId, writeOperationId } from './member-table.ts'
import type { Previous, SyncMessage } from './message.ts'
import { NO_GUARDS, readGuards, readWrite, writeGuards, writesProblem, writeWrite } from './write-codec.ts'

/**
 * sync-message, see `sync.cddl`. What follows from the message before is left out.
 * @param table the members that its batch names
 * @param before the message before in the batch, or null for the first
 */
export function writeSyncMessage(
  writer: CborWriter,
  { current, previous }: SyncMessage,
  table: MemberTable,
  before: SyncMessage | null,
): void {
  const { floor, guards, original } = current
  const follows = before !== null && followsFrom(before, floor, previous)
  const length = !follows ? 5 : original !== null ? 3 : guards.length > 0 ? 2 : 1
  writer.list(length)
  writeContent(writer, current, table)
  if (length >= 2) writeGuards(writer, guards)
  if (length >= 3) writeOriginal(writer, original, table)
  if (length < 5) return
  writer.uint(previous.stage - floor)
  writePrevious(writer, previous, table)
}

/** The inverse of {@link writeSyncMessage}. @throws FleetstepError `message-invalid` */
export function readSyncMessage(
  reader: CborReader,
  id: OperationId,
  priority: Priority,
  table: MemberTable,
  before: SyncMessage | null,
): SyncMessage {
  const length = reader.list('message', 1, 5)
  if (length === 4) throw invalid('message', 'says its floor and not what it follows')
  const count = reader.list('writes', 1, WRITES_PER_OPERATION_MAX)
  // Writes are lists, and a join begins with the bytes of a member id.
  const join = reader.isAtBytes ? readJoin(reader, count) : null
  const writes = join === null ? readWrites(reader, count, table) : NO_WRITES
  const guards = length >= 2 ? readGuards(reader) : NO_GUARDS
  const original = length >= 3 ? readOriginal(reader, table) : null
  const isFollowing = length < 4
  if (isFollowing && before === null) throw invalid('message', 'does not say what it follows')
  // The floor is written as its distance below the previous operation: small in a fleet that settles.
  const distance = isFollowing ? 0 : reader.uint('floor')
  const previous = isFollowing ? positionOf((before as SyncMessage).current) : readPrevious(reader, table)
  if (distance > previous.stage) throw invalid('floor', 'is below the genesis')
  const floor = isFollowing ? (before as SyncMessage).current.floor : previous.stage - distance
  if (join !== null && guards.length > 0) throw invalid('join', 'has guards')
  if (join !== null && original !== null) throw invalid('join', 'has an original')
  const problem = writesProblem(writes, guards)
  if (problem !== null) throw invalid('operation', problem)
  const paths = pathsMet(pathsOf(writes, guards), id.member, join, original)
  const stage = previous.stage + 1
  return { current: { id, stage, floor, priority, writes, guards, join, original, paths }, previous }
}

function followsFrom({ current }: SyncMessage, floor: number, previous: Previous): boolean {
  return floor === current.floor && previous.stage === current.stage && sameOperationId(previous.id, current.id)
}

function positionOf({ id, stage }: Operation): Previous {
  return { id, stage }
}

function writePrevious(writer: CborWriter, { id, stage }: Previous, table: MemberTable): void {
  if (id === null) return writer.null()
  writer.list(2)
  writer.uint(stage)
  writeOperationId(writer, id, table)
}

function readPrevious(reader: CborReader, table: MemberTable): Previous {
  if (reader.takeNull()) return { id: null, stage: 0 }
  reader.list('previous', 2, 2)
  const stage = reader.uint('stage of the previous operation', PREVIOUS_STAGE_MAX)
  if (stage === 0) throw invalid('previous', 'is the genesis or has a stage')
  return { id: readOperationId(reader, 'previous', table), stage }
}

/** The highest that has a next one. */
const PREVIOUS_STAGE_MAX: number = Number.MAX_SAFE_INTEGER - 1

function writeContent(writer: CborWriter, { writes, join }: SyncMessage['current'], table: MemberTable): void {
  if (join !== null) return writeJoin(writer, join)
  writer.list(writes.length)
  for (const write of writes) writeWrite(writer, write, table)
}

function readWrites(reader: CborReader, count: number, table: MemberTable): readonly Write[] {
  // Most have one write, and a list that grows takes room for 17.
  const writes = [readWrite(reader, table)]
  for (let index = 1; index < count; index++) writes.push(readWrite(reader, table))
  return writes
}

const NO_WRITES: readonly Write[] = []

function writeJoin(writer: CborWriter, { member, tier, key, token, role, credential }: Join): void {
  writer.list(credential !== undefined ? 6 : role !== undefined ? 5 : token !== undefined ? 4 : 3)
  writer.bytes(memberIdToBytes(member))
  writer.uint(tier)
  writer.bytes(key)
  if (token !== undefined) writer.hex(token)
  else if (role !== undefined || credential !== undefined) writer.null()
  if (role !== undefined) writer.uint(ROLES.indexOf(role))
  else if (credential !== undefined) writer.null()
  if (credential !== undefined) writer.bytes(credential)
}

function readJoin(reader: CborReader, length: number): Join {
  if (length < 3 || length > 6) throw invalid('join', 'is not a list of 3 to 6')
  const member = reader.memberId('member of a join')
  if (isFounding(member)) throw invalid('member of a join', 'is of the genesis')
  const tier = reader.uint('tier of a join', TIER_MAX)
  const key = keyFrom(reader.bytes('key', 0, KEY_BYTES))
  if (length === 3) return { member, tier, key }
  const hasToken = length === 4 || !reader.takeNull()
  const token = hasToken ? { token: reader.digest('token') } : {}
  if (length === 4) return { member, tier, key, ...token }
  const hasRole = length === 5 || !reader.takeNull()
  const role = hasRole ? { role: readRole(reader) } : {}
  if (length === 5) return { member, tier, key, ...token, ...role }
  const credential = new Uint8Array(reader.bytes('credential', 1, PROOF_BYTES_MAX))
  return { member, tier, key, ...token, ...role, credential }
}

/** A gateway is what nothing is said of. */
function readRole(reader: CborReader): MarkedRole {
  return markedRoleFrom(reader.uint('role'))
}

const ORIGINAL_KINDS = ['operation', 'draft'] as const

function writeOriginal(writer: CborWriter, original: Original | null, table: MemberTable): void {
  if (original === null) return writer.null()
  writer.list(2)
  writer.uint(ORIGINAL_KINDS.indexOf(original.kind))
  writeOperationId(writer, original.id, table)
}

function readOriginal(reader: CborReader, table: MemberTable): Original | null {
  if (reader.takeNull()) return null
  reader.list('original', 2, 2)
  const kind = ORIGINAL_KINDS[reader.uint('kind of original')]
  if (kind === undefined) throw unknownHere('kind of original')
  return { kind, id: readOperationId(reader, 'original', table) }
}
