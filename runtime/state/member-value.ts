import { fromHex } from '../base/bytes.ts'
import { KEY_BYTES, PROOF_BYTES_MAX } from '../base/limits.ts'
import type { Join } from './operation.ts'
import { TIER_MAX } from './priority.ts'
import { type Role, ROLE_DEFAULT, ROLES } from './role.ts'
import { isList, type Value } from './value.ts'

/** What the point of a member holds behind its join: [tier, key, ? (token / null, ? (role / null, ? credential))]. */
export function memberValue({ tier, key, token, role, credential }: Join): Value {
  const [enrolled, marks] = [
    token === undefined ? null : fromHex(token),
    role === undefined ? null : ROLES.indexOf(role),
  ]
  if (credential !== undefined) return [tier, key, enrolled, marks, credential]
  if (marks !== null) return [tier, key, enrolled, marks]
  return enrolled === null ? [tier, key] : [tier, key, enrolled]
}

/** True for what {@link memberValue} makes. */
export function isMemberValue(value: Value | undefined): boolean {
  if (!isList(value) || value.length < 2 || value.length > 5) return false
  const [tier, key, token = null, role = null, credential = null] = value
  return (
    isWhole(tier, TIER_MAX) &&
    (isBytes(key, KEY_BYTES, KEY_BYTES) || isBytes(key, 0, 0)) &&
    (token === null || isBytes(token, TOKEN_BYTES, TOKEN_BYTES)) &&
    (role === null || isWhole(role, ROLES.length - 1)) &&
    (credential === null || isBytes(credential, 1, PROOF_BYTES_MAX))
  )
}

/** The role that the point of a member holds. */
export function roleOfMember(value: Value | undefined): Role {
  const role = isList(value) ? value[3] : undefined
  return (typeof role === 'number' ? ROLES[role] : undefined) ?? ROLE_DEFAULT
}

/** A digest. */
const TOKEN_BYTES = 8

function isWhole(value: Value | undefined, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
}

function isBytes(value: Value | undefined, min: number, max: number): boolean {
  return value instanceof Uint8Array && value.length >= min && value.length <= max
}
