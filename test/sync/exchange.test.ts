import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemberId } from '../../runtime/base/ids.ts'
import {
  ANSWER_BYTES_MAX,
  BATCHES_PER_ANSWER_MAX,
  JOIN_REQUESTS_MAX,
  QUESTIONS_ASKERS_MAX,
  QUESTIONS_WAITING_MAX,
  REQUEST_DELAY_MAX_MS,
  REQUEST_RETRY_MS,
} from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { epochDigest, type Epoch } from '../../runtime/sync/epoch.ts'
import { type Announcement, type Batch, type Gap, subjectOf } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { Peers } from '../../runtime/sync/peers.ts'
import { RelayedQuestions } from '../../runtime/sync/relayed-questions.ts'
import { versionVector } from '../../runtime/sync/version-vector.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { type HandIssuer, issuedBy, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]

/** A member that holds two of five operations of `b`, and has been idle for long. */
function idle(): { a: DrivenReplica; ofB: HandIssuer } {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  const ofB = issuedBy(B, 5)
  for (const batch of ofB.batches.slice(0, 2)) a.giveMessage({ kind: 'batch', batch })
  a.store()
  a.wait(200_000)
  return { a, ofB }
}

function gapsIn(node: DrivenReplica, outputs: readonly Output[]): Gap[] {
  return node.messagesIn(outputs).flatMap((message) => (message.kind === 'request' ? message.request.gaps : []))
}

test('of two announcements the one of the later start holds, and of one start the later one', () => {
  const { a } = idle()
  const peers = new Peers()
  const own = { vector: versionVector([]), digest: a.inspect().floorDigest }
  const isNew = (start: number, number: number): boolean =>
    peers.note({ ...announcementOf(a, B), start, number }, own, 'air', 0) !== null
  assert.deepEqual(
    [isNew(1, 2), isNew(1, 1), isNew(1, 2), isNew(1, 3), isNew(2, 1), isNew(1, 9), isNew(2, 2)],
    [true, false, false, true, true, false, true],
  )
})

test('whoever hears the digest that it has itself says nothing more', () => {
  const { a } = idle()
  const outputs = a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { vector: null }) })
  const said = a.messagesIn([...outputs, ...a.wait(300)])
  assert.ok(said.every((message) => message.kind === 'announcement' && message.announcement.vector === null))
})

test('whoever hears another digest tells what it holds, so that the other can ask', () => {
  const { a, ofB } = idle()
  const more = announcementOf(a, C, { vector: [{ member: B, seq: 5, digest: ofB.batches[4]!.digest }] })
  const outputs = a.giveMessage({ kind: 'announcement', announcement: { ...more, vector: null } })
  const said = a.announcementsIn([...outputs, ...a.wait(300)])
  assert.deepEqual(
    said.map(({ vector }) => vector?.length),
    [1],
  )
})

test('whoever is ahead says so, and whoever is behind asks for exactly what it lacks', () => {
  const { a, ofB } = idle()
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { vector: [] }) })
  assert.deepEqual(
    vectorsIn(a, a.wait(300)).map(({ length }) => length),
    [1],
  )
  a.wait(200_000)
  const vector = [{ member: B, seq: 5, digest: ofB.batches[4]!.digest }]
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { vector }) })
  const outputs = a.wait(300)
  assert.deepEqual(vectorsIn(a, outputs), [], 'it is not ahead')
  assert.deepEqual(gapsIn(a, outputs)[0], { member: B, after: 2, through: 5 })
})

test('an answer is bounded in batches and in bytes, and the asker can go on behind it', () => {
  for (const [value, length, most] of [
    ['', 3 * BATCHES_PER_ANSWER_MAX, BATCHES_PER_ANSWER_MAX],
    [noise(15_000), 60, Math.floor(ANSWER_BYTES_MAX / 15_000)],
  ] as const) {
    const a = new DrivenReplica(FLEET, 0)
    a.store()
    const { batches } = issuedBy(B, length, value)
    for (const batch of batches) a.giveMessage({ kind: 'batch', batch })
    const got: number[] = []
    while (got.length < length) {
      const gaps = [{ member: B, after: got.length, through: length }]
      const outputs = a.giveMessage({ kind: 'request', request: { from: C, to: A, gaps } })
      const answer = a.batchesIn([...outputs, ...a.wait(1000)])
      assert.equal(answer.length, Math.min(most, length - got.length))
      got.push(...answer.map(seqOf))
    }
    assert.deepEqual(got, batches.map(seqOf), 'in order, and each once')
  }
})

test('of a retired member nothing is asked for beyond what stands of it', () => {
  const { a, ofB } = idle()
  const epoch: Epoch = { number: 1, counting: [C], retired: [B], signature: SIGNED }
  a.give({ kind: 'epoch', epoch })
  a.store()
  const entry = (seq: number) => ({ member: B, seq, digest: ofB.batches[seq - 1]!.digest })
  const parts = { epoch: 1, newestEpoch: 1, epochDigest: epochDigest(epoch), frozen: [entry(3)] }
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { ...parts, vector: [entry(5)] }) })
  const gaps = gapsIn(a, [...a.store(), ...a.wait(2000)])
  assert.ok(gaps.length > 0)
  for (const gap of gaps) assert.deepEqual(gap, { member: B, after: 2, through: 3 })
})

test('what another one has just asked everybody for is not asked for again at once', () => {
  for (const isHeard of [false, true]) {
    const { a, ofB } = idle()
    const vector = [{ member: B, seq: 5, digest: ofB.batches[4]!.digest }]
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { vector }) })
    const request = { from: C, to: B, gaps: [{ member: B, after: 0, through: 5 }] }
    if (isHeard) a.giveMessage({ kind: 'request', request })
    assert.equal(gapsIn(a, a.wait(300)).length > 0, !isHeard)
    if (isHeard) assert.ok(gapsIn(a, a.wait(2000)).length > 0, 'but when no answer comes')
  }
})

test('whoever asks again and again and is not answered keeps nobody else from asking', () => {
  const { a, ofB } = idle()
  const vector = [{ member: B, seq: 5, digest: ofB.batches[4]!.digest }]
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { vector }) })
  let asked = 0
  for (let passedMs = 0; passedMs < 4 * REQUEST_DELAY_MAX_MS; passedMs += 400) {
    const gaps = [{ member: B, after: 0, through: 5 }]
    a.giveMessage({ kind: 'request', request: { from: C, to: life('z', 9), gaps } })
    asked += gapsIn(a, a.wait(400)).length
  }
  assert.ok(asked >= 2, `${asked} times in ${4 * REQUEST_DELAY_MAX_MS} ms`)
})

test('whoever asks for less than the next that is missing here asks for nobody else', () => {
  const { a, ofB } = idle()
  const vector = [{ member: B, seq: 5, digest: ofB.batches[4]!.digest }]
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { vector }) })
  a.giveMessage({ kind: 'request', request: { from: C, to: B, gaps: [{ member: B, after: 0, through: 2 }] } })
  assert.deepEqual(gapsIn(a, a.wait(300))[0], { member: B, after: 2, through: 5 })
})

test('an announcement states only what is on the disk', () => {
  const { a, ofB } = idle()
  a.giveMessage({ kind: 'batch', batch: ofB.batches[2]! })
  const stated = (): (number | undefined)[] => {
    a.give({ kind: 'stored', through: a.lastStored })
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { vector: [] }) })
    return vectorsIn(a, a.wait(300)).map(([first]) => first?.seq)
  }
  assert.deepEqual(stated(), [2])
  a.store()
  assert.ok(stated().includes(3))
})

test('nothing is settled that a power cut could take from the disk, however low the operation that is not there yet', () => {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  for (let count = 1; count <= 3; count++) {
    a.issue(set('p', count))
    a.store()
  }
  const [batch] = issuedBy(B, 1).batches as [Batch]
  const vector = [...a.inspect().vector, { member: B, seq: 1, digest: batch.digest }]
  a.giveMessage({ kind: 'batch', batch })
  for (const member of [B, C])
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member, { vector, stage: 3 }) })
  assert.deepEqual([a.inspect().floor, a.inspect().journalLength], [0, 4])
  a.store()
  assert.equal(a.inspect().floor, 3)
})

test('what a member asks of somebody who is unknown here is asked on the other links too, now and then', () => {
  const { a } = idle()
  a.give({ kind: 'link-up', link: 'cable' })
  a.wait(200_000)
  const stranger = life('e', 7)
  const asked = (about: MemberId): unknown[] => {
    const gaps = [{ member: about, after: 0, through: 1 }]
    a.giveMessage({ kind: 'request', request: { from: C, to: null, gaps } })
    return a
      .wait(REQUEST_RETRY_MS / 4)
      .flatMap((output) => (output.kind === 'send' && output.to.channel === 'requests' ? [output.to.links] : []))
  }
  assert.deepEqual([asked(stranger), asked(stranger)], [[{ except: 'air' }], []])
  a.wait(REQUEST_RETRY_MS)
  assert.deepEqual([asked(B), asked(stranger)], [[], [{ except: 'air' }]])
  a.wait(REQUEST_RETRY_MS)
  assert.deepEqual(asked(stranger), [], 'and less often each time')
  a.wait(REQUEST_RETRY_MS)
  assert.deepEqual(asked(stranger), [{ except: 'air' }])
  a.give({ kind: 'link-down', link: 'cable' })
  a.wait(10 * REQUEST_RETRY_MS)
  assert.deepEqual(asked(stranger), [])
})

test('operations wait for a join that nobody tells of while some questions are asked, and may wait again', () => {
  const { a } = idle()
  const stranger = life('e', 7)
  const batch = issuedBy(stranger, 1).batches[0]!
  const waiting = (): number => a.inspect().waitingList.length
  const questions = (ms: number): number => gapsIn(a, a.wait(ms)).filter(({ member }) => member === stranger).length
  for (let turn = 0; turn < 2; turn++) {
    a.giveMessage({ kind: 'batch', batch })
    assert.equal(waiting(), 1)
    assert.equal(questions(20 * REQUEST_DELAY_MAX_MS), JOIN_REQUESTS_MAX + 1)
    assert.equal(waiting(), 0)
  }
  assert.equal(a.inspect().dropped['nobody knows the join that operations wait for'], 2)
})

test('whoever asks a relay for somebody who is unknown again and again does not use up the turns of others', () => {
  const { a } = idle()
  a.give({ kind: 'link-up', link: 'cable' })
  a.wait(200_000)
  const isAskedOn = (from: MemberId, about: MemberId): boolean => {
    const gaps = [{ member: about, after: 0, through: 1 }]
    a.giveMessage({ kind: 'request', request: { from, to: null, gaps } })
    return gapsIn(a, a.wait(REQUEST_RETRY_MS / 4)).some(({ member }) => member === about)
  }
  for (let turn = 0; turn < 8; turn++) {
    a.wait(2 ** turn * REQUEST_RETRY_MS)
    isAskedOn(C, life('e', 7))
  }
  assert.equal(isAskedOn(C, life('e', 7)), false)
  assert.equal(isAskedOn(B, life('f', 7)), true)
})

test('of many who ask at one time a relay asks for some at a time, and remembers so many', () => {
  const questions = new RelayedQuestions()
  const asker = (index: number): MemberId => life('e', index)
  const gaps = [{ member: life('f', 7), after: 0, through: 1 }]
  for (let index = 0; index < QUESTIONS_WAITING_MAX; index++) {
    assert.ok(questions.isOpen(asker(index), 0))
    questions.ask(asker(index), { at: 1, link: 'air', gaps })
  }
  assert.equal(questions.isOpen(asker(QUESTIONS_WAITING_MAX), 0), false)
  assert.equal(questions.take(1).length, QUESTIONS_WAITING_MAX)
  assert.equal(questions.isOpen(asker(0), 2), false)
  for (let index = 1; index <= QUESTIONS_ASKERS_MAX; index++) {
    questions.ask(asker(index), { at: 1, link: 'air', gaps })
    questions.take(1)
  }
  assert.deepEqual([questions.isOpen(asker(0), 2), questions.isOpen(asker(1), 2)], [true, false])
})

test('nor does the first one of a node that has not written anything yet', () => {
  const a = new DrivenReplica(FLEET, 0)
  a.giveMessage({ kind: 'batch', batch: issuedBy(B, 1).batches[0]! })
  assert.equal(a.inspect().journalLength, 1)
  assert.deepEqual(a.inspect().vector, [])
  assert.deepEqual(vectorsIn(a, a.wait(5000)).flat(), [])
})

test('a node with two links carries operations and announcements from one to the other, and not back', () => {
  const { a, ofB } = idle()
  a.give({ kind: 'link-up', link: 'cable' })
  const operations = a.giveMessage({ kind: 'batch', batch: ofB.batches[2]! })
  const announcements = a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C) })
  const targets = [operations, announcements].map((outputs) =>
    outputs.flatMap((output) => (output.kind === 'send' ? [output.to] : [])),
  )
  assert.deepEqual(targets[0], [{ channel: 'operations', links: { except: 'air' } }])
  const of = subjectOf(announcementOf(a, C))
  assert.deepEqual(targets[1]?.[0], { channel: 'announcements', of, links: { except: 'air' } })
})

test('while nothing changes the intervals between announcements double up to a bound, which grows with the fleet', () => {
  const saidIn = (members: number, durationMs: number): number => {
    const node = new DrivenReplica(genesisOf(members), 0)
    node.store()
    node.issue(set('x', 1))
    node.store()
    return node.announcementsIn(node.wait(durationMs)).length
  }
  const [first, hour, large] = [saidIn(16, 30_000), saidIn(16, 3_600_000), saidIn(128, 3_600_000)]
  assert.ok(first >= 4 && first <= 16, `${first} in the first half minute`)
  assert.ok(hour >= 3600 / 48 && hour <= 3600 / 24 + 20, `${hour} in an hour`)
  assert.ok(large >= 3600 / 384 && large <= 3600 / 192 + 20, `${large} in an hour, of 128 members`)
})

/** Whole vectors that were stated; digests come by interval all the time. */
function vectorsIn(
  node: DrivenReplica,
  outputs: Parameters<DrivenReplica['announcementsIn']>[0],
): NonNullable<Announcement['vector']>[] {
  return node.announcementsIn(outputs).flatMap(({ vector }) => (vector === null ? [] : [vector]))
}

/** Bytes that do not deflate. */
function noise(length: number): Uint8Array {
  const random = seededRandom(1)
  return Uint8Array.from({ length }, () => random.uint32() & 0xff)
}

function seqOf({ messages }: Batch): number {
  return messages[0]!.current.id.seq
}
