import type { CborData } from '../base/cbor.ts'
import { EMPTY_DIGEST, type Digest } from '../base/digest.ts'
import { fromHex, toHex } from '../base/bytes.ts'
import { FleetstepError } from '../base/errors.ts'
import { type MemberId, memberIdFromBytes } from '../base/ids.ts'
import { KEY_BYTES } from '../base/limits.ts'
import { type MarkedRole, ROLE_DEFAULT, ROLES } from '../state/role.ts'

/** Checked reading of decoded CBOR. Each throws FleetstepError `message-invalid` that names the field. */

export function invalid(field: string, problem: string): FleetstepError {
  return new FleetstepError('message-invalid', `${field} ${problem}`)
}

/** What this release has no meaning for, and a later one may have. What is known of it is as it should be. */
export class NewerReleaseError extends FleetstepError {}

/** @param field holds a number or a word that means nothing here */
export function unknownHere(field: string): NewerReleaseError {
  return new NewerReleaseError('message-invalid', `${field} is not known to this version`)
}

/** @param lengthMax of what comes from others; what is our own writing is bounded by its bytes alone */
export function listOf(data: CborData | undefined, field: string, lengthMax: number = Infinity): readonly CborData[] {
  if (!isList(data)) throw invalid(field, 'is not a list')
  if (data.length > lengthMax) throw invalid(field, `has more than ${lengthMax} entries`)
  return data
}

export function tupleOf(data: CborData | undefined, field: string, length: number): readonly CborData[] {
  if (!isList(data) || data.length !== length) throw invalid(field, `is not a list of ${length}`)
  return data
}

/** A whole number in [0, 2^53). */
export function uintOf(data: CborData | undefined, field: string, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof data !== 'number' || !Number.isSafeInteger(data) || data < 0) throw invalid(field, 'is not a whole number')
  if (data > max) throw invalid(field, `is more than ${max}`)
  return data
}

function bytesOf(data: CborData | undefined, field: string, length: number): Uint8Array {
  if (!(data instanceof Uint8Array) || data.length !== length) throw invalid(field, `is not ${length} bytes`)
  return data
}

export function digestFrom(data: CborData | undefined, field: string): Digest {
  return toHex(bytesOf(data, field, EMPTY_DIGEST.length / 2)) as Digest
}

export function digestBytes(digest: Digest): Uint8Array {
  return fromHex(digest)
}

export function memberFrom(data: CborData | undefined, field: string): MemberId {
  return memberIdFromBytes(bytesOf(data, field, 12))
}

/** @returns a public key of its own bytes; an empty one in a fleet without signatures */
export function keyFrom(data: CborData | undefined): Uint8Array {
  if (!(data instanceof Uint8Array) || (data.length !== 0 && data.length !== KEY_BYTES))
    throw invalid('key', `is not ${KEY_BYTES} bytes`)
  return new Uint8Array(data)
}

/** A role that is written down: a gateway is what nothing is said of. */
export function markedRoleFrom(data: CborData | undefined): MarkedRole {
  const role = typeof data === 'number' ? ROLES[data] : undefined
  if (role === undefined || role === ROLE_DEFAULT) throw unknownHere('role')
  return role
}

function isList(data: CborData | undefined): data is readonly CborData[] {
  return Array.isArray(data)
}
