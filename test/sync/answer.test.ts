import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch, Message } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const B = founder(FLEET, 1)

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

function askAnybody(a: DrivenReplica): void {
  const gaps = [{ member: B, after: 0, through: 3 }]
  a.giveMessage({ kind: 'request', request: { from: founder(FLEET, 2), to: null, gaps } })
}

function seqsOf(batches: readonly Batch[]): number[] {
  return batches.flatMap((batch) => batch.messages.map(({ current }) => current.id.seq))
}

test('a request to anybody is answered with exactly what it asks for', () => {
  const { a } = holder()
  askAnybody(a)
  assert.deepEqual(seqsOf(a.batchesIn(a.wait(300))), [1, 2, 3])
})

test('what somebody else has answered meanwhile is not sent again', () => {
  const { a, batches } = holder()
  askAnybody(a)
  for (const batch of batches.slice(0, 2)) a.giveMessage({ kind: 'batch', batch })
  assert.deepEqual(seqsOf(a.batchesIn(a.wait(300))), [3])
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
    hear(a, 'air', { kind: 'request', request: { from: founder(FLEET, 2), to: B, gaps } })
    assert.deepEqual(seqsOf(a.batchesIn(a.wait(300))), answered)
  }
})

function hear(node: DrivenReplica, link: string, message: Message): void {
  node.give({ kind: 'frame', link, bytes: encodeFrame(node.replica.fleet, message) })
}
