import type { Monotonic } from '../base/clock.ts'
import { equalBytes } from '../base/bytes.ts'
import type { Digest } from '../base/digest.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
import { CANDIDATES_MAX, MEMBERS_MAX, SPONSOR_DELAY_MAX_MS } from '../base/limits.ts'
import { fraction, type Random } from '../base/random.ts'
import type { History } from './history.ts'
import type { AdmittedDraft } from './epoch.ts'
import type { Member } from './membership.ts'
import type { JoinRequest } from './message.ts'

/** A draft that has asked to join, and when we act on it. */
export interface Candidate {
  readonly request: JoinRequest
  readonly link: string
  readonly at: Monotonic
  /** Another member has refused it, so that our refusal would be no news. */
  readonly isRefused: boolean
}

/**
 * The drafts that have asked us to join. Every member that hears a request waits a random time and is silent if another
 * one was faster: one join and one welcome serve.
 */
export class Sponsor {
  readonly #random: Random
  readonly #candidates = new Map<MemberId, Candidate>()
  /** Who has offered a welcome to whom. */
  readonly #offered = new Map<MemberId, Set<MemberId>>()
  /** Those whose welcome waits until our records up to `through` are on the disk. */
  #welcomes: { readonly candidate: Candidate; readonly through: number }[] = []

  constructor(random: Random) {
    this.#random = random
  }

  wakeAt(): Monotonic | null {
    let first: Monotonic | null = null
    // Asked for after every input, and nearly always there is none.
    if (this.#candidates.size > 0)
      for (const { at } of this.#candidates.values()) first = first === null ? at : Math.min(first, at)
    return first
  }

  noteRequest(request: JoinRequest, link: string, now: Monotonic): void {
    if (this.#candidates.has(request.member) || this.#candidates.size >= CANDIDATES_MAX) return
    if (this.#welcomes.some(({ candidate }) => candidate.request.member === request.member)) return
    const at = now + SPONSOR_DELAY_MAX_MS * fraction(this.#random)
    this.#candidates.set(request.member, { request, link, at, isRefused: false })
  }

  /** Another member has offered a welcome. One that has offered it before, to a draft that still asks, silences nobody. */
  noteWelcomed(member: MemberId, by: MemberId): void {
    const others = this.#offered.get(member) ?? new Set()
    if (others.has(by) || others.size >= CANDIDATES_MAX) return
    this.#offered.delete(member)
    this.#offered.set(member, others.add(by))
    for (const oldest of this.#offered.keys()) {
      if (this.#offered.size <= CANDIDATES_MAX) break
      this.#offered.delete(oldest)
    }
    this.#candidates.delete(member)
    this.#welcomes = this.#welcomes.filter(({ candidate }) => candidate.request.member !== member)
  }

  noteRefused(member: MemberId): void {
    const candidate = this.#candidates.get(member)
    if (candidate !== undefined) this.#candidates.set(member, { ...candidate, isRefused: true })
  }

  /** Takes out those that we act on now. */
  due(now: Monotonic): Candidate[] {
    const due = [...this.#candidates.values()].filter(({ at }) => at <= now)
    for (const { request } of due) this.#candidates.delete(request.member)
    return due
  }

  /** The welcome is built when our records up to `through` are on the disk. */
  welcomeAfter(candidate: Candidate, through: number): void {
    this.#welcomes.push({ candidate, through })
  }

  get hasWelcomes(): boolean {
    return this.#welcomes.length > 0
  }

  /** Takes out those whose welcome is due. */
  welcomesDue(through: number): Candidate[] {
    const due = this.#welcomes.filter((welcome) => welcome.through <= through)
    this.#welcomes = this.#welcomes.filter((welcome) => welcome.through > through)
    return due.map(({ candidate }) => candidate)
  }

  /** This node is a draft itself now. */
  clear(): void {
    this.#candidates.clear()
    this.#welcomes = []
  }
}

/** What a gateway's check of a join request may look at besides the request: the same for all that hold the same. */
export interface EnrolmentStanding {
  /** Member ids that have joined with this token, retired ones too. */
  usesOf(token: Digest): number
  /** What traces each member back to the operator, retired ones too. */
  readonly credentials: readonly Uint8Array[]
  readonly revoked: readonly Digest[]
  readonly admitted: readonly AdmittedDraft[]
}

/** Taken in, with the token that the join names if there is one, and what it carries; or not, for a reason in one line. */
export type Admission =
  | { readonly kind: 'admitted'; readonly token: Digest | null; readonly credential?: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: string }

export function enrolmentStanding({ membership, retirement }: History): EnrolmentStanding {
  return {
    usesOf: (token) => membership.list().filter((member) => member.token === token).length,
    credentials: membership.list().map(({ credential }) => credential),
    revoked: retirement.epoch?.revoked ?? [],
    admitted: retirement.epoch?.admitted ?? [],
  }
}

/** Whoever sponsors must hold every operation below the current cuts: the newcomer could never get them otherwise. */
export function maySponsor(history: History): boolean {
  const { cuts } = history.retirement
  return cuts !== null && [...cuts.values()].every((cut) => history.log(cut.member).held.seq >= cut.seq)
}

/**
 * Why nobody may take this draft in yet, for people; null if somebody may. One that asks under the id of a member was set back to
 * before it was one: where the cuts wait for that member, they wait for ever.
 */
export function postponementOf({ member }: JoinRequest, { retirement }: History, self: MemberId): string | null {
  const awaited = retirement.cuts === null ? retirement.unstated(self).filter((one) => one !== self) : []
  const [first] = awaited
  if (first === undefined) return null
  const what = `what it held of those whom epoch ${retirement.number} retired`
  if (awaited.includes(member))
    return `the fleet waits for ${member} to say ${what}, and this node was set back to before that: the operator retires it with fleetstep fleet retire`
  return `nobody may let it in before ${first} has said ${what}: start that node if it is away, or retire it too`
}

/** Why the fleet does not take this draft in, for people; null if it may join. */
export function refusalOf(request: JoinRequest, history: History): string | null {
  const { membership, retirement } = history
  if (isSecondKey(request, history)) return 'another key is bound to this member id: two nodes use one identity'
  if (retirement.isRetired(request.member)) return 'this member id was retired: start it again as a draft'
  const own = membership.get(request.member)
  for (const other of membership.ofNode(nodeOf(request.member))) {
    if (other.id === request.member || retirement.isRetired(other.id)) continue
    // Of two copies of a card that were both let in, by two sponsors, one goes on: else each would lock out the other.
    if (own !== undefined && hasJoinedBefore(own, other)) continue
    return `this node is a member already, as ${other.id}: the operator replaces it with fleetstep fleet replace`
  }
  const retired = retirement.retired.size
  if (own !== undefined || membership.size + retired < MEMBERS_MAX) return null
  return `the fleet is full: it has had ${membership.size} member ids, of which ${retired} are retired`
}

function hasJoinedBefore(one: Member, other: Member): boolean {
  return one.since === other.since ? one.id < other.id : one.since < other.since
}

/** A member id belongs to one key for ever. */
export function isSecondKey({ member, key }: JoinRequest, { membership }: History): boolean {
  const known = membership.get(member)
  return known !== undefined && !equalBytes(known.key, key)
}
