import { encodeCbor } from '../base/cbor.ts'
import { type Digest, digestOf } from '../base/digest.ts'
import { fromHex, toHex } from '../base/bytes.ts'
import { type MemberId, memberIdOf, type NodeId, nodeOf, type OperationId } from '../base/ids.ts'
import type { Cell } from '../state/cell.ts'
import type { Join } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import { comparePriority, type Priority, priorityOf } from '../state/priority.ts'
import { memberOfPoint } from '../state/reserved-point.ts'
import { roleOfMember } from '../state/member-value.ts'
import { type Charter, marked, markedPlace, type Role, ROLE_DEFAULT } from '../state/role.ts'
import { isList } from '../state/value.ts'

/** What a fleet starts from. Its members at stage 0 are the founders, each with nonce 0. */
export interface Genesis {
  readonly name: string
  readonly founders: readonly Founder[]
  /** Public key of the operator, who signs epochs and enrolment tokens; none in a fleet without keys. */
  readonly operator?: Uint8Array
}

export interface Founder {
  readonly node: NodeId
  readonly tier: number
  /** Its public key: whoever does not hold it is not this founder. None in a fleet without keys. */
  readonly key?: Uint8Array
  /** A gateway if it is absent. */
  readonly role?: Role
}

/** Who takes part, with the priority that belongs to a member id for ever. */
export interface Member {
  readonly id: MemberId
  readonly priority: Priority
  /** Stage of the join that counts, 0 for a founder. */
  readonly since: number
  /** The join that counts, null for a founder. */
  readonly join: OperationId | null
  /** Its public key, empty in a fleet without keys. */
  readonly key: Uint8Array
  /** The enrolment token with which it joined, or null. */
  readonly token: Digest | null
  readonly role: Role
  /** What traces it back to the operator; empty for a founder, and in a fleet without keys. */
  readonly credential: Uint8Array
}

/**
 * The stored network identifications: who may issue, from which stage on. The founders, and whoever the executed joins
 * admit: it follows the points of the members in the state, and holds nothing of its own.
 */
export class Membership {
  readonly charter: Charter
  readonly #members = new Map<MemberId, Member>()
  readonly #sorted: Member[] = []
  #revision = 0

  constructor(genesis: Genesis) {
    this.charter = charterOf(genesis)
    for (const founder of genesis.founders) {
      const id = memberIdOf(founder.node, 0)
      const key = founder.key ?? NONE
      const role = founder.role ?? ROLE_DEFAULT
      const priority = priorityOf(id, founder.tier)
      this.#members.set(id, { id, priority, since: 0, join: null, key, token: null, role, credential: NONE })
    }
  }

  /** Grows with each change. */
  get revision(): number {
    return this.#revision
  }

  get size(): number {
    return this.#members.size
  }

  get(id: MemberId): Member | undefined {
    return this.#members.get(id)
  }

  /** Highest priority first, then in the order of the ids. */
  list(): readonly Member[] {
    if (this.#sorted.length === 0) this.#sorted.push(...[...this.#members.values()].sort(byPriority))
    return this.#sorted
  }

  /** The member ids that a node has had in this fleet. */
  ofNode(node: NodeId): Member[] {
    return this.list().filter((member) => nodeOf(member.id) === node)
  }

  /** Takes over the point of a member, if `path` is one. @returns the member that was admitted or removed, or null */
  follow(path: Path, cell: Cell): MemberId | null {
    const id = memberOfPoint(path)
    if (id === null) return null
    this.#sorted.length = 0
    this.#revision += 1
    const { value, writer } = cell
    if (!isList(value) || writer === null) this.#members.delete(id)
    else {
      const [tier, key, token, _role, credential] = value
      this.#members.set(id, {
        id,
        priority: priorityOf(id, Number(tier)),
        since: writer.stage,
        join: writer.id,
        key: key instanceof Uint8Array ? key : NONE,
        token: token instanceof Uint8Array ? (toHex(token) as Digest) : null,
        role: roleOfMember(value),
        credential: credential instanceof Uint8Array ? credential : NONE,
      })
    }
    return id
  }
}

/** The join of a member, as it stands in its point. */
export function joinOf({ id, priority, key, token, role, credential }: Member): Join {
  const enrolled = token === null ? {} : { token }
  return { member: id, tier: priority.tier, key, ...enrolled, ...marked(role), credential }
}

/** Fleets of other founders or another operator never talk past each other: each frame and each data directory carries this. */
export function fleetIdOf(genesis: Genesis): Digest {
  const founders = [...genesis.founders].sort((left, right) => (left.node < right.node ? -1 : 1))
  // A key is bytes and a role a number, so that no two founders look alike.
  const entries = founders.map(({ node, tier, key, role }) => {
    return [fromHex(node), tier, ...(key === undefined ? [] : [key]), ...markedPlace(role)]
  })
  const operator = genesis.operator === undefined ? [] : [genesis.operator]
  return digestOf(encodeCbor([genesis.name, entries, ...operator]))
}

function charterOf({ founders, operator }: Genesis): Charter {
  const roles = new Map<MemberId, Role>()
  for (const { node, role = ROLE_DEFAULT } of founders) if (role !== ROLE_DEFAULT) roles.set(memberIdOf(node, 0), role)
  return { hasKeys: operator !== undefined, founders: roles }
}

const NONE: Uint8Array = new Uint8Array()

function byPriority(left: Member, right: Member): number {
  return comparePriority(right.priority, left.priority) || (left.id < right.id ? -1 : 1)
}
