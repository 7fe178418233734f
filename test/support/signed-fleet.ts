import type { Digest } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { type Enrolment, issueToken, type TokenTerms } from '../../runtime/device/identity/enrolment.ts'
import { createSigningKey, type SigningKey, verifySignature } from '../../runtime/device/identity/keys.ts'
import type { FleetFacts, Seed, SeedEpoch } from '../../runtime/device/identity/seed.ts'
import { enrolmentOf, type EnrolmentOptions } from '../../runtime/gateway/enrolment.ts'
import { fleetIdOfFacts } from '../../runtime/gateway/fleet.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { Signatures } from '../../runtime/sync/signatures.ts'

const FOUNDER = '0a00000000000001' as NodeId
/** Its founder's, which no draft takes. */
const FOUNDER_TIER = 1

/** A fleet with keys, as its operator holds it: one founder, and tokens for whoever comes later. */
export interface SignedFleet {
  readonly operator: SigningKey
  readonly founderKey: SigningKey
  readonly founder: MemberId
  readonly facts: FleetFacts
  readonly genesis: Genesis
  /** @param terms what it differs in from a token for nine uses that holds for the first year of the clock */
  token(terms?: Partial<TokenTerms>, signer?: SigningKey): Enrolment
  /** What a node holds that was given this token; the founder was given none. */
  enrolment(
    key: SigningKey,
    token: Enrolment | null,
    seconds?: () => number,
    epoch?: SeedEpoch | null,
  ): EnrolmentOptions
  /** Signs as whoever holds `key` would. */
  signatures(key: SigningKey): Signatures
}

export function signedFleet(name: string = 'signed'): SignedFleet {
  const [operator, founderKey] = [createSigningKey(), createSigningKey()]
  const founder = { node: FOUNDER, tier: FOUNDER_TIER, key: founderKey.publicKey }
  const named = { name, operator: operator.publicKey, founder }
  const facts: FleetFacts = { ...named, id: fleetIdOfFacts(named) }
  const id: Digest = facts.id
  return {
    operator,
    founderKey,
    founder: memberIdOf(FOUNDER, 0),
    facts,
    genesis: { name, operator: operator.publicKey, founders: [founder] },
    token(terms, signer = operator) {
      const tokenKey = createSigningKey()
      const usual = { fleet: id, tier: 0, uses: 9, issuedAt: 0, expiresAt: 365 * 86_400, key: tokenKey.publicKey }
      return { token: issueToken({ ...usual, ...terms }, signer), tokenKey }
    },
    enrolment(key, token, seconds = () => 0, epoch = null) {
      const seed: Seed = { fleet: facts, founderKey: null, enrolment: token, epoch, links: [] }
      return enrolmentOf(seed, key, seconds)
    },
    signatures: (key) => new Signatures(id, { sign: (bytes) => key.sign(bytes), verify: verifySignature }),
  }
}
