import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ANSWER_DELAY_MAX_MS, BATCHES_PER_ANSWER_MAX, BATCHES_PER_ANSWER_STEP_MAX } from '../../runtime/base/limits.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import type { Batch, Message } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { issuedBy } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]

/** `a` holds three batches of `b`, and `b` has a fourth. */
function holder(): { a: DrivenReplica; batches: Batch[] } {
  const [a, b] = [new DrivenReplica(FLEET, 0), new DrivenReplica(FLEET, 1)]
  for (const one of [a, b]) one.store()
  for (const announcement of a.announcementsIn(a.wait(2000))) b.giveMessage({ kind: 'announcement', announcement })
  for (let count = 0; count < 4; count++) {
    b.issue(set('b', count))
    b.store()
  }
  const batches = b.batchesIn(b.outputs)
  for (const batch of batches.slice(0, 3)) a.giveMessage({ kind: 'batch', batch })
  return { a, batches }
}

function holderOf(count: number): DrivenReplica {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  for (const batch of issuedBy(B, count).batches) a.giveMessage({ kind: 'batch', batch })
  a.wait(200_000)
  return a
}

function ask(a: DrivenReplica, to: MemberId, after: number, through: number, from: MemberId = C): readonly Output[] {
  return a.giveMessage({ kind: 'request', request: { from, to, gaps: [{ member: B, after, through }] } })
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

function askAnybody(a: DrivenReplica): void {
  const gaps = [{ member: B, after: 0, through: 3 }]
  a.giveMessage({ kind: 'request', request: { from: C, to: null, gaps } })
}

function seqsOf(batches: readonly Batch[]): number[] {
  return batches.flatMap((batch) => batch.messages.map(({ current }) => current.id.seq))
}

test('a request to anybody is answered with exactly what it asks for', () => {
  const { a } = holder()
  askAnybody(a)
  assert.deepEqual(seqsOf(a.batchesIn(a.wait(300))), [1, 2, 3])
})

test('what somebody else has answered meanwhile is not sent again, and the rest of it when he does not go on', () => {
  const { a, batches } = holder()
  askAnybody(a)
  for (const batch of batches.slice(0, 2)) a.giveMessage({ kind: 'batch', batch })
  assert.deepEqual(seqsOf(a.batchesIn(a.wait(ANSWER_DELAY_MAX_MS))), [])
  assert.deepEqual(seqsOf(a.batchesIn(a.wait(ANSWER_DELAY_MAX_MS))), [3])
})

test('whoever is asked alone waits for nobody', () => {
  const { a, batches } = holder()
  for (const batch of batches.slice(0, 2)) a.giveMessage({ kind: 'batch', batch })
  assert.deepEqual(seqsOf(a.batchesIn(ask(a, A, 0, 3))), [1, 2, 3])
})

describe('a long answer', () => {
  test('is sent some batches at a time, up to the bound of one', () => {
    const a = holderOf(BATCHES_PER_ANSWER_MAX + 10)
    const steps: number[][] = [seqsOf(a.batchesIn(ask(a, A, 0, 1000)))]
    for (let ms = 0; ms < 1000; ms++) {
      const seqs = seqsOf(a.batchesIn(a.wait(1)))
      if (seqs.length > 0) steps.push(seqs)
    }
    assert.deepEqual(steps.flat(), range(1, BATCHES_PER_ANSWER_MAX))
    for (const seqs of steps) assert.equal(seqs.length, BATCHES_PER_ANSWER_STEP_MAX)
  })

  test('waits while answers wait in the link, and goes on when that is writable', () => {
    const a = holderOf(100)
    const first = seqsOf(a.batchesIn(ask(a, A, 0, 100)))
    a.give({ kind: 'link-congested', link: 'air' })
    assert.deepEqual(a.batchesIn(a.wait(5000)), [])
    assert.deepEqual(a.batchesIn(ask(a, A, 20, 100)), [], 'nor is anything sent to one who asks again')
    const outputs = [...a.give({ kind: 'link-writable', link: 'air' }), ...a.wait(1000)]
    assert.deepEqual([first, seqsOf(a.batchesIn(outputs))], [range(1, 32), range(21, 100)])
  })

  test('does not wait for a link that has gone and come', () => {
    const a = holderOf(3)
    a.give({ kind: 'link-congested', link: 'air' })
    a.give({ kind: 'link-down', link: 'air' })
    a.give({ kind: 'link-up', link: 'air' })
    assert.deepEqual(seqsOf(a.batchesIn(ask(a, A, 0, 3))), [1, 2, 3])
  })

  test('begins where the one who lacks the most of it asks, and for who asks again where he asks then', () => {
    const a = holderOf(100)
    a.give({ kind: 'link-congested', link: 'air' })
    ask(a, A, 60, 100)
    ask(a, A, 70, 100)
    ask(a, A, 90, 100, B)
    const outputs = [...a.give({ kind: 'link-writable', link: 'air' }), ...a.wait(1000)]
    assert.deepEqual(seqsOf(a.batchesIn(outputs)), range(71, 100))
  })
})

test('a newer operation that comes by meanwhile answers nothing that was asked for', () => {
  const { a, batches } = holder()
  askAnybody(a)
  a.giveMessage({ kind: 'batch', batch: batches[3] as Batch })
  assert.deepEqual(seqsOf(a.batchesIn(a.wait(300))), [1, 2, 3])
})

test('a relay answers for a member on another link of its own, which does not hear who asks; and not for one that does', () => {
  for (const [linkOfB, answered] of [
    ['wire', [1, 2, 3]],
    ['air', []],
  ] as const) {
    const { a } = holder()
    a.give({ kind: 'link-up', link: 'wire' })
    hear(a, linkOfB, { kind: 'announcement', announcement: announcementOf(a, B) })
    a.wait(300)
    const gaps = [{ member: B, after: 0, through: 3 }]
    hear(a, 'air', { kind: 'request', request: { from: C, to: B, gaps } })
    assert.deepEqual(seqsOf(a.batchesIn(a.wait(300))), answered)
  }
})

function hear(node: DrivenReplica, link: string, message: Message): void {
  node.give({ kind: 'frame', link, bytes: encodeFrame(node.replica.fleet, message) })
}
