import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { type Announcement, type Batch, lastOf } from '../../runtime/sync/message.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

// What is tested here is the exception to the rule of `used-twice.test.ts`: a life that cannot give way any more.

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]

/** Two lives of `b` at the same stage: the short one has the lower digest, and would stand. */
function livesOfB(): { short: Batch; long: Batch } {
  const long = batchOf('long', 2)
  for (let draw = 0; ; draw++) {
    const short = batchOf(`short ${draw}`, 1)
    if (short.digest < long.digest) return { short, long }
  }
}

/** One batch with all that a life issues. */
function batchOf(value: string, operations: number): Batch {
  const issuer = new HandIssuer(B, 2)
  let after = null
  for (let index = 0; index < operations; index++) after = issuer.issue({ after, set: [`p/${index}`, value] })
  const messages = issuer.batches.flatMap((batch) => batch.messages)
  return sealBatch(B, EMPTY_DIGEST, messages)
}

function endOf(batch: Batch): VersionEntry {
  return { member: B, seq: lastOf(batch).current.id.seq, digest: batch.digest }
}

function give(node: DrivenReplica, batch: Batch): void {
  node.giveMessage({ kind: 'batch', batch })
  node.store()
}

function hear(node: DrivenReplica, parts: Parameters<typeof announcementOf>[2]): void {
  node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, C, parts) })
  node.store()
}

function heldOfB(node: DrivenReplica): string | undefined {
  return node.inspect().vector.find(({ member }) => member === B)?.digest
}

/** `a`, which holds one of the lives. */
function holding(batch: Batch): DrivenReplica {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  give(a, batch)
  return a
}

test('of two lives the one stands that somebody has settled, also if the other one came first or has the lower digest', () => {
  const { short, long } = livesOfB()
  for (const first of [short, long]) {
    const a = holding(first)
    hear(a, { floor: 1, vector: [endOf(long)] })
    give(a, long)
    assert.equal(heldOfB(a), long.digest)
    give(a, short)
    assert.equal(heldOfB(a), long.digest)
  }
})

test('what somebody holds without having settled it, or in another epoch, decides nothing', () => {
  const { short, long } = livesOfB()
  for (const said of [{ floor: 0 }, { floor: 1, epoch: 1, newestEpoch: 1 }]) {
    const a = holding(short)
    hear(a, { ...said, vector: [endOf(long)] })
    give(a, long)
    assert.equal(heldOfB(a), short.digest)
  }
})

test('of two lives of a retired member the one stands that the cut names, and the cut stays', () => {
  const { short, long } = livesOfB()
  for (const [own, others] of [
    [short, long],
    [long, short],
  ] as const) {
    const a = holding(own)
    retireB(a, others)
    give(a, long)
    assert.equal(heldOfB(a), long.digest)
    give(a, short)
    assert.equal(heldOfB(a), long.digest)
    assert.notEqual(a.inspect().floorHold?.reason, 'we lack operations below its cut')
  }
})

/** The operator retires `b`, of which `c` has held `frozen`. */
function retireB(a: DrivenReplica, frozen: Batch): void {
  const epoch = { number: 1, counting: [A, C], retired: [B], signature: SIGNED }
  a.give({ kind: 'epoch', epoch })
  a.store()
  const { epochDigest } = a.announcementsIn(a.wait(60_000)).at(-1) as Announcement
  hear(a, { epoch: 1, newestEpoch: 1, epochDigest, frozen: [endOf(frozen)], vector: [endOf(frozen)] })
}
