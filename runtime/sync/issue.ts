import { textBytes } from '../base/bytes.ts'
import { FleetstepError } from '../base/errors.ts'
import type { OperationId } from '../base/ids.ts'
import { mapped } from '../base/mapped.ts'
import { GUARDS_PER_OPERATION_MAX, OPERATION_BYTES_MAX, WRITES_PER_OPERATION_MAX } from '../base/limits.ts'
import type { Cell } from '../state/cell.ts'
import type { Execution } from '../state/executor.ts'
import { COMPARISONS, type Guard, type OperationRequest, pathsOf, type Write } from '../state/operation.ts'
import { type Path, pathProblem } from '../state/path.ts'
import { isRulesPoint } from '../state/reserved-point.ts'
import { ownValue, type Value, valueBytes, valueProblem } from '../state/value.ts'
import type { Output } from './output.ts'
import { writeProblem, writesProblem } from './write-codec.ts'

/** A checked operation that only lacks its identity and its stage. */
export interface CheckedOperation {
  readonly writes: readonly Write[]
  readonly guards: readonly Guard[]
  readonly paths: readonly Path[]
}

/** What became of a local operation at once. It can change until the operation is settled. */
export interface Issued {
  readonly id: OperationId
  readonly stage: number
  /** The node is no member yet: the operation waits, and gets another id when it is issued. */
  readonly isDraft: boolean
  readonly execution: Execution
  readonly outputs: Output[]
}

/**
 * Checks a request whole before anything is changed, and notes for each write whose value it replaces.
 * @throws FleetstepError `operation-invalid`
 */
export function checkOperation(request: OperationRequest, cellAt: (path: Path) => Cell): CheckedOperation {
  if (request.writes.length === 0) throw notValid('it has no write')
  if (request.writes.length > WRITES_PER_OPERATION_MAX)
    throw notValid(`it has more than ${WRITES_PER_OPERATION_MAX} writes`)
  if (request.guards.length > GUARDS_PER_OPERATION_MAX)
    throw notValid(`it has more than ${GUARDS_PER_OPERATION_MAX} guards`)
  const writes = mapped(request.writes, (write) => checkWrite(write, cellAt))
  const guards = request.guards.length === 0 ? NO_GUARDS : request.guards.map(checkGuard)
  const misfit = writesProblem(writes, guards)
  if (misfit !== null) throw notValid(`it ${misfit}`)
  let bytes = OPERATION_OVERHEAD_BYTES
  for (const write of writes) bytes += sizeOf(write.path, write.argument)
  for (const guard of guards) bytes += sizeOf(guard.path, guard.value)
  if (bytes > OPERATION_BYTES_MAX)
    throw notValid(`it has ${bytes} bytes; at most ${OPERATION_BYTES_MAX} are carried at once`)
  return { writes, guards, paths: pathsOf(writes, guards) }
}

const NO_GUARDS: readonly Guard[] = []

/** Ids, stages, floor, priority and the heads of the lists; the members' ids of a batch are counted with each operation. */
const OPERATION_OVERHEAD_BYTES = 80
/** Head, kind, and the id of the replaced operation with its member. */
const WRITE_OVERHEAD_BYTES = 32

function checkWrite(write: Omit<Write, 'replaces'>, cellAt: (path: Path) => Cell): Write {
  const problem = isRulesPoint(write.path) ? null : (pathProblem(write.path) ?? valueProblem(write.argument))
  if (problem !== null) throw notValid(`${write.path}: ${problem}`)
  const { path, kind } = write
  const checked: Write = { path, kind, argument: ownValue(write.argument), replaces: replacedBy(write, cellAt) }
  const misfit = writeProblem(checked)
  if (misfit !== null) throw notValid(`${write.path}: ${write.kind} ${misfit}`)
  return checked
}

function replacedBy(write: Omit<Write, 'replaces'>, cellAt: (path: Path) => Cell): OperationId | null {
  if (write.kind === 'add' || write.kind === 'append') return null
  return cellAt(write.path).writer?.id ?? null
}

function checkGuard(guard: Guard): Guard {
  const problem = pathProblem(guard.path) ?? valueProblem(guard.value)
  if (problem !== null) throw notValid(`guard of ${guard.path}: ${problem}`)
  if (!COMPARISONS.includes(guard.comparison))
    throw notValid(`guard of ${guard.path}: ${guard.comparison} is no comparison`)
  if (guard.comparison === 'exists' && typeof guard.value !== 'boolean')
    throw notValid(`guard of ${guard.path}: exists takes true or false`)
  return { ...guard, value: ownValue(guard.value) }
}

function sizeOf(path: Path, value: Value): number {
  return WRITE_OVERHEAD_BYTES + textBytes(path) + valueBytes(value)
}

function notValid(problem: string): FleetstepError {
  return new FleetstepError('operation-invalid', `the operation is not valid: ${problem}`)
}
