import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { DeviceProfile } from '../device/profiles/profile.ts'
import type { ConfiguredFleet } from './fleet.ts'

/** What a gateway's tier is, and what says so, in words for people. */
export interface ChosenTier {
  readonly tier: number
  readonly from: string
}

/** What admits a node to its fleet says of its tier. */
export interface TierBinding extends ChosenTier {
  /**
   * - `ceiling`: a profile may ask for less.
   * - `fixed`: everybody knows it from the start, so it cannot be less either.
   * - `none`: nobody else is there whom it would matter to.
   */
  readonly kind: 'ceiling' | 'fixed' | 'none'
}

export function tierBinding({ genesis, seed, isAlone }: ConfiguredFleet, node: NodeId): TierBinding {
  if (isAlone) return { kind: 'none', tier: 0, from: 'it is alone in its fleet' }
  const founder = genesis.founders.find((candidate) => candidate.node === node)
  if (seed === null) return { kind: 'fixed', tier: founder?.tier ?? 0, from: 'fleet.members of the config' }
  const { enrolment, fleet } = seed
  if (enrolment !== null)
    return { kind: 'ceiling', tier: enrolment.token.terms.tier, from: `token ${enrolment.token.id} of its seed` }
  const { tier } = fleet.founder
  return { kind: node === fleet.founder.node ? 'fixed' : 'ceiling', tier, from: 'the seed of the founder' }
}

/** With which a node joins, or was founded. In one life it never changes, since it stands in the join. */
export function chosenTier(binding: TierBinding, profile: DeviceProfile | null): ChosenTier {
  const asked = profile?.optional?.tier
  if (profile === null || asked === undefined || binding.kind === 'none')
    return { tier: binding.tier, from: binding.from }
  if (asked === binding.tier || binding.kind === 'ceiling')
    return { tier: asked, from: `profile ${profile.name}; the ceiling is ${binding.tier}, by ${binding.from}` }
  return { tier: binding.tier, from: `${binding.from}; profile ${profile.name} asks for ${asked}` }
}

/** No card raises itself. @throws FleetstepError `profile-invalid` for a profile that asks for more than its gateway may have */
export function assertTier(binding: TierBinding, profile: DeviceProfile, file: string): void {
  const asked = profile.optional?.tier ?? 0
  if (binding.kind === 'none' || asked <= binding.tier) return
  const remedy = binding.from.startsWith('fleet.members')
    ? 'raise it there, the same in every config'
    : 'the operator makes a seed with that tier'
  throw new FleetstepError(
    'profile-invalid',
    `${file}: asks for tier ${asked}, and ${binding.from} allows ${binding.tier} at most: lower optional.tier, or ${remedy}`,
  )
}

/** What people are told where a profile asks for another tier than its gateway has for this life, or null. */
export function tierNotice({ kind }: TierBinding, tier: number, profile: DeviceProfile): string | null {
  const asked = profile.optional?.tier
  if (asked === undefined || asked === tier || kind === 'none') return null
  return `profile ${profile.name} asks for tier ${asked}; this gateway has tier ${tier} as long as it is this member, since all members order changes by it`
}
