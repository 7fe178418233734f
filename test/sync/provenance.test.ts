import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Digest, digestOf } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { SNAPSHOT_REFUSED_MS, WITNESSES_MAX } from '../../runtime/base/limits.ts'
import { proveClaim } from '../../runtime/device/identity/enrolment.ts'
import { createSigningKey, type SigningKey } from '../../runtime/device/identity/keys.ts'
import type { SeedEpoch } from '../../runtime/device/identity/seed.ts'
import type { Cell } from '../../runtime/state/cell.ts'
import type { Join, Operation } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { memberPoint } from '../../runtime/state/reserved-point.ts'
import { openBatch } from '../../runtime/sync/batch-codec.ts'
import { encodeSign1, openSign1 } from '../../runtime/sync/cose.ts'
import { type Epoch, epochDigest, epochPayload } from '../../runtime/sync/epoch.ts'
import type { Announcement, Batch, Message, Offer } from '../../runtime/sync/message.ts'
import { historyFrom } from '../../runtime/sync/recovery.ts'
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../runtime/sync/snapshot.ts'
import { stateDigest } from '../../runtime/sync/state-digest.ts'
import { sortedEntries, vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import { emptyHanded } from '../support/sealed-messages.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { set, stateOf } from '../support/replica-network.ts'
import { signedFleet } from '../support/signed-fleet.ts'

const FLEET = signedFleet()
const TOKEN = FLEET.token()
const [KEY_B, KEY_C, THIEF] = [createSigningKey(), createSigningKey(), createSigningKey()]
const B = memberIdOf('0b00000000000001' as NodeId, 5)
const X = memberIdOf('0f00000000000001' as NodeId, 6)
const A = FLEET.founder
const OF_B = { from: B, sponsor: ofB() }

/** What the founder holds when it has taken in B, which is to be the sponsor, and the draft that is to come. */
const welcome = snapshotWith(draft().replica.self)

test('a newcomer believes a sponsor that it has never heard of, since the operator has let that one in', () => {
  const c = offered((snapshot) => snapshot)
  assert.deepEqual([c.inspect().status, c.inspect().dropped, stateOf(c.replica)], ['member', {}, { a: 1, b: 2 }])
  assert.deepEqual(
    c
      .inspect()
      .members.map(({ member }) => member)
      .toSorted(),
    [A, B, c.replica.self],
  )
})

const retiringB: Epoch = signed({ number: 1, counting: [A], retired: [B] })
const unsignedEpoch: Epoch = { number: 1, counting: [A], retired: [], signature: new Uint8Array(64) }
const ofThief = new HandIssuer(X, 0)
ofThief.issue({ set: ['x', 666] })
const cases: readonly (readonly [what: string, forge: (snapshot: Snapshot) => Snapshot, reason: RegExp])[] = [
  ['with a member that nobody let in', withCell(X, [0, THIEF.publicKey]), /a member that the operator has not let in/],
  [
    'with a member under the credential of another',
    withCell(X, [0, THIEF.publicKey, tokenId(), null, credentialOf(B, KEY_B)]),
    /a member that the operator has not let in/,
  ],
  [
    'with a member of a higher tier than it was granted',
    withCell(X, [9, THIEF.publicKey, tokenId(), null, credentialOf(X, THIEF)]),
    /a member that the operator has not let in/,
  ],
  [
    'with a member that names another token than it proves',
    withCell(X, [0, THIEF.publicKey, new Uint8Array(8), null, credentialOf(X, THIEF)]),
    /a member that the operator has not let in/,
  ],
  [
    'with a member in a role that it was not granted',
    withCell(X, [0, THIEF.publicKey, tokenId(), 2, credentialOf(X, THIEF)]),
    /a member that the operator has not let in/,
  ],
  ['with another key for the founder', withCell(A, [1, THIEF.publicKey]), /cell is none of the protocol/],
  ['without the founder', withCell(A, undefined), /cell is none of the protocol/],
  [
    'with one more founder',
    withCell(memberIdOf('0f00000000000001' as NodeId, 0), [0, THIEF.publicKey]),
    /cell is none of the protocol/,
  ],
  ['with an epoch of somebody else', withEpoch(unsignedEpoch), /its epoch is not signed by the operator/],
  ['of a sponsor that was retired', withEpoch(retiringB), /whoever offered it was retired/],
  ['with an operation that was altered', withBatches(altered), /batch is not signed by its member/],
  ['with an operation that nobody has signed', withBatches(unsigned), /batch is not signed/],
  [
    'with an operation of nobody who is a member',
    (snapshot) => ({ ...snapshot, batches: [...snapshot.batches, byThief(ofThief.batches[0]!)] }),
    /is of 0f00000000000001.00000006, which is no member/,
  ],
  [
    'with evidence that was made up',
    (snapshot) => ({ ...snapshot, evidence: [[X, altered(snapshot.batches[0]!)]] }),
    /batch is not signed by its member/,
  ],
]
for (const [what, forge, reason] of cases) {
  test(`a newcomer keeps nothing of a welcome ${what}, and asks again`, () => {
    const c = offered(forge)
    const [told, ...more] = Object.entries(c.inspect().dropped)
    assert.deepEqual([c.inspect().status, c.inspect().members.length, stateOf(c.replica), more], ['draft', 1, {}, []])
    assert.match(told?.[0] ?? '', reason)
    const again = c.messagesIn(c.wait(SNAPSHOT_REFUSED_MS + 1)).filter(({ kind }) => kind === 'join-request')
    assert.ok(again.length > 0)
    give(c, welcome, signedBy(KEY_B, OF_B))
    assert.equal(c.inspect().status, 'member', 'the right one does not suffer for it')
  })
}

test('a newcomer believes no sponsor that shows an older epoch than its seed names, or another one of that number', () => {
  const epochs = [1, 2].map((number) => signed({ number, counting: [A, B], retired: [X] })) as [Epoch, Epoch]
  const other = signed({ number: 2, counting: [A], retired: [X] })
  const shows = [
    [welcome, /it is of an older epoch than the seed of this node names/],
    [withEpoch(epochs[0])(welcome), /it is of an older epoch than the seed of this node names/],
    [withEpoch(other)(welcome), /it is of another epoch than the seed of this node names/],
    [withEpoch(epochs[1])(welcome), null],
    [withEpoch(signed({ number: 3, counting: [A, B], retired: [X] }))(welcome), null],
  ] as const
  for (const [shown, reason] of shows) {
    const c = draft({ number: 2, digest: epochDigest(epochs[1]) })
    give(c, shown, signedBy(KEY_B, OF_B))
    const told = Object.keys(c.inspect().dropped)
    assert.deepEqual([c.inspect().status, told.length], reason === null ? ['member', 0] : ['draft', 1])
    if (reason !== null) assert.match(told[0] ?? '', reason)
  }
})

const honest = historyFrom(FLEET.genesis, welcome)
const TRUE_STATE = stateDigest(honest.local)!
const forgedState = withValue('forged', 666)

test('a newcomer takes no welcome that other members contradict: it tells people, and asks others', () => {
  const c = draft()
  c.store()
  c.giveMessage(stating(A, FLEET.founderKey, honest.floor, TRUE_STATE))
  give(c, forgedState(welcome), signedBy(KEY_B, OF_B))
  assert.deepEqual([c.inspect().status, c.inspect().members.length, stateOf(c.replica)], ['draft', 1, {}])
  assert.equal(c.inspect().dropped['snapshot of another node: other members have another settled state'], 1)
  assert.deepEqual(
    c.outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm] : [])),
    [{ name: 'welcome-doubted', member: B, by: [A] }],
  )
  give(c, welcome, signedBy(KEY_B, OF_B))
  assert.equal(c.inspect().status, 'draft', 'nothing more is taken of that sponsor')
  give(c, welcome, signedBy(FLEET.founderKey, { from: A }))
  assert.deepEqual([c.inspect().status, stateOf(c.replica)], ['member', { a: 1, b: 2 }])
})

test('a newcomer takes a welcome that contradicts what its sponsor has announced itself for none', () => {
  const c = draft()
  c.store()
  c.giveMessage(stating(B, KEY_B, honest.floor, TRUE_STATE))
  give(c, forgedState(welcome), signedBy(KEY_B, OF_B))
  assert.equal(c.inspect().status, 'draft')
})

test('nobody bears witness who is no member, whose signature is not good, or who speaks of another floor', () => {
  const other = '0123456789abcdef' as Digest
  const heard = [
    stating(X, THIEF, honest.floor, other),
    stating(A, THIEF, honest.floor, other),
    stating(A, FLEET.founderKey, honest.floor + 1, other),
  ]
  for (const message of heard) {
    const c = draft()
    c.store()
    c.giveMessage(message)
    give(c, welcome, signedBy(KEY_B, OF_B))
    assert.equal(c.inspect().status, 'member')
  }
})

test('a newcomer that has taken forged values is found out by the first who announces the true state', () => {
  const c = draft()
  give(c, forgedState(welcome), signedBy(KEY_B, OF_B))
  assert.equal(c.inspect().status, 'member')
  const outputs = c.giveMessage(stating(A, FLEET.founderKey, honest.floor, TRUE_STATE))
  const [alarm] = outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm] : []))
  assert.deepEqual(alarm, { name: 'divergence', member: A, floor: honest.floor })
})

/** What anybody can send under ids that he makes up. */
function flood(replica: DrivenReplica): void {
  for (let index = 0; index < WITNESSES_MAX; index += 1) {
    const stranger = memberIdOf(index.toString(16).padStart(16, '0') as NodeId, 7)
    replica.giveMessage(stating(stranger, THIEF, honest.floor, TRUE_STATE))
  }
}

test('forged announcements push out nothing that a member has said whose key is known', () => {
  const c = draft()
  c.store()
  c.giveMessage(stating(A, FLEET.founderKey, honest.floor, TRUE_STATE))
  flood(c)
  give(c, forgedState(welcome), signedBy(KEY_B, OF_B))
  assert.equal(c.inspect().status, 'draft')
  assert.equal(c.inspect().dropped['snapshot of another node: other members have another settled state'], 1)
})

const UNHEARD = 'snapshot of another node: what other members say of it was lost among forged announcements'
const displacing: readonly (readonly [what: string, displace: (replica: DrivenReplica) => void])[] = [
  ['under made up ids', flood],
  ['under its own id', (replica) => void replica.giveMessage(stating(B, THIEF, honest.floor, digestOf('forged')))],
]
for (const [what, displace] of displacing) {
  test(`where forged announcements ${what} push out what a member has said, a newcomer hears it again before it takes a welcome`, () => {
    const c = draft()
    c.store()
    c.giveMessage(stating(B, KEY_B, honest.floor, TRUE_STATE))
    displace(c)
    give(c, forgedState(welcome), signedBy(KEY_B, OF_B))
    assert.deepEqual([c.inspect().status, c.inspect().dropped[UNHEARD]], ['draft', 1])
    assert.ok(c.messagesIn(c.wait(10_000)).some(({ kind }) => kind === 'join-request'))
    c.giveMessage(stating(B, KEY_B, honest.floor, TRUE_STATE))
    c.giveMessage(stating(B, KEY_B, honest.floor + 1, digestOf('later')))
    displace(c)
    give(c, forgedState(welcome), signedBy(KEY_B, OF_B))
    assert.deepEqual([c.inspect().status, c.inspect().dropped[UNHEARD]], ['draft', 1])
    assert.equal(c.inspect().dropped['snapshot of another node: other members have another settled state'], 1)
    give(c, welcome, signedBy(FLEET.founderKey, { from: A }))
    assert.equal(c.inspect().status, 'member')
  })
}

test('forged announcements keep no newcomer away: it takes the second welcome, whatever else comes', () => {
  const c = draft()
  c.store()
  for (const status of ['draft', 'member']) {
    flood(c)
    c.giveMessage(stating(X, THIEF, honest.floor, digestOf('forged')))
    give(c, welcome, signedBy(KEY_B, OF_B))
    assert.equal(c.inspect().status, status)
  }
})

const sponsors: readonly (readonly [what: string, key: SigningKey, offer: Partial<Offer>, reason: string])[] = [
  ['that shows nothing of who let it in', THIEF, { from: X }, 'offer of a node that is no member'],
  ['under the credential of another', THIEF, { from: X, sponsor: ofB() }, 'offer of a node that is no member'],
  [
    'that nobody let in',
    THIEF,
    { from: X, sponsor: { ...ofB(), member: X, key: THIEF.publicKey } },
    'offer of a node that is no member',
  ],
  ['that signs with another key', THIEF, { from: B, sponsor: ofB() }, 'offer is not signed by its member'],
]
for (const [what, key, offer, reason] of sponsors) {
  test(`a newcomer fetches nothing from a sponsor ${what}`, () => {
    const c = draft()
    c.store()
    const size = 100_000_000
    const [to, purpose] = [c.replica.self, 'welcome'] as const
    const outputs = c.giveMessage({
      kind: 'offer',
      offer: FLEET.signatures(key).signOffer({ to, from: A, purpose, digest: digestOf('x'), size, ...offer }),
    })
    assert.deepEqual(c.messagesIn(outputs), [])
    assert.deepEqual(c.inspect().dropped, { [reason]: 1 })
  })
}

test('a member that is traced to the operator is believed, whoever shows it', () => {
  const c = offered(withCell(X, [0, THIEF.publicKey, tokenId(), null, credentialOf(X, THIEF)]))
  assert.deepEqual([c.inspect().status, c.inspect().members.length], ['member', 4])
})

test('a newcomer keeps nothing of a welcome of a node that is let in, but is no member in it', () => {
  const c = draft()
  const sponsor = {
    member: X,
    tier: 0,
    key: THIEF.publicKey,
    token: TOKEN.token.id,
    credential: credentialOf(X, THIEF),
  }
  give(c, welcome, signedBy(THIEF, { from: X, sponsor }))
  assert.equal(c.inspect().status, 'draft')
  assert.deepEqual(c.inspect().dropped, { 'snapshot of another node: whoever offered it is no member in it': 1 })
})

test('a member that catches up learns no other key for a member that it knows', () => {
  const c = draft()
  give(c, welcome, signedBy(KEY_B, OF_B))
  const other = withCell(B, [0, THIEF.publicKey, tokenId(), null, credentialOf(B, THIEF)])
  give(c, { ...other(welcome), batches: [] }, signedBy(FLEET.founderKey, { from: A, purpose: 'catch-up' }))
  assert.deepEqual(c.inspect().dropped, { 'snapshot of another node: it has another key for a member': 1 })
})

test('a join that the operator has not let in is dropped with its batch, whoever sponsors', () => {
  const c = draft()
  give(c, welcome, signedBy(KEY_B, OF_B))
  const before = c.inspect().members.length
  const joins = [
    { member: X, tier: 0, key: THIEF.publicKey },
    { member: X, tier: 0, key: THIEF.publicKey, token: TOKEN.token.id, credential: credentialOf(B, KEY_B) },
    { member: X, tier: 3, key: THIEF.publicKey, token: TOKEN.token.id, credential: credentialOf(X, THIEF) },
  ]
  const issuer = new HandIssuer(B, 0)
  const first = issuer.issue({ set: ['b', 2], after: lastOf(welcome) })
  for (const join of joins) {
    const sponsoring = new HandIssuer(B, 0)
    sponsoring.issue({ set: ['b', 2], after: lastOf(welcome) })
    sponsoring.issue({ join, after: first })
    c.giveMessage({ kind: 'batch', batch: FLEET.signatures(KEY_B).sign(sponsoring.batches[1]!) })
  }
  assert.deepEqual(c.inspect().dropped, { 'join of a node that the operator has not let in': joins.length })
  assert.equal(c.inspect().members.length, before)
  issuer.issue({
    join: { member: X, tier: 0, key: THIEF.publicKey, token: TOKEN.token.id, credential: credentialOf(X, THIEF) },
    after: first,
  })
  c.giveMessage({ kind: 'batch', batch: FLEET.signatures(KEY_B).sign(issuer.batches[1]!) })
  assert.equal(c.inspect().members.length, before + 1, 'whoever holds a token is let in by any sponsor')
})

/** A draft, always the same one. */
function draft(epoch: SeedEpoch | null = null): DrivenReplica {
  const keys = FLEET.enrolment(KEY_C, TOKEN, undefined, epoch)
  return new DrivenReplica(FLEET.genesis, '0c00000000000001' as NodeId, undefined, undefined, keys)
}

function offered(forge: (snapshot: Snapshot) => Snapshot): DrivenReplica {
  const c = draft()
  give(c, forge(welcome), signedBy(KEY_B, OF_B))
  return c
}

/** Gives a snapshot as a sponsor would, offer and chunks. */
function give(replica: DrivenReplica, snapshot: Snapshot, sign: (offer: Offer) => Offer): void {
  const bytes = encodeSnapshot(snapshot)
  const digest = digestOf(bytes)
  const to = replica.replica.self
  replica.store()
  replica.giveMessage({ kind: 'offer', offer: sign({ to, from: A, purpose: 'welcome', digest, size: bytes.length }) })
  replica.giveMessage({ kind: 'chunk', chunk: { digest, offset: 0, bytes } })
  replica.store()
}

function signedBy(key: SigningKey, what: Partial<Offer>): (offer: Offer) => Offer {
  return (offer) => FLEET.signatures(key).signOffer({ ...offer, ...what })
}

function signed(epoch: Omit<Epoch, 'signature'>): Epoch {
  return { ...epoch, signature: FLEET.operator.sign(epochPayload(FLEET.facts.id, epoch)) }
}

function credentialOf(member: MemberId, key: SigningKey): Uint8Array {
  return proveClaim({ fleet: FLEET.facts.id, member, tier: 0, key: key.publicKey }, key, TOKEN)
}

/** The join by which B was let in. */
function ofB(): Join {
  const token = TOKEN.token.id
  return { member: B, tier: 0, key: KEY_B.publicKey, token, credential: credentialOf(B, KEY_B) }
}

function tokenId(): Uint8Array {
  return new Uint8Array(Buffer.from(TOKEN.token.id, 'hex'))
}

function withCell(member: MemberId, value: Cell['value']): (snapshot: Snapshot) => Snapshot {
  const writer = { id: { member: A, seq: 1 }, stage: 1, priority: priorityOf(A, 1) }
  const cell: readonly [Path, Cell] = [memberPoint(member), { value, writer }]
  return (snapshot) => ({ ...snapshot, cells: [...snapshot.cells, cell] })
}

function withEpoch(epoch: Epoch): (snapshot: Snapshot) => Snapshot {
  return (snapshot) => ({
    ...snapshot,
    retirement: { epoch, before: 0, frozen: new Map(), cuts: new Map(snapshot.logs.map((log) => [log.member, log])) },
  })
}

/** A settled point that nobody has ever written so. */
function withValue(path: string, value: Cell['value']): (snapshot: Snapshot) => Snapshot {
  const writer = { id: { member: A, seq: 1 }, stage: 1, priority: priorityOf(A, 1) }
  return (snapshot) => ({ ...snapshot, cells: [...snapshot.cells, [path as Path, { value, writer }]] })
}

/** What a member announces that holds what the welcome holds, and says that its settled state is this. */
function stating(member: MemberId, key: SigningKey, stage: number, digest: Digest): Message {
  const vector = sortedEntries(versionVector([...honest.logs()].map((log) => log.held)))
  const announcement: Announcement = {
    ...emptyHanded(member),
    stage: honest.highWater.stage,
    ownSeq: honest.log(member).held.seq,
    vectorDigest: vectorDigest(versionVector(vector)),
    vector,
    state: { stage, digest },
  }
  return { kind: 'announcement', announcement: FLEET.signatures(key).signAnnouncement(announcement) }
}

function withBatches(change: (batch: Batch) => Batch): (snapshot: Snapshot) => Snapshot {
  return (snapshot) => ({
    ...snapshot,
    batches: snapshot.batches.map((batch) => (batch.origin === B ? change(batch) : batch)),
  })
}

function altered(batch: Batch): Batch {
  const { payload, signature } = openSign1(batch.payload, 'batch')
  signature[9]! ^= 1
  return openBatch(encodeSign1({ payload, signature }))
}

function unsigned(batch: Batch): Batch {
  return openBatch(openSign1(batch.payload, 'batch').payload)
}

function byThief(batch: Batch): Batch {
  return FLEET.signatures(THIEF).sign(batch)
}

function lastOf({ batches }: Snapshot): Operation {
  return batches.findLast(({ origin }) => origin === A)!.messages.at(-1)!.current
}

/** Of the founder, which has set `a`, taken in B, heard it set `b`, and taken in `newcomer`. */
function snapshotWith(newcomer: MemberId): Snapshot {
  const keys = FLEET.enrolment(FLEET.founderKey, null)
  const a = new DrivenReplica(FLEET.genesis, 0, undefined, undefined, keys)
  a.issue(set('a', 1))
  for (const [member, key] of [
    [B, KEY_B],
    [newcomer, KEY_C],
  ] as const) {
    const proof = credentialOf(member, key)
    a.store()
    a.giveMessage({ kind: 'join-request', request: { member, tier: 0, key: key.publicKey, proof, epoch: 0 } })
    a.wait(10_000)
  }
  const join = a.batchesIn(a.store()).at(-1)?.messages.at(-1)?.current
  assert.ok(join !== undefined)
  const b = new HandIssuer(B, 0)
  b.issue({ set: ['b', 2], after: join })
  a.giveMessage({ kind: 'batch', batch: FLEET.signatures(KEY_B).sign(b.batches[0]!) })
  a.store()
  a.give({ kind: 'snapshot-due' })
  a.store()
  assert.ok(a.snapshot !== null && a.inspect().members.length === 3)
  return decodeSnapshot(a.snapshot)
}
