import { unreachable } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'

/**
 * What a member may do: an `observer` reads only, a `gateway` writes what the rules allow, an `operator` may also set the rules.
 * In a fleet without keys a gateway may do that too.
 */
export const ROLES = ['gateway', 'observer', 'operator'] as const
export type Role = (typeof ROLES)[number]

/** The role of whoever nothing else is said of. Its place in {@link ROLES} is 0, and nobody writes it down. */
export const ROLE_DEFAULT = 'gateway'

/** The roles that are written down where they are given. */
export type MarkedRole = Exclude<Role, typeof ROLE_DEFAULT>

/** `role` as a field of whatever gives one. */
export function marked(role: Role): { readonly role?: MarkedRole } {
  return role === ROLE_DEFAULT ? {} : { role }
}

/** The place of a marked role in {@link ROLES} as CBOR lists end with it, or nothing. */
export function markedPlace(role: Role | undefined): readonly number[] {
  return role === undefined || role === ROLE_DEFAULT ? [] : [ROLES.indexOf(role)]
}

/** What the genesis says of who may do what; the same on every member for ever. */
export interface Charter {
  /** A fleet with keys knows who an operator is; without them anybody could say so. */
  readonly hasKeys: boolean
  /** The founders that are no gateways, by member id. */
  readonly founders: ReadonlyMap<MemberId, Role>
}

/** Of a fleet without keys, whose founders are gateways. */
export const OPEN_CHARTER: Charter = { hasKeys: false, founders: new Map() }

/** Whether somebody may set rules: an operator, in a fleet with keys its founder, else any gateway. */
export function maySetRules(role: Role, isFounder: boolean, { hasKeys }: Charter): boolean {
  switch (role) {
    case 'operator':
      return true
    case 'gateway':
      return isFounder || !hasKeys
    case 'observer':
      return false
    default:
      return unreachable(role)
  }
}
