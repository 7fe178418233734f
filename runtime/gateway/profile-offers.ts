import { FleetstepError } from '../base/errors.ts'
import { isNodeId, type NodeId } from '../base/ids.ts'
import { decodeRules, encodeRules, rulesDigest } from '../state/rules/rules-codec.ts'
import type { DeviceRules } from '../state/rules/rules.ts'
import { equalValues, type Value } from '../state/value.ts'
import { isRecord } from './control-protocol.ts'
import type { Gateway } from './gateway.ts'

/*
 * In a fleet with keys a gateway sets no rules, not even for its own device: a member gone bad would free it of them, or take the
 * name of another one. It offers its profile instead, as a point of the state, and an operator puts all that are offered in force
 * with one command. An offer counts only if the operation that wrote it is of the node that it is for.
 */

const OFFERS = 'profile-offers'

/** A profile that waits for an operator. */
export interface ProfileOffer {
  readonly device: string
  readonly node: NodeId
  readonly name: string
  /** Version of the profile. */
  readonly hash: string
  readonly points: number
  /** Of the profile that stands for the device now; null for none. */
  readonly instead: string | null
  /** Why it cannot be put in force, or null. */
  readonly problem: string | null
}

export interface TakenOffer extends ProfileOffer {
  readonly outcome: string
}

/** Offers the rules of this gateway's device. @returns why it could not, or null */
export function offerProfile(gateway: Gateway, rules: DeviceRules): string | null {
  const offer = { device: gateway.device, rules: encodeRules(rules) }
  const path = ownPath(gateway)
  if (gateway.state.writerOf(path) === gateway.node && equalValues(gateway.state.get(path), offer)) return null
  try {
    const receipt = gateway.state.set(path, offer)
    return receipt.outcome === 'applied' ? null : (receipt.reason ?? `the offer was ${receipt.outcome}`)
  } catch (error) {
    if (!(error instanceof FleetstepError)) throw error
    return error.message
  }
}

/** Takes the offer of this gateway back, if there is one: its profile stands. */
export function withdrawOffer(gateway: Gateway): void {
  if (gateway.state.get(ownPath(gateway)) === undefined) return
  try {
    gateway.state.delete(ownPath(gateway))
  } catch (error) {
    // It stays until the next start, and says what stands already.
    if (!(error instanceof FleetstepError)) throw error
  }
}

/** What is offered and does not stand yet, by device. */
export function profileOffers(gateway: Gateway): readonly ProfileOffer[] {
  return offered(gateway).map(({ offer }) => offer)
}

/** Puts what is offered in force: all of it that can be, or that of one device. */
export function takeOffers(gateway: Gateway, device: string | null): readonly TakenOffer[] {
  const wanted = offered(gateway).filter(({ offer }) => device === null || offer.device === device)
  if (device !== null && wanted.length === 0)
    throw new FleetstepError(
      'path-unknown',
      `no profile is offered for ${device}: fleetstep profile list shows which are`,
    )
  return wanted.map(({ offer, rules }) => ({ ...offer, outcome: offer.problem ?? take(gateway, offer.device, rules) }))
}

interface Offered {
  readonly offer: ProfileOffer
  readonly rules: DeviceRules
}

function take(gateway: Gateway, device: string, rules: DeviceRules): string {
  const receipt = gateway.profiles.apply(device, rules)
  return receipt.outcome === 'applied' ? 'applied' : (receipt.reason ?? receipt.outcome)
}

function offered(gateway: Gateway): readonly Offered[] {
  const standing = new Map(gateway.profiles.list().map((one) => [one.device, one]))
  const all = gateway.state.entries(OFFERS).flatMap(([path, value]) => offerAt(gateway, path, value) ?? [])
  const fresh = all.filter(({ device, rules }) => standing.get(device)?.digest !== rulesDigest(encodeRules(rules)))
  return fresh
    .map(({ device, node, rules }) => {
      const before = standing.get(device)?.rules
      const isTwice = fresh.some((other) => other.device === device && other.node !== node)
      const offer: ProfileOffer = {
        device,
        node,
        name: rules.profile.name,
        hash: rules.profile.digest,
        points: rules.points.length,
        instead: before?.profile.name ?? null,
        problem:
          before !== undefined && before.node !== node
            ? `the device belongs to node ${before.node ?? 'of nobody'}`
            : isTwice
              ? 'several nodes offer one for this device: give each its own name'
              : null,
      }
      return { offer, rules }
    })
    .sort((left, right) => (left.offer.device < right.offer.device ? -1 : 1))
}

/** Null for what is no offer of the node whose place it is in. */
function offerAt(gateway: Gateway, path: string, value: Value) {
  const node = path.slice(OFFERS.length + 1)
  if (!isNodeId(node) || gateway.state.writerOf(path) !== node || !isRecord(value)) return null
  const { device, rules: bytes } = value
  if (typeof device !== 'string' || !(bytes instanceof Uint8Array)) return null
  try {
    const rules = decodeRules(bytes)
    return rules.node === node ? { device, node, rules } : null
  } catch (error) {
    if (error instanceof FleetstepError) return null
    throw error
  }
}

function ownPath({ node }: Gateway): string {
  return `${OFFERS}/${node}`
}
