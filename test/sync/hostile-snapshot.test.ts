import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Digest, digestOf, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, nodeOf } from '../../runtime/base/ids.ts'
import { SNAPSHOT_REFUSED_MS, SNAPSHOT_STAGE_MAX, TRANSFER_CHUNK_BYTES } from '../../runtime/base/limits.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import { memberPoint, originalPoint } from '../../runtime/state/reserved-point.ts'
import { decodeDraft } from '../../runtime/sync/draft.ts'
import type { Offer } from '../../runtime/sync/message.ts'
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../runtime/sync/snapshot.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'

const FLEET = genesisOf(2)
const [A, B] = [founder(FLEET, 0), founder(FLEET, 1)]
const N = nodeOf(life('n'))
const LAST_STAGE = Number.MAX_SAFE_INTEGER

/** A draft with a change of its own. */
function draftOf(): DrivenReplica {
  const draft = new DrivenReplica(FLEET, N)
  draft.store()
  draft.issue(set('mine', 1))
  draft.store()
  return draft
}

/** The welcome that the first founder offers to the draft. */
function welcome(): { readonly offer: Offer; readonly snapshot: Snapshot } {
  const sponsor = new DrivenReplica(FLEET, 0)
  sponsor.store()
  sponsor.issue(set('x', 1))
  sponsor.store()
  const draft = { member: draftOf().replica.self, tier: 0, key: new Uint8Array(), proof: new Uint8Array(), epoch: 0 }
  const said = new DrivenReplica(FLEET, 1)
  said.store()
  for (const message of said.messagesIn(said.wait(2000))) sponsor.giveMessage(message)
  sponsor.giveMessage({ kind: 'join-request', request: draft })
  sponsor.wait(1000)
  sponsor.store()
  const offered = sponsor.messagesIn(sponsor.outputs).find(({ kind }) => kind === 'offer')
  assert.ok(offered?.kind === 'offer')
  const request = { from: draft.member, to: A, digest: offered.offer.digest, offset: 0 }
  const [whole] = sponsor.messagesIn(sponsor.giveMessage({ kind: 'chunk-request', request }))
  assert.ok(whole?.kind === 'chunk')
  return { offer: offered.offer, snapshot: decodeSnapshot(whole.chunk.bytes) }
}

const { offer, snapshot } = welcome()

/** A draft that was offered `forged`, and whose disk has taken whatever it kept of that. */
function takerOf(forged: Snapshot): DrivenReplica {
  const draft = draftOf()
  const bytes = encodeSnapshot(forged)
  const digest = digestOf(bytes)
  draft.giveMessage({ kind: 'offer', offer: { ...offer, digest, size: bytes.length } })
  draft.giveMessage({ kind: 'chunk', chunk: { digest, offset: 0, bytes } })
  draft.store()
  return draft
}

function farBatch(stage: number): Snapshot['batches'] {
  const liar = new HandIssuer(B, 1)
  liar.issue({ after: { id: { member: A, seq: 77 }, stage }, set: ['q', 1] })
  return [...snapshot.batches, ...liar.batches]
}

const settledMember = [
  memberPoint(offer.to),
  {
    value: [0, new Uint8Array()],
    writer: { id: { member: A, seq: 2 }, stage: 2, priority: { tier: 2, node: nodeOf(A) } },
  },
] as const

const FORGED: Readonly<Record<string, { readonly forged: Snapshot; readonly reason: string }>> = {
  'a high-water mark at the last stage': {
    forged: { ...snapshot, highWater: { id: { member: A, seq: 9 }, stage: LAST_STAGE } },
    reason: 'its stages are out of reach',
  },
  'an operation at the last stage': {
    forged: { ...snapshot, batches: farBatch(LAST_STAGE - 1) },
    reason: 'its stages are out of reach',
  },
  'a floor at the last stage': {
    forged: {
      ...snapshot,
      floor: LAST_STAGE,
      batches: [],
      logs: [{ member: A, seq: 2, digest: EMPTY_DIGEST }],
      cells: [...snapshot.cells, settledMember],
    },
    reason: 'its stages are out of reach',
  },
  'a point that it holds twice': {
    forged: { ...snapshot, cells: [...snapshot.cells, ...cellOf('q', 1), ...cellOf('q', 2)] },
    reason: 'the snapshot contradicts itself: it holds q twice',
  },
  'an operation of nobody': {
    forged: { ...snapshot, batches: [...snapshot.batches, ...strangersBatches()] },
    reason: `the journal contradicts itself: operation 1 is of ${life('z', 3)}, which is no member`,
  },
}

const BY_FIRST = { id: { member: A, seq: 1 }, stage: 0, priority: { tier: 2, node: nodeOf(A) } }
/** Asked for a number, it throws. */
const NO_NUMBER: Value = { toString: 1, valueOf: 1 }

/** What no fleet puts into the points that the protocol keeps for itself. */
const NONSENSE: readonly (readonly [string, Value | undefined])[] = [
  [memberPoint(life('y', 4)), [NO_NUMBER, new Uint8Array()]],
  [memberPoint(life('y', 4)), [0, new Uint8Array(), null, NO_NUMBER]],
  [memberPoint(life('y', 4)), [256, new Uint8Array()]],
  [memberPoint(life('y', 4)), 5],
  ['\u0000member/nobody', [0, new Uint8Array()]],
  [originalPoint({ kind: 'draft', id: { member: offer.to, seq: 1 } }), [NO_NUMBER, NO_NUMBER]],
  [originalPoint({ kind: 'draft', id: { member: offer.to, seq: 1 } }), [9, 5]],
  [originalPoint({ kind: 'operation', id: { member: A, seq: 1 } }), [1]],
  ['\u0000else', 1],
  ['\u0000else', undefined],
  [memberPoint(life('y', 4)), undefined],
  [memberPoint(B), undefined],
  [memberPoint(B), [0, new Uint8Array()]],
  [originalPoint({ kind: 'draft', id: { member: offer.to, seq: 1 } }), undefined],
  [originalPoint({ kind: 'draft', id: { member: offer.to, seq: 1 } }), [5, 9]],
]

for (const [index, [path, value]] of NONSENSE.entries())
  test(`a welcome with nonsense in a reserved point is refused whole: ${index}`, () => {
    const cell = [path as Path, { value, writer: BY_FIRST }] as const
    const draft = takerOf({ ...snapshot, cells: [...snapshot.cells, cell] })
    const reason = 'the snapshot cannot be read: cell is none of the protocol'
    assert.deepEqual(draft.inspect().dropped, { [`snapshot of another node: ${reason}`]: 1 })
  })

function cellOf(path: string, value: Value): Snapshot['cells'] {
  return [[path as Path, { value, writer: null }]]
}

function strangersBatches(): Snapshot['batches'] {
  const stranger = new HandIssuer(life('z', 3), 1)
  stranger.issue({ set: ['q', 1] })
  return stranger.batches
}

for (const [what, { forged, reason }] of Object.entries(FORGED))
  test(`a welcome with ${what} is refused whole, and its draft goes on`, () => {
    const draft = takerOf(forged)
    assert.deepEqual(draft.inspect().dropped, { [`snapshot of another node: ${reason}`]: 1 })
    draft.issue(set('mine', 2))
    draft.store()
    const disk = { snapshot: draft.snapshot, records: draft.records, last: draft.lastStored }
    const again = new DrivenReplica(FLEET, N, disk)
    assert.deepEqual([again.inspect().status, again.inspect().drafts], ['draft', 2])
  })

/** Some hundred bytes in a frame, and 60,000 in memory. */
const DEFLATED = ((): Snapshot['batches'] => {
  const liar = new HandIssuer(B, 1)
  for (let count = 0; count < 4; count++) liar.issue({ set: ['q', 'long'.repeat(4000)] })
  return liar.batches
})()

/** 1,500 kB that take 300 MB. */
const EMPTY_LISTS = Array.from({ length: 700 }, (_, index) => {
  return [`q/${index}` as Path, { value: Array.from({ length: 3000 }, () => []), writer: null }] as const
})

for (const [what, forged, reason] of [
  ['batches that were deflated', { batches: DEFLATED }, 'takes more memory'],
  [
    'such evidence',
    { evidence: DEFLATED.map((batch, index) => [life('z', index + 1), batch] as const) },
    'takes more memory',
  ],
  ['empty lists', { cells: EMPTY_LISTS }, 'takes more memory'],
  ['drafts', { drafts: [decodeDraft(DEFLATED[0]!.payload)] }, 'drafts are of another node'],
] as const) {
  test(`the snapshot of another node does not take many times what its bytes are by ${what}`, () => {
    const bytes = encodeSnapshot({ ...snapshot, ...forged })
    const memoryBytesMax = Math.max(32 * 1024, 2 * bytes.length)
    assert.throws(() => decodeSnapshot(bytes, memoryBytesMax), { message: new RegExp(reason) })
    decodeSnapshot(encodeSnapshot(snapshot), memoryBytesMax)
    decodeSnapshot(bytes)
  })
}

test('a welcome that takes more memory than there may be is refused whole', () => {
  const draft = draftOf()
  const bytes = encodeSnapshot({ ...snapshot, cells: EMPTY_LISTS })
  const digest = digestOf(bytes)
  draft.giveMessage({ kind: 'offer', offer: { ...offer, digest, size: bytes.length } })
  for (let offset = 0; offset < bytes.length; offset += TRANSFER_CHUNK_BYTES) {
    const chunk = { digest, offset, bytes: bytes.subarray(offset, offset + TRANSFER_CHUNK_BYTES) }
    draft.giveMessage({ kind: 'chunk', chunk })
  }
  const reason = 'the snapshot cannot be read: snapshot takes more memory than there may be'
  assert.deepEqual(draft.inspect().dropped, { [`snapshot of another node: ${reason}`]: 1 })
})

test('a stage that a fleet may reach is taken in, and there is a next one', () => {
  const draft = takerOf({ ...snapshot, batches: farBatch(SNAPSHOT_STAGE_MAX - 1) })
  assert.equal(draft.inspect().status, 'member')
  draft.store()
  draft.issue(set('mine', 2))
  draft.store()
  const disk = { snapshot: draft.snapshot, records: draft.records, last: draft.lastStored }
  const again = new DrivenReplica(FLEET, N, disk)
  assert.deepEqual(again.inspect().last, draft.inspect().last)
  assert.ok(again.inspect().last.stage > SNAPSHOT_STAGE_MAX)
})

test('who offers what cannot be adopted, and faster than all others, keeps no draft from the welcome of somebody else', () => {
  const draft = takerOf({ ...snapshot, floor: LAST_STAGE })
  const asked = (from: MemberId, digest: Digest, size: number): boolean => {
    const outputs = draft.giveMessage({ kind: 'offer', offer: { ...offer, from, digest, size } })
    return draft.messagesIn([...outputs, ...draft.wait(1)]).some(({ kind }) => kind === 'chunk-request')
  }
  assert.equal(asked(A, digestOf('another one'), 99), false, 'no more of the same')
  const bytes = encodeSnapshot(snapshot)
  assert.ok(asked(B, digestOf(bytes), bytes.length))
  draft.giveMessage({ kind: 'chunk', chunk: { digest: digestOf(bytes), offset: 0, bytes } })
  draft.store()
  assert.equal(draft.inspect().status, 'member')
})

test('whose snapshot was refused is asked again later: it may have been behind', () => {
  const draft = takerOf({ ...snapshot, floor: LAST_STAGE })
  draft.wait(SNAPSHOT_REFUSED_MS + 1)
  const outputs = draft.giveMessage({ kind: 'offer', offer })
  assert.ok(draft.messagesIn([...outputs, ...draft.wait(1)]).some(({ kind }) => kind === 'chunk-request'))
})
