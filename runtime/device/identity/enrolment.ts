import { type CborData, decodeCbor, encodeCbor } from '../../base/cbor.ts'
import { type Digest, digestOf } from '../../base/digest.ts'
import { fromHex } from '../../base/bytes.ts'
import { assert, FleetstepError } from '../../base/errors.ts'
import { type MemberId, memberIdToBytes } from '../../base/ids.ts'
import { KEY_BYTES, TOKEN_USES_MAX } from '../../base/limits.ts'
import { TIER_MAX } from '../../state/priority.ts'
import { type MarkedRole, markedPlace, ROLE_DEFAULT, ROLES } from '../../state/role.ts'
import { type SigningKey, verifySignature } from './keys.ts'

/** What the operator grants to whoever has the private half of `key`: to join the fleet, some times, for some time. */
export interface TokenTerms {
  readonly fleet: Digest
  /** The highest tier with which anybody joins by it; a profile may ask for a lower one. */
  readonly tier: number
  /** Likewise; a gateway if it is absent. */
  readonly role?: MarkedRole
  /** Member ids that may join with it. */
  readonly uses: number
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly key: Uint8Array
}

/** A token as the operator signed it. */
export interface Token {
  /** Names it in joins and in revocations: the digest of its terms. */
  readonly id: Digest
  readonly terms: TokenTerms
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

/** What is to be proven: that this draft, with this key, may join this fleet with this tier and in this role. */
export interface Claim {
  readonly fleet: Digest
  readonly member: MemberId
  readonly tier: number
  readonly role?: MarkedRole
  readonly key: Uint8Array
}

/** What a draft has to show: its token, if it has one, with the private half of the token's key. */
export interface Enrolment {
  readonly token: Token
  readonly tokenKey: SigningKey
}

export function issueToken(terms: TokenTerms, operator: SigningKey): Token {
  const bytes = encodeCbor([
    TOKEN_LABEL,
    fromHex(terms.fleet),
    terms.tier,
    terms.uses,
    terms.issuedAt,
    terms.expiresAt,
    terms.key,
    ...markedPlace(terms.role),
  ])
  return { id: digestOf(bytes), terms, bytes, signature: operator.sign(bytes) }
}

/** @throws FleetstepError `message-invalid` for what is no token of `fleet` that `operator` has signed */
export function openToken(bytes: Uint8Array, signature: Uint8Array, fleet: Digest, operator: Uint8Array): Token {
  if (!verifySignature(operator, bytes, signature)) throw invalid('the token is not signed by the operator')
  const terms = readTerms(decodeCbor(bytes, 1))
  if (terms.fleet !== fleet) throw invalid('the token is of another fleet')
  return { id: digestOf(bytes), terms, bytes, signature }
}

/**
 * The proof in a join request: [member signature, ? (token, operator signature, token signature)]. The token's key and the
 * draft's own sign the claim, so that whoever overhears it can use it for no other member id and no other key.
 * @param enrolment null for a draft that the operator lets in by name
 */
export function proveClaim(claim: Claim, member: SigningKey, enrolment: Enrolment | null): Uint8Array {
  const bytes = claimBytes(claim)
  const own = member.sign(bytes)
  if (enrolment === null) return encodeCbor([own])
  const { token, tokenKey } = enrolment
  return encodeCbor([own, token.bytes, token.signature, tokenKey.sign(bytes)])
}

/**
 * @returns the token that `proof` proves for `claim`, or null if it proves no more than that the draft has its key
 * @throws FleetstepError `message-invalid` with the reason for which it proves nothing
 */
export function checkProof(proof: Uint8Array, claim: Claim, operator: Uint8Array): Token | null {
  const parts = partsOf(proof, [1, 4])
  const [own, bytes, signature, byToken] = parts
  const claimed = claimBytes(claim)
  if (own === undefined || !verifySignature(claim.key, claimed, own)) throw invalid('the draft does not hold its key')
  if (bytes === undefined || signature === undefined || byToken === undefined) return null
  const token = openToken(bytes, signature, claim.fleet, operator)
  if (!verifySignature(token.terms.key, claimed, byToken)) throw invalid('the token was granted to somebody else')
  const { tier, role = ROLE_DEFAULT } = token.terms
  // Whoever gives himself less than he may takes nothing from anybody.
  if (claim.tier > tier) throw invalid(`the token is for tier ${tier} at most, not ${claim.tier}`)
  const wanted = claim.role ?? ROLE_DEFAULT
  if (role !== wanted) throw invalid(`the token is for the role ${role}, not ${wanted}`)
  return token
}

/** The operator's word that a draft with this key and this tier may join without a token. @returns 64 bytes */
export function signGrant(claim: Claim, operator: SigningKey): Uint8Array {
  return operator.sign(grantBytes(claim))
}

/** What the join of a draft carries whose {@link proveClaim} shows no token: its own signature, and the operator's grant. */
export function credentialOf(proof: Uint8Array, grant: Uint8Array): Uint8Array {
  const [own] = partsOf(proof, [1, 4])
  assert(own, 'a proof has a first part')
  return new Uint8Array(encodeCbor([own, grant]))
}

/**
 * What a join carries: the proof of a token, or the key alone with the operator's grant. It holds for ever and needs no clock,
 * so that everybody comes to the same verdict, and a newcomer traces each member back to the operator.
 * @returns the token, or null if it was granted by name
 * @throws FleetstepError `message-invalid` with the reason for which the operator has not let it in
 */
export function checkCredential(credential: Uint8Array, claim: Claim, operator: Uint8Array): Token | null {
  const parts = partsOf(credential, [2, 4])
  if (parts.length === 4) return checkProof(credential, claim, operator)
  const [own, grant] = parts
  if (own === undefined || !verifySignature(claim.key, claimBytes(claim), own))
    throw invalid('the draft does not hold its key')
  if (grant === undefined || !verifySignature(operator, grantBytes(claim), grant))
    throw invalid('the operator has not granted it')
  return null
}

/** The terms of the token in a credential that was checked before; null if it is a grant. */
export function termsIn(credential: Uint8Array): TokenTerms | null {
  const [, token, ...more] = partsOf(credential, [2, 4])
  return token === undefined || more.length === 0 ? null : readTerms(decodeCbor(token, 1))
}

/** Labels keep a signature for one purpose from being one for another. */
const TOKEN_LABEL = 'fleetstep/token/v1'
const CLAIM_LABEL = 'fleetstep/enrolment/v1'
const GRANT_LABEL = 'fleetstep/grant/v1'

function claimBytes(claim: Claim): Uint8Array {
  return labelled(CLAIM_LABEL, claim)
}

function grantBytes(claim: Claim): Uint8Array {
  return labelled(GRANT_LABEL, claim)
}

function labelled(label: string, { fleet, member, tier, role, key }: Claim): Uint8Array {
  return encodeCbor([label, fromHex(fleet), memberIdToBytes(member), tier, key, ...markedPlace(role)])
}

function partsOf(proof: Uint8Array, lengths: readonly number[]): readonly Uint8Array[] {
  if (proof.length === 0) throw invalid('it shows no proof of enrolment: it needs a seed of this fleet')
  const parts = decodeCbor(proof, 1)
  if (!isList(parts) || !lengths.includes(parts.length))
    throw invalid(`the proof is not a list of ${lengths.join(' or ')}`)
  return parts.map((part) => {
    if (part instanceof Uint8Array) return part
    throw invalid('the proof holds what is not bytes')
  })
}

function readTerms(data: CborData): TokenTerms {
  if (!isList(data) || (data.length !== 7 && data.length !== 8) || data[0] !== TOKEN_LABEL)
    throw invalid('the token has another form')
  const [, fleet, tier, uses, issuedAt, expiresAt, key, role] = data
  if (!isBytes(fleet, 8) || !isBytes(key, KEY_BYTES)) throw invalid('the token has another form')
  return {
    fleet: Buffer.from(fleet).toString('hex') as Digest,
    tier: wholeOf(tier, TIER_MAX),
    ...(data.length === 8 ? { role: roleOf(role) } : {}),
    uses: wholeOf(uses, TOKEN_USES_MAX),
    issuedAt: wholeOf(issuedAt, Number.MAX_SAFE_INTEGER),
    expiresAt: wholeOf(expiresAt, Number.MAX_SAFE_INTEGER),
    key: new Uint8Array(key),
  }
}

function wholeOf(data: CborData | undefined, max: number): number {
  if (typeof data !== 'number' || !Number.isSafeInteger(data) || data < 0 || data > max)
    throw invalid('the token has another form')
  return data
}

function roleOf(data: CborData | undefined): MarkedRole {
  const role = ROLES[wholeOf(data, ROLES.length)]
  if (role === undefined || role === ROLE_DEFAULT) throw invalid('the token is for a role that is not known here')
  return role
}

function isBytes(data: CborData | undefined, length: number): data is Uint8Array {
  return data instanceof Uint8Array && data.length === length
}

function isList(data: CborData): data is readonly CborData[] {
  return Array.isArray(data)
}

function invalid(problem: string): FleetstepError {
  return new FleetstepError('message-invalid', problem)
}
