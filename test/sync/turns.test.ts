import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { proveClaim } from '../../runtime/device/identity/enrolment.ts'
import { createSigningKey, type SigningKey } from '../../runtime/device/identity/keys.ts'
import type { ChunkRequest, Request, Turn } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { set } from '../support/replica-network.ts'
import { emptyHanded } from '../support/sealed-messages.ts'
import { signedFleet } from '../support/signed-fleet.ts'

const FLEET = signedFleet()
const [TOKEN, KEY_B, THIEF] = [FLEET.token(), createSigningKey(), createSigningKey()]
const A = FLEET.founder
const B = memberIdOf('0b00000000000001' as NodeId, 5)
const REQUEST: Request = { from: B, to: A, gaps: [{ member: A, after: 2, through: 3 }] }
const CHUNK: ChunkRequest = { from: B, to: A, digest: EMPTY_DIGEST, offset: 0 }

test('a request is answered once, whoever plays it again, and the next one too', () => {
  const a = founderWithB()
  const first = asked({ start: 1, number: 1 })
  assert.deepEqual(
    [1, 2, 3].map(() => answersTo(a, first)),
    [1, 0, 0],
  )
  assert.equal(answersTo(a, asked({ start: 1, number: 2 })), 1)
  assert.equal(answersTo(a, first), 0, 'also when a later one has come')
  assert.equal(answersTo(a, asked({ start: 2, number: 1 })), 1, 'a new start counts anew')
  assert.equal(answersTo(a, asked({ start: 1, number: 2 })), 0)
  assert.equal(answersTo(a, asked({ start: 1, number: 3 })), 1, 'the start before may be of a clone that stands')
  assert.equal(answersTo(a, asked({ start: 3, number: 1 })), 1)
  assert.equal(answersTo(a, asked({ start: 1, number: 99 })), 0, 'one before that is not')
  assert.equal(answersTo(a, asked({ start: 2, number: 2 })), 1)
  assert.deepEqual(a.inspect().dropped, { 'request that was answered before': 5 })
})

test('a request that came over another link is answered there', () => {
  const a = founderWithB()
  a.give({ kind: 'link-up', link: 'line' })
  const frame = encodeFrame(a.replica.fleet, { kind: 'request', request: asked({ start: 1, number: 1 }) })
  const answered: unknown[] = []
  for (const link of ['air', 'line', 'air', 'line']) {
    for (const output of [...a.give({ kind: 'frame', link, bytes: frame }), ...a.wait(100)])
      if (output.kind === 'send' && output.to.channel === 'answers') answered.push(output.to.links)
  }
  assert.deepEqual(answered, [{ only: 'air' }, { only: 'line' }])
  assert.deepEqual(a.inspect().dropped, { 'request that was answered before': 2 })
})

const turn = (): Turn => ({ start: 1, number: 1 })
const refused: readonly (readonly [what: string, request: Request, reason: string])[] = [
  ['that nobody has signed', REQUEST, 'request is not signed'],
  [
    'that somebody else has signed',
    FLEET.signatures(THIEF).signRequest(REQUEST, turn),
    'request is not signed by its member',
  ],
  [
    'of a node that is no member',
    FLEET.signatures(THIEF).signRequest({ ...REQUEST, from: memberIdOf('0f00000000000001' as NodeId, 5) }, turn),
    'request of a node that is no member',
  ],
]
for (const [what, request, reason] of refused) {
  test(`a request ${what} is not answered`, () => {
    const a = founderWithB()
    assert.equal(answersTo(a, request), 0)
    assert.deepEqual(a.inspect().dropped, { [reason]: 1 })
  })
}

test('a chunk is sent once for each request, and to members alone', () => {
  const a = founderWithB()
  const offer = a.messagesIn(a.outputs).flatMap((message) => (message.kind === 'offer' ? [message.offer] : []))[0]
  assert.equal(offer?.to, B)
  const ask = (key: SigningKey, number: number, from = B): number => {
    const request = { ...CHUNK, from, digest: offer.digest }
    return chunksFor(
      a,
      FLEET.signatures(key).signChunkRequest(request, () => ({ start: 1, number })),
    )
  }
  assert.deepEqual([ask(KEY_B, 1), ask(KEY_B, 1), ask(KEY_B, 2)], [1, 0, 1])
  assert.equal(ask(THIEF, 3), 0)
  assert.equal(ask(THIEF, 4, memberIdOf('0f00000000000001' as NodeId, 5)), 0)
  assert.equal(chunksFor(a, { ...CHUNK, digest: offer.digest }), 0)
  assert.deepEqual(a.inspect().dropped, {
    'chunk request that was answered before': 1,
    'chunk request is not signed by its member': 1,
    'chunk request of a node that is no member': 1,
    'chunk request is not signed': 1,
  })
})

/** The founder, which has set a point, taken in B, and set the point again, which is not settled. */
function founderWithB(): DrivenReplica {
  const keys = FLEET.enrolment(FLEET.founderKey, null)
  const a = new DrivenReplica(FLEET.genesis, 0, undefined, undefined, keys)
  a.issue(set('a', 1))
  a.store()
  const claim = { fleet: FLEET.facts.id, member: B, tier: 0, key: KEY_B.publicKey }
  const proof = proveClaim(claim, KEY_B, TOKEN)
  a.giveMessage({ kind: 'join-request', request: { member: B, tier: 0, key: KEY_B.publicKey, proof, epoch: 0 } })
  a.wait(10_000)
  a.store()
  // Whoever has just started speaks when it has heard somebody.
  a.giveMessage({ kind: 'announcement', announcement: FLEET.signatures(KEY_B).signAnnouncement(emptyHanded(B)) })
  a.issue(set('a', 2))
  a.store()
  a.wait(1000)
  return a
}

function asked(by: Turn): Request {
  return FLEET.signatures(KEY_B).signRequest(REQUEST, () => by)
}

function answersTo(a: DrivenReplica, request: Request): number {
  const outputs = [...a.giveMessage({ kind: 'request', request }), ...a.wait(100)]
  return a.batchesIn(outputs).length
}

function chunksFor(a: DrivenReplica, request: ChunkRequest): number {
  const outputs = a.giveMessage({ kind: 'chunk-request', request })
  return a.messagesIn(outputs).filter(({ kind }) => kind === 'chunk').length
}
