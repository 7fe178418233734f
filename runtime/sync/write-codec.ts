import type { CborReader } from '../base/cbor-reader.ts'
import type { CborWriter } from '../base/cbor-writer.ts'
import { GUARDS_PER_OPERATION_MAX, RULES_BYTES_MAX, VALUE_DEPTH_MAX } from '../base/limits.ts'
import { COMPARISONS, type Guard, type Write, WRITE_KINDS } from '../state/operation.ts'
import { notePathRead, type Path, pathProblem, recentPaths } from '../state/path.ts'
import { deviceOfRules, isRulesPoint } from '../state/reserved-point.ts'
import { areRules } from '../state/rules/rules-codec.ts'
import { type Value, valueProblem } from '../state/value.ts'
import { invalid, unknownHere } from './codec-fields.ts'
import { type MemberTable, readOperationId, writeOperationId } from './member-table.ts'

/** write, see `sync.cddl`. What most writes have is left out from the end: the kind `set`, and that nothing is replaced. */
export function writeWrite(writer: CborWriter, { path, kind, argument, replaces }: Write, table: MemberTable): void {
  const length = kind !== 'set' ? 4 : replaces !== null ? 3 : 2
  writer.list(length)
  writer.text(path)
  writer.value(argument)
  if (replaces !== null) writeOperationId(writer, replaces, table)
  else if (length > 2) writer.null()
  if (length > 3) writer.uint(WRITE_KINDS.indexOf(kind))
}

/** @throws FleetstepError `message-invalid` */
export function readWrite(reader: CborReader, table: MemberTable): Write {
  const length = reader.list('write', 2, 4)
  const path = readWrittenPath(reader)
  const argument = isRulesPoint(path) ? readRules(reader) : readValue(reader, 'argument')
  const replaces = length < 3 || reader.takeNull() ? null : readOperationId(reader, 'replaces', table)
  const kind = length < 4 ? 'set' : WRITE_KINDS[reader.uint('kind of write')]
  if (kind === undefined) throw unknownHere('kind of write')
  const write: Write = { path, kind, argument, replaces }
  const problem = writeProblem(write)
  if (problem !== null) throw invalid(kind, problem)
  return write
}

/**
 * Null if the writes of one operation go together: what sets rules does nothing else, so that no write is judged by rules that
 * come with it.
 */
export function writesProblem(writes: readonly Pick<Write, 'path'>[], guards: readonly Guard[]): string | null {
  let count = 0
  for (const { path } of writes) if (deviceOfRules(path) !== null) count += 1
  return count === 0 || (count === writes.length && guards.length === 0) ? null : 'sets rules and does more'
}

/** Null if argument and `replaces` fit the kind of write. */
export function writeProblem(write: Write): string | null {
  if (deviceOfRules(write.path) !== null) return rulesWriteProblem(write)
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

function rulesWriteProblem({ kind, argument }: Write): string | null {
  if (kind === 'delete') return argument === null ? null : 'takes no argument'
  if (kind !== 'set') return 'is no way to change rules'
  return argument instanceof Uint8Array && areRules(argument) ? null : 'takes the rules of a device in their one form'
}

export function writeGuards(writer: CborWriter, guards: readonly Guard[]): void {
  writer.list(guards.length)
  for (const { path, comparison, value } of guards) {
    writer.list(3)
    writer.text(path)
    writer.uint(COMPARISONS.indexOf(comparison))
    writer.value(value)
  }
}

/** @throws FleetstepError `message-invalid` */
export function readGuards(reader: CborReader): readonly Guard[] {
  const count = reader.list('guards', 0, GUARDS_PER_OPERATION_MAX)
  if (count === 0) return NO_GUARDS
  const guards: Guard[] = []
  for (let index = 0; index < count; index++) guards.push(readGuard(reader))
  return guards
}

export const NO_GUARDS: readonly Guard[] = []

function readGuard(reader: CborReader): Guard {
  reader.list('guard', 3, 3)
  const path = readPath(reader)
  const comparison = COMPARISONS[reader.uint('comparison')]
  const value = readValue(reader, 'value of a guard')
  if (comparison === undefined) throw unknownHere('comparison')
  if (comparison === 'exists' && typeof value !== 'boolean') throw invalid('exists', 'takes true or false')
  return { path, comparison, value }
}

function readPath(reader: CborReader): Path {
  const recent = reader.takeRecent('path', recentPaths)
  if (recent !== null) return recent
  const path = reader.text('path')
  const problem = pathProblem(path)
  if (problem !== null) throw invalid('path', `is not valid: ${problem}`)
  return notePathRead(path as Path)
}

/** Of the reserved points operations write the rules alone. */
function readWrittenPath(reader: CborReader): Path {
  const recent = reader.takeRecent('path', recentPaths)
  if (recent !== null) return recent
  const path = reader.text('path') as Path
  if (isRulesPoint(path)) return path
  const problem = pathProblem(path)
  if (problem !== null) throw invalid('path', `is not valid: ${problem}`)
  return notePathRead(path)
}

/** Rules may be longer than a value of the device. */
function readRules(reader: CborReader): Value {
  if (reader.takeNull()) return null
  return new Uint8Array(reader.bytes('rules', 0, RULES_BYTES_MAX))
}

function readValue(reader: CborReader, field: string): Value {
  const value = reader.value(field, VALUE_DEPTH_MAX)
  const problem = valueProblem(value)
  if (problem !== null) throw invalid(field, `is not valid: ${problem}`)
  return value
}
