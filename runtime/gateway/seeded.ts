import type { NodeId } from '../base/ids.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import type { DeviceProfile } from '../device/profiles/profile.ts'
import { enrolmentOf, memberKeyOf } from './enrolment.ts'
import { fleetOfSeed, linksOfSeed } from './fleet.ts'
import type { GatewayOptions } from './gateway.ts'
import { establishIdentity } from './identity-file.ts'
import { journalStorage, mqtt } from './parts.ts'
import { systemRandom } from './system-random.ts'
import { systemSeconds } from './system-clock.ts'
import { assertTier, chosenTier, tierBinding } from './tier.ts'

export interface SeedOptions {
  /** The file that `fleetstep seed create` has made. */
  readonly seed: string
  /** Where this node keeps its identity, its key and its journal, and nobody else anything. */
  readonly directory: string
  /** Tells several nodes on one machine apart; its id comes from the hardware alone if it is left out. */
  readonly nodeName?: string
  /** What tells a container from the others on its host, whose hardware they all see. */
  readonly label?: string
  /** Its `optional.tier` is asked for, at most that of the seed. */
  readonly profile?: DeviceProfile
  readonly logger?: Logger
}

/** What a seed and the hardware say of a gateway. */
export type SeededGateway = Required<Pick<GatewayOptions, 'fleet' | 'node' | 'enrolment' | 'storage' | 'links'>>

/** @throws FleetstepError `seed-invalid`, `profile-invalid`, `key-invalid`, `identity-unavailable`, `data-directory-unwritable` */
export function gatewayOfSeed(options: SeedOptions): SeededGateway {
  const { directory, profile = null } = options
  const fleet = fleetOfSeed(options.seed)
  const { genesis, seed } = fleet
  const node = identify(options)
  const binding = tierBinding(fleet, node)
  if (profile !== null) assertTier(binding, profile, profile.name)
  const { tier } = chosenTier(binding, profile)
  return {
    fleet: genesis,
    node,
    enrolment: enrolmentOf(seed, memberKeyOf(seed, node, directory), systemSeconds, tier),
    storage: journalStorage(directory, genesis, node),
    links: linksOfSeed(seed).map((link) => mqtt(link)),
  }
}

function identify({ directory: dataDirectory, nodeName, label = '', logger = silentLogger }: SeedOptions): NodeId {
  const override = nodeName ?? null
  return establishIdentity({ dataDirectory, override, label, beginsAnew: true, random: systemRandom, logger })
}
