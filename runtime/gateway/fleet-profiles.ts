import type { Digest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import { isNodeId, type NodeId } from '../base/ids.ts'
import { type LoadedProfile, readProfileText } from '../device/profiles/document.ts'
import { acceptedProfile } from '../device/profiles/load.ts'
import { rulesOfProfile } from '../device/profiles/rules.ts'
import { encodeRules, rulesDigest } from '../state/rules/rules-codec.ts'
import type { DeviceRules } from '../state/rules/rules.ts'
import { offerProfile, withdrawOffer } from './profile-offers.ts'
import type { Gateway } from './gateway.ts'
import type { Receipt } from './receipt.ts'

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

/** Whether the rules of the profile stand in the state of the fleet for this gateway's device; null if others do, or none. */
export function standingEnforcement(gateway: Gateway, { profile, hash }: LoadedProfile): Enforcement | null {
  const standing = gateway.profiles.list().find(({ device }) => device === gateway.device)
  if (standing === undefined) return null
  const wanted = rulesDigest(encodeRules(rulesOfProfile(profile, gateway.node, hash)))
  return standing.digest === wanted ? { kind: 'in-state', isSettled: standing.isSettled } : null
}

/**
 * Puts the rules of the profile into the state of the fleet unless they stand there already.
 * A device belongs to one node: rules of another one are left alone.
 */
export function enforceProfile(gateway: Gateway, loaded: LoadedProfile): Enforcement {
  try {
    const standing = standingEnforcement(gateway, loaded)
    if (standing !== null) {
      withdrawOffer(gateway)
      return standing
    }
    const owner = fleetProfiles(gateway).find(({ device }) => device === gateway.device)?.node ?? gateway.node
    if (owner !== gateway.node) {
      const reason = `the device ${gateway.device} belongs to node ${owner}: give this gateway another device name`
      return { kind: 'refused', reason }
    }
    const rules = rulesOfProfile(loaded.profile, gateway.node, loaded.hash)
    if (!gateway.profiles.mayApply()) return offered(gateway, rules)
    const receipt = gateway.profiles.apply(gateway.device, rules)
    if (receipt.outcome === 'applied') withdrawOffer(gateway)
    if (receipt.outcome === 'applied') return { kind: 'in-state', isSettled: receipt.isSettled }
    return { kind: 'refused', reason: receipt.reason ?? `the change was ${receipt.outcome}` }
  } catch (error) {
    if (!(error instanceof FleetstepError)) throw error
    return { kind: 'refused', reason: error.message }
  }
}

/**
 * Puts a profile in force for the device of any node, as the operator of a fleet with keys does.
 * @param text of the profile
 * @throws FleetstepError `profile-invalid`, `request-invalid`, and those of `ProfileAccess.apply`
 */
export function enforceFor(gateway: Gateway, device: string, node: string, text: string): Receipt {
  if (!isNodeId(node)) throw new FleetstepError('request-invalid', `${node} is no node id: fleetstep node id prints it`)
  const file = `the profile of ${device}`
  const { profile, hash } = acceptedProfile({ file, text, reading: readProfileText(text) })
  return gateway.profiles.apply(device, rulesOfProfile(profile, node, hash))
}

function offered(gateway: Gateway, rules: DeviceRules): Enforcement {
  const problem = offerProfile(gateway, rules)
  const how = 'in a fleet with keys an operator puts it in force'
  if (problem === null)
    return { kind: 'refused', reason: `${how}: fleetstep profile apply --offered on a node of theirs` }
  return { kind: 'refused', reason: `${how}, and it could not be offered: ${problem}` }
}
