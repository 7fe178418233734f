import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { decode, encode } from 'cborg'
import { fromHex, toHex } from '../../runtime/base/bytes.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, memberIdToBytes, nodeOf, type NodeId } from '../../runtime/base/ids.ts'
import { createSigningKey, type SigningKey, verifySignature } from '../../runtime/device/identity/keys.ts'
import { openBatch, sealBatch } from '../../runtime/sync/batch-codec.ts'
import { encodeSign1, openSign1, SIGN1_BYTES, sign1Structure } from '../../runtime/sync/cose.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Announcement, Batch, Offer } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Recovered } from '../../runtime/sync/recovery.ts'
import { Relay } from '../../runtime/sync/relay.ts'
import { Signatures } from '../../runtime/sync/signatures.ts'
import { vectorDigest } from '../../runtime/sync/version-vector.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'

const [OPERATOR, KEY_A, KEY_B, THIEF] = [createSigningKey(), createSigningKey(), createSigningKey(), createSigningKey()]
const FLEET: Genesis = {
  name: 'signed',
  operator: OPERATOR.publicKey,
  founders: genesisOf(2).founders.map((one, index) => ({ ...one, key: [KEY_A, KEY_B][index]!.publicKey })),
}
const [A, B] = FLEET.founders.map(({ node }) => memberIdOf(node, 0))

test('a batch is a COSE_Sign1 that another CBOR library and node:crypto take apart and verify', () => {
  const b = founder(1)
  const { payload } = batchesOf(b)[0]!
  const [head, unprotected, content, signature] = decode(payload) as [Uint8Array, object, Uint8Array, Uint8Array]
  assert.deepEqual([toHex(head), unprotected], ['a10127', {}])
  const bound = encode([fromHex(b.replica.fleet), memberIdToBytes(B!), 1, 1])
  const structure = encode(['Signature1', head, bound, content])
  const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(KEY_B.publicKey).toString('base64url') }
  assert.ok(verify(null, structure, createPublicKey({ key, format: 'jwk' }), signature))
  assert.equal(openBatch(payload).digest, openBatch(content).digest, 'the chain is that of what was signed')
  assert.ok(payload.length - content.length <= SIGN1_BYTES)
})

test('a batch that was just signed is what whoever receives it opens, deflated or not', () => {
  const issuer = new HandIssuer(B!, 1)
  issuer.issue({ set: ['b', 1] })
  issuer.issue({
    set: ['b', 'long '.repeat(400), { member: B!, seq: 1 }],
    after: issuer.batches[0]!.messages[0]!.current,
  })
  const signer = new Signatures(EMPTY_DIGEST, schemeOf(KEY_B))
  for (const batch of issuer.batches) {
    const signed = signer.sign(batch)
    assert.equal(signed.isSigned, true)
    assert.deepEqual(openBatch(signed.payload), signed)
  }
})

test('a good batch is executed, verified once, and passed on byte for byte', () => {
  const verifications: number[] = []
  const a = founder(0, verifications)
  a.give({ kind: 'link-up', link: 'line' })
  const batch = batchesOf(founder(1))[0]!
  const frame = encodeFrame(a.replica.fleet, { kind: 'batch', batch })
  const outputs = [...a.giveFrame(frame), ...a.giveFrame(frame), ...a.giveFrame(frame)]
  assert.deepEqual(stateOf(a.replica), { b: 1 })
  assert.equal(verifications.length, 1)
  const relayed = outputs.flatMap((output) => (output.kind === 'send' ? [toHex(output.frame)] : []))
  assert.deepEqual(relayed.filter((bytes) => bytes === toHex(frame)).length, 1)
})

test('what waits for an earlier operation is verified once, when it comes', () => {
  const verifications: number[] = []
  const a = founder(0, verifications)
  const issuer = new HandIssuer(B!, FLEET.founders[1]!.tier)
  const first = issuer.issue({ set: ['b', 1] })
  const second = issuer.issue({ set: ['b', 2], after: first })
  issuer.issue({ set: ['c', 3], after: second })
  const signer = new Signatures(a.replica.fleet, schemeOf(KEY_B))
  for (const batch of issuer.batches.toReversed()) a.giveMessage({ kind: 'batch', batch: signer.sign(batch) })
  assert.deepEqual(stateOf(a.replica), { b: 2, c: 3 })
  assert.equal(verifications.length, 3)
})

const good = batchesOf(founder(1))[0]!
const { payload: content, signature } = openSign1(good.payload, 'batch')
const altered = openBatch(encodeSign1({ payload: content, signature: flipped(signature) }))
const ofOtherContent = openBatch(encodeSign1({ payload: batchBy(7), signature }))
const otherFleet = new Signatures(EMPTY_DIGEST, schemeOf(KEY_B)).sign(openBatch(content))
const byThief = new Signatures(founder(0).replica.fleet, schemeOf(THIEF)).sign(openBatch(content))
const cases: readonly (readonly [what: string, batch: Batch, reason: string])[] = [
  ['that nobody has signed', openBatch(content), 'batch is not signed'],
  ['of a forged origin', byThief, 'batch is not signed by its member'],
  ['whose signature a relay has altered', altered, 'batch is not signed by its member'],
  ['whose content a relay has altered', ofOtherContent, 'batch is not signed by its member'],
  ['that was signed for another fleet', otherFleet, 'batch is not signed by its member'],
]
for (const [what, batch, reason] of cases) {
  test(`a batch ${what} is dropped, counted, and does not stand in the way of the right one`, () => {
    const a = founder(0)
    a.giveMessage({ kind: 'batch', batch })
    assert.deepEqual([stateOf(a.replica), a.inspect().dropped], [{}, { [reason]: 1 }])
    assert.equal(a.inspect().waitingList.length, 0)
    a.giveMessage({ kind: 'batch', batch: good })
    assert.deepEqual(stateOf(a.replica), { b: 1 })
  })
}

test('a batch with another signature is not taken for one that a relay need not pass on any more', (t) => {
  const { mock } = t.mock.method(Relay.prototype, 'noteHeard')
  const a = founder(0)
  assert.equal(altered.digest, good.digest)
  a.giveMessage({ kind: 'batch', batch: altered })
  assert.equal(mock.callCount(), 0)
  a.giveMessage({ kind: 'batch', batch: good })
  assert.deepEqual(
    mock.calls.map((call) => call.arguments[0]),
    [good.digest],
  )
})

test('a signature is for these seqs of this member alone', () => {
  const signatures = new Signatures(founder(0).replica.fleet, schemeOf(KEY_B))
  const issuer = new HandIssuer(B!, FLEET.founders[1]!.tier)
  issuer.issue({ set: ['b', 1] })
  const first = signatures.sign(issuer.batches[0]!)
  const { payload } = openSign1(first.payload, 'batch')
  const bound = (...parts: readonly unknown[]): Uint8Array => sign1Structure(payload, encode(parts))
  const fleet = fromHex(founder(0).replica.fleet)
  const signed = openSign1(first.payload, 'batch').signature
  assert.ok(verifySignature(KEY_B.publicKey, bound(fleet, memberIdToBytes(B!), 1, 1), signed))
  assert.ok(!verifySignature(KEY_B.publicKey, bound(fleet, memberIdToBytes(B!), 1, 2), signed))
  assert.ok(!verifySignature(KEY_B.publicKey, bound(fleet, memberIdToBytes(A!), 1, 1), signed))
})

test('a forged operation of the node itself does not make it a draft', () => {
  const a = founder(0)
  const issuer = new HandIssuer(A!, FLEET.founders[0]!.tier)
  issuer.issue({ set: ['x', 1] })
  const forged = new Signatures(a.replica.fleet, schemeOf(THIEF)).sign(issuer.batches[0]!)
  a.giveMessage({ kind: 'batch', batch: forged })
  assert.equal(a.inspect().status, 'member')
  assert.deepEqual(a.inspect().dropped, { 'batch is not signed by its member': 1 })
})

test('a forged other life of a member removes nothing', () => {
  const a = founder(0)
  a.giveMessage({ kind: 'batch', batch: good })
  const forged = new Signatures(a.replica.fleet, schemeOf(THIEF)).sign(openBatch(batchBy(0)))
  a.giveMessage({ kind: 'batch', batch: forged })
  assert.deepEqual(stateOf(a.replica), { b: 1 })
  assert.deepEqual(a.inspect().dropped, { 'batch is not signed by its member': 1 })
})

test('what a stranger sends waits, and is verified by the key of his join', () => {
  const n = memberIdOf('0f00000000000001' as NodeId, 5)
  const keyN = createSigningKey()
  const byN = new HandIssuer(n, 0)
  const byB = new HandIssuer(B!, FLEET.founders[1]!.tier)
  const join = byB.issue({ join: { member: n, tier: 0, key: keyN.publicKey } })
  byN.issue({ set: ['n', 1], after: join })
  for (const [key, state] of [
    [keyN, { n: 1 }],
    [THIEF, {}],
  ] as const) {
    const a = founder(0)
    const sign = (signer: SigningKey, batch: Batch): Batch =>
      new Signatures(a.replica.fleet, schemeOf(signer)).sign(batch)
    a.giveMessage({ kind: 'batch', batch: sign(key, byN.batches[0]!) })
    assert.equal(a.inspect().waitingList.length, 1)
    a.giveMessage({ kind: 'batch', batch: sign(KEY_B, byB.batches[0]!) })
    assert.deepEqual(stateOf(a.replica), state)
    assert.equal(a.inspect().waitingList.length, 0)
    a.giveMessage({ kind: 'batch', batch: sign(keyN, byN.batches[0]!) })
    assert.deepEqual(stateOf(a.replica), { n: 1 })
    assert.equal(a.inspect().dropped['batch is not signed by its member'] ?? 0, key === THIEF ? 1 : 0)
  }
})

test('the own disk is trusted: nothing is verified at the start, and what it holds goes out as it was signed', () => {
  const a = founder(0)
  a.giveMessage({ kind: 'batch', batch: good })
  a.store()
  const verifications: number[] = []
  const again = founder(0, verifications, { snapshot: null, records: a.records, last: a.lastStored })
  assert.deepEqual([stateOf(again.replica), verifications.length], [{ b: 1 }, 0])
  const [held] = again.replica.inspect(0).vector.filter(({ member }) => member === B)
  assert.deepEqual(held, { member: B, seq: 1, digest: good.digest })
})

test('a fleet without keys signs nothing, and takes nothing that is signed', () => {
  const a = new DrivenReplica(genesisOf(2), 0)
  a.giveMessage({ kind: 'batch', batch: good })
  assert.deepEqual(a.inspect().dropped, { 'batch is signed in a fleet without keys': 1 })
  assert.throws(() => new DrivenReplica(FLEET, 0), /a fleet is signed if it has keys/)
})

test('an announcement is signed, heard, verified once, and passed on byte for byte', () => {
  const verifications: number[] = []
  const a = founder(0, verifications)
  a.give({ kind: 'link-up', link: 'line' })
  const { announcement } = announced(founder(1))
  const frame = encodeFrame(a.replica.fleet, { kind: 'announcement', announcement })
  const outputs = [...a.giveFrame(frame), ...a.giveFrame(frame)]
  assert.equal(a.inspect().members.find(({ member }) => member === B)?.heardAgoMs, 0)
  assert.equal(verifications.length, 1)
  const relayed = outputs.filter((output) => output.kind === 'send' && toHex(output.frame) === toHex(frame))
  assert.equal(relayed.length, 1)
  const [head, , payload, signed] = decode(announcement.sealed!) as [Uint8Array, object, Uint8Array, Uint8Array]
  const structure = encode(['Signature1', head, encode([fromHex(a.replica.fleet), 'announcement']), payload])
  assert.ok(verifySignature(KEY_B.publicKey, structure, signed))
})

const { announcement: heard } = announced(founder(1))
const { sealed: _sealed, ...bare } = heard
const a0 = founder(0).replica.fleet
/** It would make a draft of a node that believed it: others know more of it than itself. */
const lie = { ...bare, number: 99, vector: [{ member: A!, seq: 9, digest: EMPTY_DIGEST }] }
const lies = { ...lie, vectorDigest: vectorDigest(new Map(lie.vector.map((entry) => [entry.member, entry]))) }
const announcements: readonly (readonly [what: string, announcement: Announcement, reason: string])[] = [
  ['that nobody has signed', lies, 'announcement is not signed'],
  [
    'of a forged origin',
    new Signatures(a0, schemeOf(THIEF)).signAnnouncement(lies),
    'announcement is not signed by its member',
  ],
  [
    'that was signed for another fleet',
    new Signatures(EMPTY_DIGEST, schemeOf(KEY_B)).signAnnouncement(lies),
    'announcement is not signed by its member',
  ],
  [
    'in the name of the node itself',
    new Signatures(a0, schemeOf(KEY_B)).signAnnouncement({ ...lies, member: A!, start: 9, ownSeq: 9 }),
    'announcement is not signed by its member',
  ],
  [
    'of a node that is no member',
    new Signatures(a0, schemeOf(THIEF)).signAnnouncement({ ...lies, member: memberIdOf(nodeOf(B!), 7) }),
    'announcement of a node that is no member',
  ],
]
for (const [what, announcement, reason] of announcements) {
  test(`an announcement ${what} changes nothing`, () => {
    const a = founder(0)
    a.giveMessage({ kind: 'announcement', announcement })
    const { status, dropped, members } = a.inspect()
    assert.deepEqual([status, dropped], ['member', { [reason]: 1 }])
    assert.ok(members.every(({ heardAgoMs }) => heardAgoMs === null))
  })
}

test('the same lie of a member itself is believed: it is signed', () => {
  const a = founder(0)
  const announcement = new Signatures(a0, schemeOf(KEY_B)).signAnnouncement(lies)
  a.giveMessage({ kind: 'announcement', announcement })
  assert.equal(a.inspect().status, 'draft')
})

const signedBy = (key: SigningKey, offer: Offer): Offer => new Signatures(a0, schemeOf(key)).signOffer(offer)
const N = '0f00000000000001' as NodeId
const offers: readonly (readonly [
  what: string,
  from: MemberId,
  sign: (offer: Offer) => Offer,
  reason: string | null,
])[] = [
  ['of the founder', B!, (offer) => signedBy(KEY_B, offer), null],
  [
    'of a sponsor that shows nothing of who let it in',
    memberIdOf(N, 3),
    (offer) => signedBy(THIEF, offer),
    'offer of a node that is no member',
  ],
  ['that nobody has signed', B!, (offer) => offer, 'offer is not signed'],
  ['of a forged founder', B!, (offer) => signedBy(THIEF, offer), 'offer is not signed by its member'],
]
for (const [what, from, sign, reason] of offers) {
  test(`a draft ${reason === null ? 'fetches' : 'does not fetch'} a welcome ${what}`, () => {
    const key = createSigningKey()
    const keys = { key: key.publicKey, signature: schemeOf(key) }
    const n = new DrivenReplica(FLEET, N, undefined, undefined, keys)
    const offer = { to: n.replica.self, from, purpose: 'welcome', digest: EMPTY_DIGEST, size: 9 } as const
    const outputs = n.giveMessage({ kind: 'offer', offer: sign(offer) })
    const asked = n.messagesIn(outputs).filter(({ kind }) => kind === 'chunk-request').length
    assert.deepEqual([asked, n.inspect().dropped], reason === null ? [1, {}] : [0, { [reason]: 1 }])
  })
}

test('a member takes no snapshot of a node that is none', () => {
  const a = founder(0)
  const offer = { to: A!, from: memberIdOf(N, 3), purpose: 'catch-up', digest: EMPTY_DIGEST, size: 9 } as const
  a.giveMessage({ kind: 'offer', offer: signedBy(THIEF, offer) })
  assert.deepEqual(a.inspect().dropped, { 'offer of a node that is no member': 1 })
})

test('an envelope has one form', () => {
  const parts = [fromHex('a10127'), {}, content, signature] as const
  assert.deepEqual(openSign1(encode(parts), 'batch'), { payload: content, signature })
  const wrong: readonly (readonly [unknown[], RegExp])[] = [
    [[fromHex('a10126'), ...parts.slice(1)], /protected header does not say EdDSA alone/],
    [[fromHex('a0'), ...parts.slice(1)], /protected header is not 3 bytes/],
    [[parts[0], { kid: 1 }, ...parts.slice(2)], /unprotected header is not empty/],
    [[parts[0], null, ...parts.slice(2)], /unprotected header is not empty/],
    [[...parts.slice(0, 2), null, signature], /batch is not bytes/],
    [[...parts.slice(0, 3), signature.subarray(1)], /signature is not 64 bytes/],
    [parts.slice(0, 3), /batch is not a list of 4/],
  ]
  for (const [form, reason] of wrong) assert.throws(() => openSign1(encode(form), 'batch'), { message: reason })
  assert.throws(() => openSign1(Buffer.concat([encode(parts), Buffer.alloc(1)]), 'batch'), /followed by other bytes/)
})

/** A founder of the signed fleet. @param verifications gets an entry for each */
function founder(index: number, verifications: number[] = [], recovered?: Recovered): DrivenReplica {
  const key = [KEY_A, KEY_B][index]!
  const { sign, verify: check } = schemeOf(key)
  const counted: typeof check = (...words) => {
    verifications.push(1)
    return check(...words)
  }
  const keys = { key: key.publicKey, signature: { sign, verify: counted } }
  return new DrivenReplica(FLEET, index, recovered, undefined, keys)
}

function schemeOf(key: SigningKey) {
  return { sign: (bytes: Uint8Array) => key.sign(bytes), verify: verifySignature }
}

/** Its first announcement. */
function announced(replica: DrivenReplica): { readonly announcement: Announcement } {
  replica.store()
  const announcement = replica.announcementsIn([...replica.outputs, ...replica.wait(5000)])[0]
  assert.ok(announcement !== undefined)
  return { announcement }
}

/** What it sends after its first operation. */
function batchesOf(replica: DrivenReplica): Batch[] {
  replica.issue(set('b', 1))
  return replica.unstored.flatMap(({ record }) => {
    const data = decode(record, { allowBigInt: true }) as unknown[]
    return data[0] === 1 && nodeOf(replica.replica.self) === FLEET.founders[1]!.node
      ? [openBatch(data[1] as Uint8Array)]
      : []
  })
}

/** The first operation of B with another value. */
function batchBy(value: number): Uint8Array {
  const issuer = new HandIssuer(B!, FLEET.founders[1]!.tier)
  issuer.issue({ set: ['b', value] })
  const { messages } = issuer.batches[0]!
  return sealBatch(B!, EMPTY_DIGEST, messages).payload
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  copy[5]! ^= 1
  return copy
}
