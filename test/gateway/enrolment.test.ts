import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import {
  checkCredential,
  type Enrolment,
  issueToken,
  proveClaim,
  signGrant,
} from '../../runtime/device/identity/enrolment.ts'
import { createSigningKey, type SigningKey } from '../../runtime/device/identity/keys.ts'
import type { Seed } from '../../runtime/device/identity/seed.ts'
import { RELEASE_SECONDS } from '../../runtime/base/limits.ts'
import { systemSeconds } from '../../runtime/gateway/system-clock.ts'
import { EnrolmentJudge } from '../../runtime/gateway/enrolment.ts'
import { fleetIdOfFacts } from '../../runtime/gateway/fleet.ts'
import { marked, type Role } from '../../runtime/state/role.ts'
import type { Admission, EnrolmentStanding } from '../../runtime/sync/sponsor.ts'
import type { JoinRequest } from '../../runtime/sync/message.ts'

const operator = createSigningKey()
const founder = createSigningKey()
const FOUNDER = '0a00000000000001' as NodeId
const facts = { name: 'f', operator: operator.publicKey, founder: { node: FOUNDER, tier: 0, key: founder.publicKey } }
const fleet = { ...facts, id: fleetIdOfFacts(facts) }
const seed: Seed = { fleet, founderKey: founder, enrolment: null, epoch: null, links: [] }
const NOTHING: EnrolmentStanding = { usesOf: () => 0, credentials: [], revoked: [], admitted: [] }
const MEMBER = memberIdOf('0b00000000000001' as NodeId, 1)

describe('a judge of enrolments', () => {
  it('lets in whoever proves a good token, which the join then names', () => {
    const token = tokenOf(1000, 2000)
    const asked = requestOf(token)
    assert.deepEqual(judge(1500).judge(asked, NOTHING), {
      kind: 'admitted',
      token: token.token.id,
      credential: asked.proof,
    })
  })

  it('refuses a token that has expired', () => {
    refuses(
      judge(2000).judge(requestOf(tokenOf(1000, 2000)), NOTHING),
      /has expired: it was good until 1970-01-01 and here it is 1970-01-01: the operator/,
    )
  })

  it('says where time comes from a token that was made with a clock ahead: a new seed does not help then', () => {
    const ahead = 86_400 * 365 * 10
    const credentials = [requestOf(tokenOf(ahead, 2 * ahead)).proof]
    refuses(
      judge(1500).judge(requestOf(tokenOf(1000, 2000)), { ...NOTHING, credentials }),
      /it was good until 1970-01-01 and a token of 1979-12-30 is known here: the operator/,
    )
  })

  it('does not refuse a good token by a clock that stands at 1970', () => {
    assert.equal(judge(0).judge(requestOf(tokenOf(1000, 2000)), NOTHING).kind, 'admitted')
  })

  it('learns from a newer token that time has passed, where its clock stands still', () => {
    const judging = judge(0)
    const old = requestOf(tokenOf(1000, 2000))
    assert.equal(judging.judge(old, NOTHING).kind, 'admitted')
    assert.equal(judging.judge(requestOf(tokenOf(3000, 4000)), NOTHING).kind, 'admitted')
    refuses(judging.judge(old, NOTHING), /has expired/)
  })

  it('learns it from the tokens of members, and from its own', () => {
    const old = requestOf(tokenOf(1000, 2000))
    const credentials = [requestOf(tokenOf(3000, 4000)).proof, new Uint8Array()]
    refuses(judge(0).judge(old, { ...NOTHING, credentials }), /has expired/)
    const judging = new EnrolmentJudge({ ...seed, founderKey: null, enrolment: tokenOf(3000, 4000) }, () => 0)
    refuses(judging.judge(old, NOTHING), /has expired/)
  })

  it('learns no time from a token that the operator has not signed', () => {
    const judging = judge(0)
    refuses(judging.judge(requestOf(tokenOf(3000, 4000, founder)), NOTHING), /not signed by the operator/)
    assert.equal(judging.judge(requestOf(tokenOf(1000, 2000)), NOTHING).kind, 'admitted')
  })

  it('has a clock that is not before the release, wherever that of the machine stands', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1000 })
    assert.equal(systemSeconds(), RELEASE_SECONDS)
    t.mock.timers.setTime((RELEASE_SECONDS + 9) * 1000)
    assert.equal(systemSeconds(), RELEASE_SECONDS + 9)
    refuses(new EnrolmentJudge(seed, systemSeconds).judge(requestOf(tokenOf(1000, 2000)), NOTHING), /has expired/)
  })

  it('counts the member ids that have joined with it', () => {
    const token = tokenOf(1000, 2000)
    const usesOf = (id: Digest): number => (id === token.token.id ? 2 : 0)
    refuses(judge(1500).judge(requestOf(token), { ...NOTHING, usesOf }), /is used up: 2 of 2/)
    const once = { ...NOTHING, usesOf: (id: Digest) => usesOf(id) / 2 }
    assert.equal(judge(1500).judge(requestOf(token), once).kind, 'admitted')
  })

  it('refuses a token that the newest epoch revokes', () => {
    const token = tokenOf(1000, 2000)
    refuses(judge(1500).judge(requestOf(token), { ...NOTHING, revoked: [token.token.id] }), /was revoked/)
  })

  it('lets nobody have a role that its token does not name', () => {
    refuses(
      judge(1500).judge(requestOf(tokenOf(1000, 2000), createSigningKey(), 1, 'operator'), NOTHING),
      /role gateway/,
    )
    const token = tokenOf(1000, 2000, operator, 'observer')
    assert.equal(judge(1500).judge(requestOf(token, createSigningKey(), 1, 'observer'), NOTHING).kind, 'admitted')
    refuses(judge(1500).judge(requestOf(token), NOTHING), /the token is for the role observer, not gateway/)
  })

  it('lets in whom the operator names, with that key and that tier alone', () => {
    const key = createSigningKey()
    const claim = { fleet: fleet.id, member: MEMBER, tier: 1, key: key.publicKey }
    const named = { ...claim, grant: signGrant(claim, operator) }
    const standing = { ...NOTHING, admitted: [named] }
    const judging = judge(1500)
    const admission = judging.judge(requestOf(null, key), standing)
    assert.ok(admission.kind === 'admitted' && admission.token === null && admission.credential !== undefined)
    assert.equal(checkCredential(admission.credential, claim, operator.publicKey), null)
    const ungranted = { ...NOTHING, admitted: [{ ...named, grant: signGrant(claim, founder) }] }
    refuses(judging.judge(requestOf(null, key), ungranted), /the operator has not granted it/)
    refuses(judging.judge(requestOf(null, key), NOTHING), /it has no token/)
    refuses(judging.judge(requestOf(null, createSigningKey()), standing), /it has no token/)
    refuses(judging.judge(requestOf(null, key, 2), standing), /it has no token/)
    refuses(judging.judge(requestOf(null, key, 1, 'operator'), standing), /it has no token/)
    const observing = { ...claim, role: 'observer' as const }
    const asObserver = { ...NOTHING, admitted: [{ ...observing, grant: signGrant(observing, operator) }] }
    const raised = { ...NOTHING, admitted: [{ ...observing, grant: named.grant }] }
    refuses(judging.judge(requestOf(null, key, 1, 'observer'), raised), /the operator has not granted it/)
    refuses(judging.judge(requestOf(null, key), asObserver), /it has no token/)
    assert.equal(judging.judge(requestOf(null, key, 1, 'observer'), asObserver).kind, 'admitted')
  })
})

function judge(seconds: number): EnrolmentJudge {
  return new EnrolmentJudge(seed, () => seconds)
}

function tokenOf(
  issuedAt: number,
  expiresAt: number,
  signer: SigningKey = operator,
  role: Role = 'gateway',
): Enrolment {
  const tokenKey = createSigningKey()
  const terms = { fleet: fleet.id, tier: 1, ...marked(role), uses: 2, issuedAt, expiresAt, key: tokenKey.publicKey }
  return { token: issueToken(terms, signer), tokenKey }
}

function requestOf(
  enrolment: Enrolment | null,
  key: SigningKey = createSigningKey(),
  tier: number = 1,
  role: Role = 'gateway',
): JoinRequest {
  const claim = { fleet: fleet.id, member: MEMBER, tier, ...marked(role), key: key.publicKey }
  return {
    member: MEMBER,
    tier,
    ...marked(role),
    key: key.publicKey,
    proof: proveClaim(claim, key, enrolment),
    epoch: 0,
  }
}

function refuses(admission: Admission, reason: RegExp): void {
  assert.ok(admission.kind === 'refused')
  assert.match(admission.reason, reason)
  assert.ok(Buffer.byteLength(admission.reason) <= 256)
}
