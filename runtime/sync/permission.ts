import { type ErrorCode, FleetstepError } from '../base/errors.ts'
import { isFounding, type MemberId, nodeOf } from '../base/ids.ts'
import type { Write } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import { deviceOfRules, isReserved } from '../state/reserved-point.ts'
import { type Charter, maySetRules, type Role } from '../state/role.ts'
import { type Objection, objectionTo, type ObjectionCode, objectionToReading } from '../state/rules/judge.ts'
import type { RuleTable } from '../state/rules/rules.ts'
import type { Value } from '../state/value.ts'

/** Who issues here, and under which rules. */
export interface Permission {
  readonly self: MemberId
  readonly role: Role
  readonly charter: Charter
  readonly rulesOf: (path: Path) => RuleTable | null
}

/**
 * Judges a local operation before it is issued as every member will where it executes it, as far as is known here now.
 * @throws FleetstepError `operation-refused` (the role, or whose point it is), `path-unknown` (the device has no such point),
 * `operation-invalid` (the value does not fit)
 */
export function assertMayIssue(writes: readonly Write[], { self, role, charter, rulesOf }: Permission): void {
  if (role === 'observer')
    throw new FleetstepError(
      'operation-refused',
      'this node is an observer: it changes nothing; ask a gateway to do it',
    )
  for (const write of writes) {
    if (isReserved(write.path)) assertMaySetRules(write.path, maySetRules(role, isFounding(self), charter))
    else assertFits(write, self, rulesOf(write.path))
  }
}

/** Whether an operation of this node is void whatever the rules say, because of who it is now. */
export function isVoidOfIssuer(
  writes: readonly Write[],
  { self, role, charter }: Omit<Permission, 'rulesOf'>,
): boolean {
  if (role === 'observer') return true
  return writes.some(({ path }) => isReserved(path)) && !maySetRules(role, isFounding(self), charter)
}

/** Judges a reading of this node as every receiver will. @throws FleetstepError as {@link assertMayIssue} */
export function assertMayReport(path: Path, value: Value, { self, role, rulesOf }: Omit<Permission, 'charter'>): void {
  if (role === 'observer')
    throw new FleetstepError('operation-refused', 'this node is an observer: it reads only, and reports nothing')
  const objection = objectionToReading(path, value, nodeOf(self), rulesOf(path))
  if (objection !== null) throw refusalFor(objection)
}

function assertMaySetRules(path: Path, mayIt: boolean): void {
  if (mayIt) return
  throw new FleetstepError(
    'operation-refused',
    `this node may not set the rules of ${deviceOfRules(path)}: an operator or the founder does it`,
  )
}

function assertFits(write: Write, self: MemberId, table: RuleTable | null): void {
  const objection = table === null ? null : objectionTo(write, nodeOf(self), table)
  if (objection !== null) throw refusalFor(objection)
}

/** What whoever asked for a write is told when rules do not let it through. */
export function refusalFor({ code, reason }: Objection): FleetstepError {
  return new FleetstepError(ERROR_CODES[code], reason)
}

const ERROR_CODES: Readonly<Record<ObjectionCode, ErrorCode>> = {
  'unknown-point': 'path-unknown',
  'read-only': 'operation-refused',
  'not-owner': 'operation-refused',
  merge: 'operation-invalid',
  type: 'operation-invalid',
  range: 'operation-invalid',
  enum: 'operation-invalid',
  pattern: 'operation-invalid',
  length: 'operation-invalid',
}
