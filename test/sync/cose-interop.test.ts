import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from 'cborg'
import { Ed25519Key } from '@ldclabs/cose-ts/ed25519'
// @ldclabs/cose-ts: an independent COSE on other cryptography (@noble/curves) that knows EdDSA; maintained, MIT.
import { Sign1Message } from '@ldclabs/cose-ts/sign1'
import { createSigningKey, verifySignature } from '../../runtime/device/identity/keys.ts'
import { sealedMessages } from '../support/sealed-messages.ts'
import { signedFleet } from '../support/signed-fleet.ts'
import { encodeSign1, openSign1, sign1Structure } from '../../runtime/sync/cose.ts'

const AAD = encode(['fleet', 1, 9])
const PAYLOAD = new TextEncoder().encode('what is said')

test('another COSE library verifies what we sign, with what is bound to it', () => {
  const key = createSigningKey()
  const bytes = encodeSign1({ payload: PAYLOAD, signature: key.sign(sign1Structure(PAYLOAD, AAD)) })
  const theirs = Ed25519Key.fromPublic(key.publicKey)
  assert.deepEqual(new Uint8Array(Sign1Message.fromBytes(theirs, bytes, AAD).payload), PAYLOAD)
  assert.throws(() => Sign1Message.fromBytes(theirs, bytes, encode(['fleet', 1, 8])))
  const altered = bytes.slice()
  altered[8]! ^= 1
  assert.throws(() => Sign1Message.fromBytes(theirs, altered, AAD))
})

test('we verify what another COSE library signs', () => {
  const key = createSigningKey()
  const message = new Sign1Message(PAYLOAD)
  const bytes = message.toBytes(Ed25519Key.fromSecret(key.secret), AAD)
  const { payload, signature } = openSign1(bytes, 'theirs')
  assert.deepEqual(payload, PAYLOAD)
  assert.ok(verifySignature(key.publicKey, sign1Structure(payload, AAD), signature))
})

const fleet = signedFleet()
const speaker = createSigningKey()
for (const { kind, bytes, bound } of sealedMessages(fleet, speaker)) {
  test(`another COSE library verifies a signed ${kind}, bound to its fleet and its kind`, () => {
    const theirs = Ed25519Key.fromPublic(speaker.publicKey)
    assert.ok(Sign1Message.fromBytes(theirs, bytes, bound).payload.length > 0)
    for (const { kind: other, bound: otherwise } of sealedMessages(fleet, speaker)) {
      if (other !== kind) assert.throws(() => Sign1Message.fromBytes(theirs, bytes, otherwise))
    }
    assert.throws(() => Sign1Message.fromBytes(Ed25519Key.fromPublic(fleet.founderKey.publicKey), bytes, bound))
    for (const { bound: elsewhere, kind: same } of sealedMessages(signedFleet('other'), speaker))
      if (same === kind) assert.throws(() => Sign1Message.fromBytes(theirs, bytes, elsewhere))
  })
}
