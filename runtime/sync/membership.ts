import { encodeCbor } from '../base/cbor.ts'
import { type Digest, digestOf } from '../base/digest.ts'
import { fromHex } from '../base/bytes.ts'
import { type MemberId, memberIdOf, type NodeId } from '../base/ids.ts'
import { comparePriority, type Priority, priorityOf } from '../state/priority.ts'

/** What a fleet starts from. Its members at stage 0 are the founders, each with nonce 0. */
export interface Genesis {
  readonly name: string
  readonly founders: readonly Founder[]
}

export interface Founder {
  readonly node: NodeId
  readonly tier: number
}

/** Who takes part, with the priority that belongs to a member id for ever. */
export interface Member {
  readonly id: MemberId
  readonly priority: Priority
  /** Stage of the operation that admitted it, 0 for a founder. */
  readonly since: number
}

/** The stored network identifications: who may issue, from which stage on. */
export class Membership {
  readonly #members = new Map<MemberId, Member>()

  constructor(genesis: Genesis) {
    for (const founder of genesis.founders) {
      const id = memberIdOf(founder.node, 0)
      this.#members.set(id, { id, priority: priorityOf(id, founder.tier), since: 0 })
    }
  }

  get size(): number {
    return this.#members.size
  }

  get(id: MemberId): Member | undefined {
    return this.#members.get(id)
  }

  /** Highest priority first. */
  list(): Member[] {
    return [...this.#members.values()].sort((left, right) => comparePriority(right.priority, left.priority))
  }
}

/** Fleets of other founders never talk past each other: each frame and each data directory carries this. */
export function fleetIdOf(genesis: Genesis): Digest {
  const founders = [...genesis.founders].sort((left, right) => (left.node < right.node ? -1 : 1))
  return digestOf(encodeCbor([genesis.name, founders.map((founder) => [fromHex(founder.node), founder.tier])]))
}
