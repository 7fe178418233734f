import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { CANDIDATES_MAX, WAITING_STRANGERS_MESSAGES_MAX } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Message } from '../../runtime/sync/message.ts'
import { heap } from '../support/heap.ts'
import { ANNA, attackedPair, counted, MALLORY, memberOf, standing, stillWorks } from '../support/attacked-fleet.ts'
import { HandIssuer } from '../support/handmade.ts'

/** Frames of most kinds: several times what their lists may hold. */
const FLOOD = 100
/** Operations in each batch of a stranger: six times as many come as may wait. */
const OPERATIONS = 64
/** What a gateway may grow by: its lists for strangers hold 2 MiB at most, and the garbage of this very test is in it. */
const HEAP_GROWTH_MAX_BYTES = 24 * 1024 * 1024

test('a flood of each kind of frame is counted and bounded, and changes pass through it', async (t) => {
  const fleet = await attackedPair(t)
  const { anna, bert, attacker, keys } = fleet
  const thief = createSigningKey()
  const signatures = keys.signatures(thief)
  const random = seededRandom(7)
  const stranger = (index: number): MemberId => memberIdOf(nodeAt(index), 1 + index)
  const forged: Readonly<Record<string, (index: number) => Message>> = {
    'batches of strangers': (index) => {
      const issuer = new HandIssuer(stranger(index), 0)
      let last = issuer.issue({ set: ['lamp', 0] })
      while (issuer.batches.length < OPERATIONS) last = issuer.issue({ set: ['lamp', index], after: last })
      const messages = issuer.batches.flatMap((batch) => batch.messages)
      return { kind: 'batch', batch: signatures.sign(sealBatch(issuer.member, EMPTY_DIGEST, messages)) }
    },
    'requests to join': (index) => {
      const request = { member: stranger(index), tier: 0, key: thief.publicKey, proof: new Uint8Array(300), epoch: 0 }
      return { kind: 'join-request', request }
    },
    refusals: (index) => ({
      kind: 'refusal',
      refusal: { to: memberOf(bert), from: stranger(index), reason: `no ${index}` },
    }),
    'requests for operations': (index) => ({
      kind: 'request',
      request: signatures.signRequest(
        { from: keys.founder, to: memberOf(bert), gaps: [{ member: keys.founder, after: 0, through: index + 1 }] },
        () => ({ start: 99, number: index }),
      ),
    }),
    'offers of snapshots': (index) => ({
      kind: 'offer',
      offer: { to: memberOf(bert), from: stranger(index), purpose: 'catch-up', digest: EMPTY_DIGEST, size: 1e8 },
    }),
    chunks: (index) => ({
      kind: 'chunk',
      chunk: { digest: EMPTY_DIGEST, offset: index, bytes: new Uint8Array(9000) },
    }),
  }
  const before = standing(bert)
  const topic = `fleet/${keys.facts.id}/op/${MALLORY}`
  const heapBefore = heap()
  for (const make of Object.values(forged)) {
    for (let index = 0; index < FLOOD; index += 1)
      await attacker.publish(topic, encodeFrame(keys.facts.id, make(index)))
  }
  const noise = (): Uint8Array => Uint8Array.from({ length: 200 }, () => random.uint32())
  for (let index = 0; index < FLOOD; index += 1) await attacker.publish(topic, noise())
  await attacker.publish(topic, Uint8Array.of(0x84, 0x18, 0x63))
  await counted(bert, 'version is not 1: a node here runs another release')
  const { waitingList, deferredQueue, candidates, dropped } = bert.inspect()
  const waiting = [...waitingList, ...deferredQueue].flatMap(({ operations }) => operations)
  assert.ok(waiting.length > 0 && waiting.length <= WAITING_STRANGERS_MESSAGES_MAX)
  assert.ok(candidates.length <= CANDIDATES_MAX)
  assert.ok(Object.keys(dropped).length <= 65, 'reasons are bounded')
  assert.ok((dropped['too many operations wait for joins that are not known'] ?? 0) > 0)
  assert.equal(dropped['request is not signed by its member'], FLOOD)
  assert.equal(dropped['offer is not signed'], FLOOD)
  assert.deepEqual(standing(bert), before)
  assert.equal(attacker.framesOf(ANNA, 'chunk').length, 1, 'only bert was ever given a snapshot')
  await stillWorks({ anna, bert })
  assert.ok(heap() - heapBefore < HEAP_GROWTH_MAX_BYTES, 'memory is bounded')
})

function nodeAt(index: number): NodeId {
  return `02${index.toString(16).padStart(14, '0')}` as NodeId
}
