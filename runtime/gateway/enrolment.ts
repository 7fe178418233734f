import { join } from 'node:path'
import { equalBytes } from '../base/bytes.ts'
import { FleetstepError } from '../base/errors.ts'
import type { MemberId, NodeId } from '../base/ids.ts'
import {
  checkCredential,
  checkProof,
  type Claim,
  credentialOf,
  proveClaim,
  termsIn,
  type Token,
  type TokenTerms,
} from '../device/identity/enrolment.ts'
import {
  createSigningKey,
  parsePrivateKey,
  privateKeyText,
  type SigningKey,
  verifySignature,
} from '../device/identity/keys.ts'
import type { FleetFacts, Seed } from '../device/identity/seed.ts'
import type { Join } from '../state/operation.ts'
import { marked, type Role, ROLE_DEFAULT } from '../state/role.ts'
import type { JoinRequest } from '../sync/message.ts'
import type { ReplicaOptions } from '../sync/replica-options.ts'
import type { Admission, EnrolmentStanding } from '../sync/sponsor.ts'
import { createSecretFile, readSecretFile } from './secret-file.ts'

/** What a seed makes of a node: who it proves to be, and whom it takes in. */
export type EnrolmentOptions = Required<
  Pick<
    ReplicaOptions,
    | 'tier'
    | 'role'
    | 'key'
    | 'signature'
    | 'prove'
    | 'judgeJoin'
    | 'verifyEpoch'
    | 'leastEpoch'
    | 'problemOfJoin'
    | 'usesOf'
  >
>

/**
 * @param secondsNow seconds since 1970 by the clock of this machine, which may be wrong
 * @param tier with which it asks to join: not above that of its token, which it has unless told otherwise
 */
export function enrolmentOf(
  seed: Seed,
  key: SigningKey,
  secondsNow: () => number,
  tier: number = seed.enrolment?.token.terms.tier ?? seed.fleet.founder.tier,
): EnrolmentOptions {
  const { fleet, enrolment } = seed
  const judge = new EnrolmentJudge(seed, secondsNow)
  return {
    tier,
    role: enrolment?.token.terms.role ?? ROLE_DEFAULT,
    key: key.publicKey,
    signature: { sign: (bytes) => key.sign(bytes), verify: verifySignature },
    prove: (member: MemberId, claimed: number, role: Role) =>
      proveClaim({ fleet: fleet.id, member, tier: claimed, ...marked(role), key: key.publicKey }, key, enrolment),
    judgeJoin: (request, standing) => judge.judge(request, standing),
    verifyEpoch: (payload, signature) => verifySignature(fleet.operator, payload, signature),
    leastEpoch: seed.epoch,
    problemOfJoin: (admission) => problemOfJoin(admission, fleet),
    usesOf: (credential) => termsIn(credential)?.uses ?? null,
  }
}

/** Why the operator has not let in whom a join admits, or null. What time and count say was looked at by the sponsor alone. */
function problemOfJoin({ token, credential, ...claim }: Join, { id, operator }: FleetFacts): string | null {
  try {
    const proven = checkCredential(credential ?? NONE, { fleet: id, ...claim }, operator)
    return proven?.id === token ? null : 'it names another token than it proves'
  } catch (error) {
    if (error instanceof FleetstepError) return error.message
    throw error
  }
}

const NONE: Uint8Array = new Uint8Array()

/** In the data directory. */
const MEMBER_KEY = 'member.key'

/**
 * The key of this node, made at its first start and kept in its data directory; the founder's comes with its seed.
 * @throws FleetstepError `key-invalid`
 */
export function memberKeyOf(seed: Seed, node: NodeId, dataDirectory: string): SigningKey {
  const file = join(dataDirectory, MEMBER_KEY)
  const text = readSecretFile(file, 'key-invalid')
  if (text !== null) return parsePrivateKey(text, file)
  // Another node with the founder's seed is a newcomer: no two nodes ever have one key.
  const given = node === seed.fleet.founder.node ? seed.founderKey : null
  const key = given ?? createSigningKey()
  createSecretFile({ file, text: privateKeyText(key), code: 'data-directory-unwritable' })
  return key
}

/**
 * Decides who is taken in, by the token that a draft proves or by the operator's word. A gateway has no battery clock, so time
 * is the latest of its own clock and of the newest token that it has seen: its own, that of any member, which stands in the
 * state and outlives a restart, or that of a draft. A clock that stands still can let in an expired token, never refuse a good
 * one. The count of uses and the revocations of the newest epoch need no clock.
 */
export class EnrolmentJudge {
  readonly #seed: Seed
  readonly #secondsNow: () => number
  #newestIssuedAt: number
  /** Credentials of members whose tokens were looked at. */
  readonly #seen = new WeakSet<Uint8Array>()

  constructor(seed: Seed, secondsNow: () => number) {
    this.#seed = seed
    this.#newestIssuedAt = seed.enrolment?.token.terms.issuedAt ?? 0
    this.#secondsNow = secondsNow
  }

  judge({ member, tier, role: wanted, key, proof }: JoinRequest, standing: EnrolmentStanding): Admission {
    const { fleet } = this.#seed
    const role: Role = wanted ?? ROLE_DEFAULT
    try {
      const claim: Claim = { fleet: fleet.id, member, tier, ...marked(role), key }
      const token = checkProof(proof, claim, fleet.operator)
      const named = standing.admitted.find(
        (draft) =>
          draft.member === member &&
          draft.tier === tier &&
          (draft.role ?? ROLE_DEFAULT) === role &&
          equalBytes(draft.key, key),
      )
      if (named !== undefined) return this.#admitNamed(proof, claim, named.grant)
      if (token === null) return refused('it has no token')
      const problem = this.#problemOf(token, standing)
      return problem === null ? { kind: 'admitted', token: token.id, credential: proof } : refused(problem)
    } catch (error) {
      if (error instanceof FleetstepError) return { kind: 'refused', reason: error.message }
      throw error
    }
  }

  #admitNamed(proof: Uint8Array, claim: Claim, grant: Uint8Array): Admission {
    const credential = credentialOf(proof, grant)
    checkCredential(credential, claim, this.#seed.fleet.operator)
    return { kind: 'admitted', token: null, credential }
  }

  #problemOf({ id, terms }: Token, standing: EnrolmentStanding): string | null {
    this.#noteIssuedAt(terms)
    for (const credential of standing.credentials) this.#noteMember(credential)
    if (standing.revoked.includes(id)) return `its token ${id} was revoked`
    const expiry = this.#expiryOf(terms)
    if (expiry !== null) return `its token ${id} has expired: ${expiry}`
    const uses = standing.usesOf(id)
    return uses < terms.uses ? null : `its token ${id} is used up: ${uses} of ${terms.uses}`
  }

  /** A token from a clock that is ahead stays here for ever: people must see that no new seed helps, or for how long. */
  #expiryOf({ expiresAt }: TokenTerms): string | null {
    const now = this.#secondsNow()
    if (expiresAt > Math.max(now, this.#newestIssuedAt)) return null
    const here =
      expiresAt <= now ? `here it is ${dayOf(now)}` : `a token of ${dayOf(this.#newestIssuedAt)} is known here`
    return `it was good until ${dayOf(expiresAt)} and ${here}`
  }

  #noteMember(credential: Uint8Array): void {
    if (credential.length === 0 || this.#seen.has(credential)) return
    this.#seen.add(credential)
    this.#noteIssuedAt(termsIn(credential))
  }

  #noteIssuedAt(terms: TokenTerms | null): void {
    this.#newestIssuedAt = Math.max(this.#newestIssuedAt, terms?.issuedAt ?? 0)
  }
}

/** Any whole number may stand in a token; beyond the calendar it is shown as it is. */
function dayOf(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString().slice(0, 10)
}

function refused(problem: string): Admission {
  return {
    kind: 'refused',
    reason: `${problem}: the operator lets it in with fleetstep fleet replace, or makes a new seed`,
  }
}
