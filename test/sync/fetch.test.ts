import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from '../../runtime/base/digest.ts'
import { REQUEST_DELAY_MAX_MS, TRANSFER_CHUNK_BYTES } from '../../runtime/base/limits.ts'
import type { ChunkRequest, Offer } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { nodeNamed } from '../support/membership-network.ts'
import { genesisOf } from '../support/replica-network.ts'

const FLEET = genesisOf(2)
const BYTES = new Uint8Array(3 * TRANSFER_CHUNK_BYTES)
const DIGEST = digestOf(BYTES)

/** A draft that has got the first chunk of a welcome over `air` when that link goes. */
function cutOff(): { draft: DrivenReplica; offer: Offer } {
  const draft = new DrivenReplica(FLEET, nodeNamed('n'))
  draft.store()
  const from = founder(FLEET, 0)
  const offer: Offer = { to: draft.replica.self, from, purpose: 'welcome', digest: DIGEST, size: BYTES.length }
  draft.giveMessage({ kind: 'offer', offer })
  draft.wait(1)
  const first = BYTES.subarray(0, TRANSFER_CHUNK_BYTES)
  draft.giveMessage({ kind: 'chunk', chunk: { digest: DIGEST, offset: 0, bytes: first } })
  draft.wait(1)
  draft.give({ kind: 'link-down', link: 'air' })
  return { draft, offer }
}

function askedFor(draft: DrivenReplica, outputs: readonly Output[]): ChunkRequest[] {
  return draft.messagesIn(outputs).flatMap((message) => (message.kind === 'chunk-request' ? [message.request] : []))
}

test('a fetch whose link was away goes on as soon as it is back', () => {
  const { draft } = cutOff()
  draft.wait(2 * REQUEST_DELAY_MAX_MS)
  const [asked] = askedFor(draft, draft.give({ kind: 'link-up', link: 'air' }))
  assert.equal(asked?.offset, TRANSFER_CHUNK_BYTES)
})

test('while its link is away whoever offers the same on another one gives the rest of it', () => {
  const { draft, offer } = cutOff()
  const outputs = [...draft.give({ kind: 'link-up', link: 'wire' }), ...draft.wait(1500)]
  assert.ok(draft.messagesIn(outputs).some(({ kind }) => kind === 'join-request'))
  const bytes = encodeFrame(draft.replica.fleet, { kind: 'offer', offer: { ...offer, from: founder(FLEET, 1) } })
  const [asked] = askedFor(draft, draft.give({ kind: 'frame', link: 'wire', bytes }))
  assert.deepEqual([asked?.to, asked?.offset], [founder(FLEET, 1), TRANSFER_CHUNK_BYTES])
})

test('while its link is there a fetch that gets on is not put off by another offer', () => {
  const { draft, offer } = cutOff()
  draft.give({ kind: 'link-up', link: 'air' })
  const other = { ...offer, from: founder(FLEET, 1), digest: digestOf('another one') }
  const asked = askedFor(draft, [...draft.giveMessage({ kind: 'offer', offer: other }), ...draft.wait(5000)])
  assert.ok(asked.length > 0 && asked.every(({ digest }) => digest === DIGEST))
})
