import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId, nodeOf } from '../../runtime/base/ids.ts'
import { TRANSFER_CHUNK_BYTES, WAITING_STRANGERS_MESSAGES_MAX } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Message, Offer } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import { heap } from '../support/heap.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'
import { mutate } from './hostile-frames.ts'

const FLEET = genesisOf(3)
const [A, B] = [founder(FLEET, 0), founder(FLEET, 1)]
const N = nodeOf(life('n'))
const SEED = Number(process.env['FLEETSTEP_SEED'] ?? 20_261)

/** One message of each kind that fits `node`, and so reaches what the kind reaches. */
function messagesFor(node: DrivenReplica): Message[] {
  const { self } = node.replica
  const ofB = new HandIssuer(B, 2)
  const ground = ofB.issue({ set: ['x', 1] })
  ofB.issue({ after: ground, join: admit(self, 0) })
  const frozen = [{ member: A, seq: 1, digest: EMPTY_DIGEST }]
  const offer: Offer = { to: self, from: B, purpose: 'welcome', digest: digestOf('welcome'), size: 3 }
  return [
    ...ofB.batches.map((batch): Message => ({ kind: 'batch', batch })),
    { kind: 'announcement', announcement: announcementOf(node, B, { epoch: 1, newestEpoch: 1, frozen }) },
    { kind: 'request', request: { from: B, to: self, gaps: [{ member: self, after: 0, through: 3 }] } },
    { kind: 'epoch', epoch: { number: 2, counting: [B], retired: [A], signature: SIGNED } },
    {
      kind: 'join-request',
      request: { member: life('m', 7), tier: 0, key: new Uint8Array(), proof: new Uint8Array(), epoch: 0 },
    },
    { kind: 'refusal', refusal: { to: self, from: B, reason: 'no' } },
    { kind: 'offer', offer },
    { kind: 'offer', offer: { ...offer, purpose: 'catch-up' } },
    { kind: 'chunk-request', request: { from: B, to: self, digest: digestOf('welcome'), offset: 0 } },
    { kind: 'chunk', chunk: { digest: digestOf('welcome'), offset: 0, bytes: new Uint8Array(3) } },
  ]
}

const VICTIMS: Readonly<Record<string, () => DrivenReplica>> = {
  'a draft that asks to join': () => started(N),
  'a draft that fetches its welcome': () => {
    const draft = started(N)
    const offer: Offer = { to: draft.replica.self, from: B, purpose: 'welcome', digest: digestOf('welcome'), size: 9 }
    draft.giveMessage({ kind: 'offer', offer })
    return draft
  },
  'a member that waits for the cuts of an epoch': () => {
    const member = started(2)
    member.give({ kind: 'epoch', epoch: { number: 1, counting: [B], retired: [A], signature: SIGNED } })
    member.store()
    return member
  },
}

function started(which: number | NodeId): DrivenReplica {
  const node = new DrivenReplica(FLEET, which)
  node.store()
  node.issue(set('own', 1))
  node.store()
  return node
}

for (const [what, make] of Object.entries(VICTIMS)) {
  test(`${what} survives damaged frames of every kind in any order, and can go on and start again`, () => {
    const random = seededRandom(SEED)
    for (let round = 0; round < 40; round++) {
      const victim = make()
      const frames = messagesFor(victim).map((message) => encodeFrame(victim.replica.fleet, message))
      for (let turn = 0; turn < 60; turn++) {
        const [frame, other] = [frames[random.uint32() % frames.length]!, frames[random.uint32() % frames.length]!]
        victim.giveFrame(turn % 3 === 0 ? frame : mutate(frame, other, random))
        if (turn % 5 === 0) victim.store()
        if (turn % 7 === 0) victim.wait(500)
      }
      victim.store()
      victim.issue(set('own', 2))
      victim.store()
      const disk = { snapshot: victim.snapshot, records: victim.records, last: victim.lastStored }
      const again = new DrivenReplica(FLEET, nodeOf(victim.replica.self) === N ? N : 2, disk)
      assert.equal(again.replica.self, victim.replica.self)
      assert.equal(again.inspect().epoch.number, victim.inspect().epoch.number)
    }
  })
}

test('a damaged welcome is refused whole, or is another valid one', () => {
  const random = seededRandom(SEED)
  const fleet = genesisOf(1)
  const sponsor = new DrivenReplica(fleet, 0)
  sponsor.store()
  for (let count = 0; count < 5; count++) sponsor.issue(set(`p/${count}`, { list: [count, 'text', null] }))
  sponsor.store()
  const draft = (): DrivenReplica => {
    const node = new DrivenReplica(fleet, N)
    node.store()
    return node
  }
  const { self } = draft().replica
  sponsor.giveMessage({
    kind: 'join-request',
    request: { member: self, tier: 0, key: new Uint8Array(), proof: new Uint8Array(), epoch: 0 },
  })
  sponsor.wait(1000)
  sponsor.store()
  const offered = sponsor.messagesIn(sponsor.outputs).find(({ kind }) => kind === 'offer')
  assert.ok(offered?.kind === 'offer')
  const request = { from: self, to: sponsor.replica.self, digest: offered.offer.digest, offset: 0 }
  const [whole] = sponsor.messagesIn(sponsor.giveMessage({ kind: 'chunk-request', request }))
  assert.ok(whole?.kind === 'chunk' && whole.chunk.bytes.length < TRANSFER_CHUNK_BYTES)
  const adoptedFrom = (bytes: Uint8Array): DrivenReplica => {
    const node = draft()
    const digest = digestOf(bytes)
    node.giveMessage({ kind: 'offer', offer: { ...offered.offer, digest, size: bytes.length } })
    node.giveMessage({ kind: 'chunk', chunk: { digest, offset: 0, bytes } })
    node.store()
    return node
  }
  assert.equal(adoptedFrom(whole.chunk.bytes).inspect().status, 'member')
  const seen = { member: 0, draft: 0 }
  for (let round = 0; round < 600; round++) {
    const bytes = mutate(whole.chunk.bytes, whole.chunk.bytes, random)
    if (bytes.length === 0 || bytes.length > TRANSFER_CHUNK_BYTES) continue
    const node = adoptedFrom(bytes)
    seen[node.inspect().status] += 1
    node.issue(set('after', round))
    node.store()
  }
  assert.ok(seen.draft > 400, JSON.stringify(seen))
})

test('a flood of valid frames of every kind from made-up nodes takes bounded memory', () => {
  const victim = started(2)
  const flood = (first: number, count: number): void => {
    for (let index = first; index < first + count; index++) {
      for (const message of messagesOf(memberIdOf('ee00000000000000' as NodeId, index + 1), index))
        victim.giveMessage(message)
      victim.outputs.length = 0
      if (index % 100 === 0) victim.wait(50)
    }
  }
  flood(0, 1500)
  const before = heap()
  const members = victim.inspect().members.length
  flood(1500, 1500)
  const grownBytes = heap() - before
  assert.ok(grownBytes < 2 * 1024 * 1024, `${grownBytes} bytes more`)
  const { waitingList, deferredQueue, ...view } = victim.inspect()
  assert.ok(waitingList.length + deferredQueue.length <= WAITING_STRANGERS_MESSAGES_MAX)
  assert.ok(view.members.length <= members + 100, 'join requests are admitted by those who may sponsor')
  assert.ok(Object.keys(view.dropped).length <= 65)
})

test('nothing is kept of the announcements of made-up nodes', () => {
  const victim = started(2)
  const flood = (first: number, count: number): void => {
    for (let index = first; index < first + count; index++) {
      const [, announcement] = messagesOf(memberIdOf('ee00000000000000' as NodeId, index + 1), index)
      victim.giveMessage(announcement!)
      victim.outputs.length = 0
    }
  }
  flood(0, 4000)
  const before = heap()
  flood(4000, 12_000)
  const grownBytes = heap() - before
  assert.ok(grownBytes < 1024 * 1024, `${grownBytes} bytes more`)
})

/** What anybody can make up. Nobody is asked to join here: whom to let in is the operator's word. */
function messagesOf(member: MemberId, index: number): Message[] {
  const issuer = new HandIssuer(member, 1)
  issuer.issue({ set: ['x', index] })
  const vector = [{ member, seq: index + 1, digest: EMPTY_DIGEST }]
  const said = { member, start: 1, number: 1, epoch: 0, newestEpoch: 0, epochDigest: EMPTY_DIGEST, knowsCuts: false }
  const position = { frozen: null, stage: 1, ownSeq: 1, floor: 0, floorDigest: EMPTY_DIGEST }
  const digest = vectorDigest(versionVector(vector))
  const offer: Offer = { to: member, from: B, purpose: 'welcome', digest: EMPTY_DIGEST, size: index }
  return [
    { kind: 'batch', batch: issuer.batches[0]! },
    { kind: 'announcement', announcement: { ...said, ...position, vectorDigest: digest, vector } },
    { kind: 'request', request: { from: member, to: null, gaps: [{ member, after: 0, through: 9 }] } },
    { kind: 'epoch', epoch: { number: index + 1, counting: [member], retired: [], signature: new Uint8Array(64) } },
    { kind: 'refusal', refusal: { to: member, from: B, reason: `no ${index}` } },
    { kind: 'offer', offer },
    { kind: 'chunk-request', request: { from: member, to: A, digest: EMPTY_DIGEST, offset: index } },
    { kind: 'chunk', chunk: { digest: EMPTY_DIGEST, offset: index, bytes: new Uint8Array(64) } },
  ]
}
