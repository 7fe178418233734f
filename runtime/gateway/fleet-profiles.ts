import type { Digest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { LoadedProfile } from '../device/profiles/document.ts'
import { rulesOfProfile } from '../device/profiles/rules.ts'
import { encodeRules, rulesDigest } from '../state/rules/rules-codec.ts'
import type { DeviceRules } from '../state/rules/rules.ts'
import { valueToJson } from './control-protocol.ts'
import type { Gateway } from './gateway.ts'

/** The profile of one device of the fleet, by which every member judges what is written to it. */
export interface FleetProfile {
  readonly device: string
  readonly name: string
  readonly hash: Digest
  /** The node that has the device. */
  readonly node: NodeId | null
  readonly points: number
  /** False while an operation that is not settled could still change it. */
  readonly isSettled: boolean
}

/** A value that could not be written now; it was there before. */
export interface ProfileMisfit {
  readonly path: string
  readonly value: unknown
  readonly reason: string
}

/** By device. */
export function fleetProfiles(gateway: Gateway): readonly FleetProfile[] {
  return gateway.profiles.list().map(({ device, rules, isSettled }) => ({
    device,
    name: rules.profile.name,
    hash: rules.profile.digest,
    node: rules.node,
    points: rules.points.length,
    isSettled,
  }))
}

/** Whether all members judge the gateway's device by its profile. */
export type Enforcement =
  | { readonly kind: 'in-state'; readonly isSettled: boolean }
  /** It is checked by this gateway alone. */
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * Puts the rules of the profile into the state of the fleet unless they stand there already.
 * A device belongs to one node: rules of another one are left alone.
 */
export function enforceProfile(gateway: Gateway, { profile, hash }: LoadedProfile): Enforcement {
  try {
    const rules = rulesOfProfile(profile, gateway.node, hash)
    const standing = gateway.profiles.list().find(({ device }) => device === gateway.device)
    if (standing !== undefined && standing.digest === rulesDigest(encodeRules(rules))) {
      return { kind: 'in-state', isSettled: standing.isSettled }
    }
    const owner = standing?.rules.node ?? gateway.node
    if (owner !== gateway.node) {
      const reason = `the device ${gateway.device} belongs to node ${owner}: give this gateway another device name, or let ${owner} go`
      return { kind: 'refused', reason }
    }
    const receipt = gateway.profiles.apply(gateway.device, rules)
    if (receipt.outcome === 'applied') return { kind: 'in-state', isSettled: receipt.isSettled }
    return { kind: 'refused', reason: receipt.reason ?? `the change was ${receipt.outcome}` }
  } catch (error) {
    if (!(error instanceof FleetstepError)) throw error
    return { kind: 'refused', reason: error.message }
  }
}

/** @param rules those that stand if left out */
export function misfitsOf(gateway: Gateway, rules?: DeviceRules): readonly ProfileMisfit[] {
  return gateway.profiles
    .misfits(gateway.device, rules)
    .map(({ path, value, reason }) => ({ path, value: valueToJson(value), reason }))
}
