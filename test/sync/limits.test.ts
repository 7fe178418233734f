import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Digest, digestOf, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, nodeOf } from '../../runtime/base/ids.ts'
import {
  APPENDED_BYTES_MAX,
  CANDIDATES_MAX,
  DRAFTS_BYTES_MAX,
  DRAFTS_MAX,
  FLOOR_DIGESTS_MAX,
  KEY_BYTES,
  OFFER_HOLD_MS,
  OFFER_SERVED_HOLD_MS,
  OPERATION_BYTES_MAX,
  OPERATIONS_PER_BATCH_MAX,
  PATHS_MAX,
  PROOF_BYTES_MAX,
  REFUSAL_BYTES_MAX,
  SIGNATURE_BYTES_MAX,
  SNAPSHOT_BYTES_MAX,
  TRANSFER_ATTEMPTS_MAX,
  TRANSFER_CHUNK_BYTES,
  TRANSFERS_MAX,
  VALUE_BYTES_MAX,
  WAITING_MESSAGES_MAX,
  WRITES_PER_OPERATION_MAX,
} from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { valueMemoryBytes } from '../../runtime/state/memory.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { JoinRequest, Message, Offer } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Sponsor } from '../../runtime/sync/sponsor.ts'
import { Fetch, isAcceptable, TransferSource } from '../../runtime/sync/transfer.ts'
import { decodeSnapshot } from '../../runtime/sync/snapshot.ts'
import { WaitingList } from '../../runtime/sync/waiting-list.ts'
import { idOf } from '../state/operations.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { batchOf } from './batches.ts'

// Each bound of the protocol is reached here, or in the test of its part, and answers as it should.

const FLEET = genesisOf(1)
const DRAFT = life('n', 7)

function started(): DrivenReplica {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  return node
}

function writes(kind: 'set' | 'append', count: number, argument: string, first = 0): OperationRequest {
  const list = Array.from({ length: count }, (_, index) => ({ path: `p/${first + index}` as never, kind, argument }))
  return { writes: list, guards: [] }
}

test('an operation that is larger than one may be is refused, and nothing has changed', () => {
  const node = started()
  const each = VALUE_BYTES_MAX - 100
  const most = Math.floor(OPERATION_BYTES_MAX / each)
  node.issue(writes('set', most, 'x'.repeat(each)))
  const request = writes('set', most + 1, 'y'.repeat(each))
  assert.throws(() => node.issue(request), {
    code: 'operation-invalid',
    message: new RegExp(`at most ${OPERATION_BYTES_MAX}`),
  })
  assert.equal(node.inspect().last.stage, 1)
})

test('a list that grows beyond what a value may have refuses the operation that makes it so', () => {
  const node = started()
  const half = 'x'.repeat(APPENDED_BYTES_MAX / 2 - 100)
  for (let count = 0; count < 3; count++) node.issue(writes('append', 1, half))
  assert.deepEqual(
    node
      .inspect()
      .journal()
      .map(({ outcome }) => outcome),
    ['applied', 'applied', 'refused'],
  )
})

test('a state that is full says so, and points that are there can still be written', () => {
  const node = started()
  for (let first = 0; first < PATHS_MAX; first += WRITES_PER_OPERATION_MAX)
    node.issue(writes('set', Math.min(WRITES_PER_OPERATION_MAX, PATHS_MAX - first), '', first), 60_000)
  assert.equal(node.inspect().paths, PATHS_MAX)
  assert.throws(() => node.issue(set('one/more', 1)), { code: 'limit-reached', message: /full with 100000 points/ })
  node.issue(set('p/7', 1))
  assert.equal(node.replica.get('p/7' as never), 1)
})

test('a draft that may make no more drafts says that its node has to join first', () => {
  const node = new DrivenReplica(FLEET, nodeOf(DRAFT))
  node.store()
  for (let count = 0; count < DRAFTS_MAX; count++) node.issue(set('x', count), 60_000)
  assert.throws(() => node.issue(set('x', -1)), { code: 'limit-reached', message: /has to join the fleet first/ })
  assert.equal(node.replica.get('x' as never), DRAFTS_MAX - 1)
})

test('so does one whose drafts are few and take much memory', () => {
  const node = new DrivenReplica(FLEET, nodeOf(DRAFT))
  node.store()
  const value = Array.from({ length: 3000 }, () => [])
  const count = Math.ceil(DRAFTS_BYTES_MAX / valueMemoryBytes(value))
  for (let draft = 0; draft < count; draft++) node.issue(set(`x/${draft}`, value), 60_000)
  assert.throws(() => node.issue(set('y', 1)), { code: 'limit-reached', message: /bytes of memory.* has to join/ })
  assert.equal(node.replica.get('y' as never), undefined)
})

test('the waiting list is full at its number of messages, and takes again what is asked for when there is room', () => {
  const list = new WaitingList()
  const batch = (index: number) =>
    batchOf({
      by: 'A',
      seq: 1 + index * OPERATIONS_PER_BATCH_MAX,
      stage: 9 + index * OPERATIONS_PER_BATCH_MAX,
      previous: idOf('B', 1),
      count: OPERATIONS_PER_BATCH_MAX,
    })
  const most = WAITING_MESSAGES_MAX / OPERATIONS_PER_BATCH_MAX
  for (let index = 0; index < most; index++) assert.notEqual(list.add(batch(index), idOf('B', 1)), 'full')
  assert.equal(list.add(batch(most), idOf('B', 1)), 'full')
  list.release(idOf('B', 1).member, 1)
  assert.notEqual(list.add(batch(most), idOf('B', 1)), 'full')
})

test('a member remembers so many drafts that ask to join, and those that it forgets ask again', () => {
  const sponsor = new Sponsor(seededRandom(1))
  const request = (nonce: number): JoinRequest => {
    return { member: life('n', nonce), tier: 0, key: new Uint8Array(), proof: new Uint8Array(), epoch: 0 }
  }
  for (let nonce = 1; nonce <= CANDIDATES_MAX + 5; nonce++) sponsor.noteRequest(request(nonce), 'air', 0)
  assert.equal(sponsor.due(10_000).length, CANDIDATES_MAX)
  sponsor.noteRequest(request(CANDIDATES_MAX + 5), 'air', 10_000)
  assert.equal(sponsor.due(20_000).length, 1)
})

test('the snapshots that are kept for others are few: whoever asks for an older one is not answered', () => {
  const source = new TransferSource()
  const digests = Array.from({ length: TRANSFERS_MAX + 1 }, (_, index) => source.add(Uint8Array.of(index)))
  assert.equal(source.chunk(digests[0] as Digest, 0, 0), null)
  for (const digest of digests.slice(1)) assert.ok(source.chunk(digest, 0, 0))
  const large = source.add(new Uint8Array(TRANSFER_CHUNK_BYTES + 1))
  assert.equal(source.chunk(large, 0, 0)?.bytes.length, TRANSFER_CHUNK_BYTES)
  assert.equal(source.chunk(large, TRANSFER_CHUNK_BYTES, 0)?.bytes.length, 1)
})

test('whoever asks again is offered the same snapshot for a while, so that a slow line is not put off by newer ones', () => {
  const source = new TransferSource()
  const digest = source.add(Uint8Array.of(1))
  const offer: Offer = { to: DRAFT, from: founder(FLEET, 0), purpose: 'welcome', digest, size: 1 }
  source.noteOffer(offer, 'as it is', 0)
  assert.deepEqual(source.recentOffer(DRAFT, 'welcome', 'as it is', OFFER_HOLD_MS), offer)
  assert.equal(source.recentOffer(DRAFT, 'catch-up', 'as it is', 0), null)
  assert.equal(source.recentOffer(DRAFT, 'welcome', 'another epoch', 0), null)
  source.add(Uint8Array.of(2))
  assert.ok(source.chunk(digest, 0, 1000), 'what is fetched is the last to go')
  source.add(Uint8Array.of(3))
  assert.deepEqual(source.recentOffer(DRAFT, 'welcome', 'as it is', 1000 + OFFER_SERVED_HOLD_MS), offer)
  assert.equal(source.recentOffer(DRAFT, 'welcome', 'as it is', 1001 + OFFER_SERVED_HOLD_MS), null)
})

test('a fetch to which nothing has come gives way to a newer offer', () => {
  const offer: Offer = {
    to: DRAFT,
    from: founder(FLEET, 0),
    purpose: 'welcome',
    digest: digestOf(Uint8Array.of(1)),
    size: 1,
  }
  const fetch = new Fetch(offer, 'air', seededRandom(1), 0)
  fetch.due(0)
  assert.equal(fetch.isStuck, false)
  fetch.due(60_000)
  assert.equal(fetch.isStuck, true)
  fetch.take({ digest: offer.digest, offset: 0, bytes: Uint8Array.of(1) }, 60_001)
  assert.equal(fetch.isStuck, false)
})

test('a fetch that nobody answers is given up after some attempts', () => {
  const offer: Offer = { to: DRAFT, from: founder(FLEET, 0), purpose: 'welcome', digest: EMPTY_DIGEST, size: 9 }
  const fetch = new Fetch(offer, 'air', seededRandom(1), 0)
  let asked = 0
  for (let now = 0; !fetch.hasFailed && asked < 100; now += 1000) if (fetch.due(now) !== null) asked += 1
  assert.equal(asked, TRANSFER_ATTEMPTS_MAX + 1)
  assert.equal(isAcceptable({ ...offer, size: SNAPSHOT_BYTES_MAX }), true)
  assert.equal(isAcceptable({ ...offer, size: SNAPSHOT_BYTES_MAX + 1 }), false)
})

test('what was fetched of a snapshot before the fetch was given up is not fetched again, if it is the same snapshot', () => {
  const bytes = new Uint8Array(3 * TRANSFER_CHUNK_BYTES).fill(7)
  const digest = digestOf(bytes)
  const offer: Offer = { to: DRAFT, from: founder(FLEET, 0), purpose: 'welcome', digest, size: bytes.length }
  const first = new Fetch(offer, 'air', seededRandom(1), 0)
  first.take({ digest, offset: 0, bytes: bytes.subarray(0, TRANSFER_CHUNK_BYTES) }, 0)
  assert.equal(first.resumed({ ...offer, digest: digestOf(Uint8Array.of(1)) }, 'air', 1000), null)
  const second = first.resumed(offer, 'wire', 1000)
  assert.equal(second?.due(1000), TRANSFER_CHUNK_BYTES)
  for (const offset of [1, 2].map((index) => index * TRANSFER_CHUNK_BYTES))
    second.take({ digest, offset, bytes: bytes.subarray(offset, offset + TRANSFER_CHUNK_BYTES) }, 2000)
  assert.deepEqual(second.bytes(), bytes)
})

test('a fetch takes memory for what has come of it, however small its chunks are and whatever was offered', () => {
  const bytes = new Uint8Array(200_000).fill(7)
  const offer: Offer = {
    to: DRAFT,
    from: founder(FLEET, 0),
    purpose: 'welcome',
    digest: digestOf(bytes),
    size: SNAPSHOT_BYTES_MAX,
  }
  const usedBytes = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  const before = usedBytes()
  const fetch = new Fetch(offer, 'air', seededRandom(1), 0)
  const one = Uint8Array.of(7)
  for (let offset = 0; offset < bytes.length; offset++) fetch.take({ digest: offer.digest, offset, bytes: one }, 0)
  const grownBytes = usedBytes() - before
  assert.deepEqual(fetch.bytes(), bytes)
  assert.ok(grownBytes < 40 * bytes.length, `${grownBytes} bytes for ${bytes.length}`)
})

test('a snapshot is offered for as long as it is being fetched', () => {
  const source = new TransferSource()
  const bytes = new Uint8Array(2 * TRANSFER_CHUNK_BYTES)
  const digest = source.add(bytes)
  const offer: Offer = { to: DRAFT, from: founder(FLEET, 0), purpose: 'welcome', digest, size: bytes.length }
  source.noteOffer(offer, 'as it is', 0)
  source.chunk(digest, 0, OFFER_HOLD_MS)
  assert.deepEqual(source.recentOffer(DRAFT, 'welcome', 'as it is', 2 * OFFER_HOLD_MS), offer)
  assert.equal(source.recentOffer(DRAFT, 'welcome', 'as it is', 2 * OFFER_HOLD_MS + 1), null)
})

test('digests of past floors are kept up to their number, the newest ones', () => {
  const node = started()
  for (let count = 0; count < FLOOR_DIGESTS_MAX + 10; count++) {
    node.issue(set('x', count))
    node.store()
  }
  assert.equal(node.inspect().floor, FLOOR_DIGESTS_MAX + 10)
  node.give({ kind: 'snapshot-due' })
  node.store()
  assert.ok(node.snapshot)
  const floors = [...decodeSnapshot(node.snapshot).floorDigests.keys()]
  assert.equal(floors.length, FLOOR_DIGESTS_MAX)
  assert.equal(Math.max(...floors), FLOOR_DIGESTS_MAX + 10)
})

const TOO_LONG: readonly (readonly [what: string, longest: Message, longer: Message, reason: RegExp])[] = [
  [
    'the reason of a refusal',
    refusal(REFUSAL_BYTES_MAX),
    refusal(REFUSAL_BYTES_MAX + 1),
    /reason is not text of at most/,
  ],
  [
    'a proof of enrolment',
    joinRequest(PROOF_BYTES_MAX, 0),
    joinRequest(PROOF_BYTES_MAX + 1, 0),
    /proof is not at most/,
  ],
  ['a key', joinRequest(0, KEY_BYTES), joinRequest(0, KEY_BYTES + 1), /key is not 32 bytes/],
  ['a signature', epoch(SIGNATURE_BYTES_MAX), epoch(SIGNATURE_BYTES_MAX + 1), /signature is not bytes or too long/],
  ['a chunk', chunk(TRANSFER_CHUNK_BYTES), chunk(TRANSFER_CHUNK_BYTES + 1), /chunk is not at most/],
]

for (const [what, longest, longer, reason] of TOO_LONG) {
  test(`${what} is taken up to its length, and a longer one is dropped by name`, () => {
    assert.equal(decodeFrame(EMPTY_DIGEST, encodeFrame(EMPTY_DIGEST, longest)).kind, longest.kind)
    assert.throws(() => decodeFrame(EMPTY_DIGEST, encodeFrame(EMPTY_DIGEST, longer)), {
      code: 'message-invalid',
      message: reason,
    })
  })
}

function refusal(length: number): Message {
  return { kind: 'refusal', refusal: { to: DRAFT, from: DRAFT, reason: 'x'.repeat(length) } }
}

function joinRequest(proof: number, key: number): Message {
  const parts = { member: DRAFT, tier: 0, key: new Uint8Array(key), proof: new Uint8Array(proof), epoch: 0 }
  return { kind: 'join-request', request: parts }
}

function epoch(length: number): Message {
  const counting: MemberId[] = [DRAFT]
  return { kind: 'epoch', epoch: { number: 1, counting, retired: [], signature: new Uint8Array(length) } }
}

function chunk(length: number): Message {
  return { kind: 'chunk', chunk: { digest: EMPTY_DIGEST, offset: 0, bytes: new Uint8Array(length) } }
}
