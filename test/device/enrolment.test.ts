import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { fromHex, toHex } from '../../runtime/base/bytes.ts'
import { decodeCbor, encodeCbor } from '../../runtime/base/cbor.ts'
import type { Digest } from '../../runtime/base/digest.ts'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { type MarkedRole, marked } from '../../runtime/state/role.ts'
import {
  checkCredential,
  checkProof,
  type Claim,
  credentialOf,
  type Enrolment,
  issueToken,
  openToken,
  proveClaim,
  signGrant,
} from '../../runtime/device/identity/enrolment.ts'
import {
  createSigningKey,
  parsePrivateKey,
  privateKeyText,
  signingKeyFromSecret,
  verifySignature,
} from '../../runtime/device/identity/keys.ts'

const FLEET = '0123456789abcdef' as Digest
const operator = createSigningKey()
const draft = createSigningKey()
const claim: Claim = {
  fleet: FLEET,
  member: memberIdOf('0a00000000000001' as NodeId, 7),
  tier: 3,
  key: draft.publicKey,
}
const enrolment = enrolmentFor(FLEET)

describe('keys', () => {
  it('sign as RFC 8032 says in its second test', () => {
    const key = signingKeyFromSecret(fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'))
    assert.equal(toHex(key.publicKey), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    const signature = key.sign(fromHex('72'))
    assert.equal(
      toHex(signature),
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    )
    assert.ok(verifySignature(key.publicKey, fromHex('72'), signature))
    assert.ok(!verifySignature(key.publicKey, fromHex('73'), signature))
  })

  it('are the same after they were written down', () => {
    const again = parsePrivateKey(privateKeyText(draft), 'here')
    assert.deepEqual([again.publicKey, again.secret], [draft.publicKey, draft.secret])
  })

  it('are told from anything else without repeating it', () => {
    const { privateKey } = generateKeyPairSync('x25519')
    for (const text of ['', 'secret', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()]) {
      assert.throws(() => parsePrivateKey(text, 'here'), {
        code: 'key-invalid',
        message: 'here holds no private key of Ed25519; restore it from its backup',
      })
    }
  })

  it('verify nothing for what is no key or no signature', () => {
    for (const [key, signature] of [
      [new Uint8Array(), new Uint8Array(64)],
      [draft.publicKey, new Uint8Array(63)],
      [new Uint8Array(32).fill(255), new Uint8Array(64)],
    ] as const)
      assert.equal(verifySignature(key, new Uint8Array(1), signature), false)
  })
})

describe('a proof of enrolment', () => {
  it('proves its token', () => {
    const token = checkProof(proveClaim(claim, draft, enrolment), claim, operator.publicKey)
    assert.deepEqual(token?.terms, enrolment.token.terms)
    assert.equal(token?.id, enrolment.token.id)
  })

  it('proves its token for a lower tier too, and for that one alone', () => {
    const lower = { ...claim, tier: 2 }
    const proof = proveClaim(lower, draft, enrolment)
    assert.equal(checkProof(proof, lower, operator.publicKey)?.id, enrolment.token.id)
    assert.throws(() => checkProof(proof, claim, operator.publicKey), /does not hold its key/)
  })

  it('of a role proves that role, and the member who claims it', () => {
    for (const role of ['observer', 'operator'] as const) {
      const given = enrolmentFor(FLEET, operator, role)
      const claimed: Claim = { ...claim, role }
      const proof = proveClaim(claimed, draft, given)
      assert.equal(checkProof(proof, claimed, operator.publicKey)?.terms.role, role)
      assert.throws(() => checkProof(proof, claim, operator.publicKey), /does not hold its key/)
    }
  })

  it('of a draft without a token proves its key alone', () => {
    assert.equal(checkProof(proveClaim(claim, draft, null), claim, operator.publicKey), null)
  })

  const thief = createSigningKey()
  const overheard = proveClaim(claim, draft, enrolment)
  const swapped = (): Uint8Array => {
    const [, ...token] = decodeCbor(overheard, 1) as Uint8Array[]
    const stolen = { ...claim, key: thief.publicKey }
    const [own] = decodeCbor(proveClaim(stolen, thief, null), 1) as Uint8Array[]
    return encodeCbor([own!, ...token])
  }
  const otherTier = { ...claim, tier: 9 }
  const asOperator: Claim = { ...claim, role: 'operator' }
  const ofObserver = enrolmentFor(FLEET, operator, 'observer')
  const byOtherOperator = enrolmentFor(FLEET, thief)
  const ofOtherFleet = enrolmentFor('ffffffffffffffff' as Digest)
  const cases: readonly (readonly [what: string, proof: Uint8Array, claim: Claim, reason: RegExp])[] = [
    ['that was overheard, for another key', overheard, { ...claim, key: thief.publicKey }, /does not hold its key/],
    ['with the overheard part of a token', swapped(), { ...claim, key: thief.publicKey }, /granted to somebody else/],
    [
      'for another member id',
      overheard,
      { ...claim, member: memberIdOf('0a00000000000001' as NodeId, 8) },
      /does not hold its key/,
    ],
    [
      'for a tier that was not granted',
      proveClaim(otherTier, draft, enrolment),
      otherTier,
      /is for tier 3 at most, not 9/,
    ],
    [
      'for a role that was not granted',
      proveClaim(asOperator, draft, enrolment),
      asOperator,
      /role gateway, not operator/,
    ],
    ['for less than what was granted', proveClaim(claim, draft, ofObserver), claim, /role observer, not gateway/],
    ['of another operator', proveClaim(claim, draft, byOtherOperator), claim, /not signed by the operator/],
    ['of another fleet', proveClaim(claim, draft, ofOtherFleet), claim, /of another fleet/],
    ['that is missing', new Uint8Array(), claim, /needs a seed of this fleet/],
    ['that is senseless', fromHex('8201'), claim, /not plain CBOR/],
    ['that is a list of 2', encodeCbor([new Uint8Array(), new Uint8Array()]), claim, /list of 1 or 4/],
    ['that is no list of bytes', encodeCbor(['x']), claim, /what is not bytes/],
  ]
  for (const [what, proof, claimed, reason] of cases) {
    it(`${what} proves nothing`, () => {
      assert.throws(() => checkProof(proof, claimed, operator.publicKey), { code: 'message-invalid', message: reason })
    })
  }

  it('stands and falls with every one of its bits', () => {
    for (let bit = 0; bit < overheard.length * 8; bit += 5) {
      const altered = overheard.slice()
      altered[bit >> 3]! ^= 1 << (bit & 7)
      assert.throws(() => checkProof(altered, claim, operator.publicKey), { code: 'message-invalid' }, `bit ${bit}`)
    }
  })

  it('is no token: a signature for one purpose is none for another', () => {
    const [own] = decodeCbor(proveClaim(claim, operator, null), 1) as Uint8Array[]
    const bytes = encodeCbor([
      'fleetstep/enrolment/v1',
      fromHex(FLEET),
      fromHex('0a0000000000000100000007'),
      3,
      claim.key,
    ])
    assert.ok(verifySignature(operator.publicKey, bytes, own!))
    assert.throws(() => openToken(bytes, own!, FLEET, operator.publicKey), /the token has another form/)
  })
})

describe('what a join carries', () => {
  const proof = proveClaim(claim, draft, enrolment)
  const granted = credentialOf(proveClaim(claim, draft, null), signGrant(claim, operator))

  it('traces a member back to the operator, by its token or by his grant', () => {
    assert.equal(checkCredential(proof, claim, operator.publicKey)?.id, enrolment.token.id)
    assert.equal(checkCredential(granted, claim, operator.publicKey), null)
    const withToken = credentialOf(proof, signGrant(claim, operator))
    assert.equal(toHex(withToken), toHex(granted), 'a grant stands without a token')
  })

  it('holds for this member, key, tier and fleet alone, and stands and falls with every one of its bits', () => {
    const others: readonly Partial<Claim>[] = [
      { member: memberIdOf('0a00000000000001' as NodeId, 8) },
      { key: operator.publicKey },
      { tier: 4 },
      { fleet: 'ffffffffffffffff' as Digest },
    ]
    for (const credential of [proof, granted]) {
      for (const other of others) {
        const another = { ...claim, ...other }
        assert.throws(() => checkCredential(credential, another, operator.publicKey), { code: 'message-invalid' })
      }
      for (let bit = 0; bit < credential.length * 8; bit += 5) {
        const altered = credential.slice()
        altered[bit >> 3]! ^= 1 << (bit & 7)
        assert.throws(() => checkCredential(altered, claim, operator.publicKey), { code: 'message-invalid' }, `${bit}`)
      }
    }
  })

  it('is more than the proof of a key, and more than the word of anybody but the operator', () => {
    const bare = proveClaim(claim, draft, null)
    assert.throws(() => checkCredential(bare, claim, operator.publicKey), /is not a list of 2 or 4/)
    assert.throws(() => checkCredential(new Uint8Array(), claim, operator.publicKey), /no proof of enrolment/)
    const byMember = credentialOf(bare, signGrant(claim, draft))
    assert.throws(() => checkCredential(byMember, claim, operator.publicKey), /the operator has not granted it/)
    const [, grant] = decodeCbor(granted, 1) as Uint8Array[]
    const [asGrant] = decodeCbor(proveClaim(claim, operator, null), 1) as Uint8Array[]
    assert.throws(
      () => checkCredential(encodeCbor([grant!, grant!]), claim, operator.publicKey),
      /the draft does not hold its key/,
    )
    const purpose = credentialOf(bare, asGrant!)
    assert.throws(() => checkCredential(purpose, claim, operator.publicKey), /the operator has not granted it/)
  })
})

function enrolmentFor(fleet: Digest, signer = operator, role?: MarkedRole): Enrolment {
  const tokenKey = createSigningKey()
  const terms = {
    fleet,
    tier: 3,
    ...marked(role ?? 'gateway'),
    uses: 2,
    issuedAt: 1000,
    expiresAt: 2000,
    key: tokenKey.publicKey,
  }
  return { token: issueToken(terms, signer), tokenKey }
}
