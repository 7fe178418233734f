import type { Digest } from '../../runtime/base/digest.ts'
import { type NodeId, nodeOf } from '../../runtime/base/ids.ts'
import type { Random } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { PointRule } from '../../runtime/state/rules/rules.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { rulesRequest } from '../../runtime/sync/standing-rules.ts'
import type { SimulatedFleet } from './fleet.ts'
import { below, chance, pick, type Swarm } from './swarm.ts'

/** What rules and roles a schedule has: those of the device that all other requests speak of. */
export class RulesWorkload {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** One founder may be an observer where nobody can become the last who takes in drafts. */
  drawRoles(genesis: Genesis, { troubles, absence }: Swarm): Genesis {
    const comesAndGoes = ['join', 'retire', 'mutual-retirement', 'two-operators', 'destroy', 'backup', 'clone'] as const
    const { founders } = genesis
    if (founders.length < 3 || absence !== 'none' || comesAndGoes.some((trouble) => troubles.includes(trouble)))
      return genesis
    const observer = below(this.#random, founders.length)
    return {
      ...genesis,
      founders: founders.map((one, index) => (index === observer ? { ...one, role: 'observer' } : one)),
    }
  }

  /** New rules instead of some requests, or null. They may also be taken away. */
  draw(fleet: SimulatedFleet, paths: number): OperationRequest | null {
    const random = this.#random
    if (!chance(random, 0.15)) return null
    if (chance(random, 0.15)) return rulesRequest(DEVICE, null)
    const nodes = fleet.nodes.map(({ member }) => nodeOf(member))
    const points: PointRule[] = []
    for (let index = 0; index < paths; index++)
      if (chance(random, 0.8)) points.push({ path: String(index), ...this.#drawRule(nodes) })
    if (chance(random, 0.4)) points.push({ path: '**', valueType: 'Any', access: 'RW' })
    return rulesRequest(DEVICE, { node: pick(random, nodes), profile: { name: 'p', digest: VERSION }, points })
  }

  #drawRule(nodes: readonly NodeId[]): Omit<PointRule, 'path'> {
    const random = this.#random
    const access = chance(random, 0.1) ? 'R' : 'RW'
    const owner = chance(random, 0.2) ? { owner: pick(random, [...nodes, 'reported' as const]) } : {}
    const valueType = pick(random, ['Int8', 'Int8', 'Bool', 'String', 'Any'] as const)
    const maximum = valueType === 'Int8' && chance(random, 0.7) ? { maximum: below(random, 9) } : {}
    return { valueType, access, ...owner, ...maximum }
  }
}

const DEVICE = 'p'
const VERSION = '0000000000000000' as Digest
