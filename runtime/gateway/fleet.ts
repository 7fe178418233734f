import { FleetstepError } from '../base/errors.ts'
import type { Digest } from '../base/digest.ts'
import type { NodeId } from '../base/ids.ts'
import { type FleetFacts, parseSeed, type Seed } from '../device/identity/seed.ts'
import { loadProfile } from '../device/profiles/load.ts'
import { type Founder, fleetIdOf, type Genesis } from '../sync/membership.ts'
import type { GatewayConfig } from './config.ts'
import { isServer, type MemberSettings } from './config-schema.ts'
import { readSecretFile } from './secret-file.ts'
import { shippedProfile } from './shipped-profiles.ts'

/** The fleet that a config speaks of: by its list of members, or by its seed. */
export interface ConfiguredFleet {
  readonly genesis: Genesis
  /** Null in a fleet whose members stand in every config. */
  readonly seed: Seed | null
  /** Its config names no other member, and there is no seed by which any would join. */
  readonly isAlone: boolean
}

/** One without members is a fleet of `node` alone. @throws FleetstepError `config-invalid`, `seed-invalid` */
export function fleetOf({ fleet }: GatewayConfig, node: NodeId): ConfiguredFleet {
  if (fleet.seed !== null) return fleetOfSeed(fleet.seed)
  const { name, members } = fleet
  if (members === null) return { genesis: { name, founders: [{ node, tier: 0 }] }, seed: null, isAlone: true }
  if (members.some((member) => member.node === node))
    return { genesis: genesisOfMembers(name, members), seed: null, isAlone: false }
  throw new FleetstepError(
    'config-invalid',
    `node ${node} is not among the members of fleet ${name}: add it to fleet.members in every gateway's config`,
  )
}

/** The fleet of a seed file. @throws FleetstepError `seed-invalid` */
export function fleetOfSeed(file: string): ConfiguredFleet & { readonly seed: Seed } {
  const seed = readSeed(file)
  return { genesis: genesisOfFacts(seed.fleet), seed, isAlone: false }
}

/** What people are told of a node with the seed of a founder that it is not: it has no token, so nobody lets it in by itself. */
export function foundersSeedNotice({ seed }: ConfiguredFleet, node: NodeId): string | null {
  if (seed === null || seed.founderKey === null || node === seed.fleet.founder.node) return null
  const { founder } = seed.fleet
  return `the seed is that of the founder, node ${founder.node}, and this is node ${node}: it stands still until the operator lets it in with fleetstep fleet replace ${node}; if this machine is to found the fleet, create it anew with --founder ${node}`
}

/** The links of a seed have the names that those of a config would have. */
export function linksOfSeed({ links }: Seed): (Seed['links'][number] & { readonly name: string })[] {
  return links.map(({ servers }, index) => ({ name: index === 0 ? 'mqtt' : `mqtt-${index + 1}`, servers }))
}

/** What every config of a fleet without keys says of it. @throws FleetstepError `profile-invalid` */
export function genesisOfMembers(name: string, members: readonly MemberSettings[]): Genesis {
  return { name, founders: members.map(founderOf) }
}

/** An entry that names a profile has its tier: whoever reads another one has another fleet id, and is not heard. */
function founderOf({ profile, tier, ...member }: MemberSettings): Founder {
  if (profile === undefined) return { ...member, tier: tier ?? 0 }
  const named = loadProfile(shippedProfile(profile)).profile.optional?.tier
  return { ...member, tier: named ?? 0 }
}

/** Reads and checks a seed file whole. @throws FleetstepError `seed-invalid` */
export function readSeed(file: string): Seed {
  const text = readSecretFile(file, 'seed-invalid')
  if (text === null)
    throw new FleetstepError('seed-invalid', `${file} is not there: fleetstep seed create makes a seed of a fleet`)
  const seed = parseSeed(text, file)
  if (fleetIdOfFacts(seed.fleet) !== seed.fleet.id)
    throw new FleetstepError('seed-invalid', `${file} was changed: its fleet has another id; copy it again`)
  for (const { servers } of seed.links) assertServers(servers)
  return seed
}

/** @throws FleetstepError `seed-invalid` */
export function assertServers(servers: readonly string[]): void {
  const wrong = servers.find((server) => !isServer(server))
  if (wrong !== undefined)
    throw new FleetstepError('seed-invalid', `${wrong} is no server: it is mqtt://host:port or mqtts://host:port`)
}

export function fleetIdOfFacts(facts: Omit<FleetFacts, 'id'>): Digest {
  return fleetIdOf(genesisOfFacts(facts))
}

function genesisOfFacts({ name, operator, founder }: Omit<FleetFacts, 'id'>): Genesis {
  return { name, founders: [founder], operator }
}
