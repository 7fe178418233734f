import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import { CUT_JOINS_BYTES_MAX, VALUE_BYTES_MAX } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Join, Operation } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { type Epoch, epochDigest } from '../../runtime/sync/epoch.ts'
import type { Batch, SyncMessage } from '../../runtime/sync/message.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, C] = [founder(FLEET, 0), founder(FLEET, 2)]
const BATCHES = 12
const JOINS = 190

test('what a retired member sponsors without end takes no more of a snapshot than a bound, beside what is waited for', () => {
  const b = new DrivenReplica(FLEET, 1, undefined, 1)
  b.store()
  retire(b, A)
  for (let index = 0; index < BATCHES; index++) b.giveMessage({ kind: 'batch', batch: batchOfJoins(index) })
  b.give({ kind: 'snapshot-due' })
  b.store()
  const length = b.snapshot?.length ?? 0
  assert.ok(length > CUT_JOINS_BYTES_MAX / 2 && length < 1.1 * CUT_JOINS_BYTES_MAX, `${length} bytes`)
  // Where something waits for such a join there is room yet.
  const waiting = new HandIssuer(life('k', 1), 0)
  waiting.issue({ set: ['x', 1] })
  b.giveMessage({ kind: 'batch', batch: waiting.batches[0]! })
  assert.equal(b.inspect().waitingList.length, 1)
  b.giveMessage({ kind: 'batch', batch: batchOfJoins(BATCHES, [waiting.member]) })
  assert.equal(b.inspect().waitingList.length, 0)
})

/** As large as a frame may be, with joins of that many nodes. */
function batchOfJoins(
  index: number,
  joins = Array.from({ length: JOINS }, (_, join) => life('n', index * JOINS + join + 1)),
): Batch {
  const random = seededRandom(index)
  const noise = (): string =>
    Array.from({ length: VALUE_BYTES_MAX / 4 }, () => String.fromCodePoint(0x4e00 + (random.uint32() % 0x4000))).join(
      '',
    )
  const messages: SyncMessage[] = []
  const issue = (join: Join | null, value: string | null): void => {
    const seq = index * 1000 + messages.length + 1
    const path = `p/${seq}` as Path
    const writes = value === null ? [] : [{ path, kind: 'set' as const, argument: value, replaces: null }]
    const id = { member: A, seq }
    const previous = { id: seq === 1 ? null : { member: A, seq: seq - 1 }, stage: seq - 1 }
    const current: Operation = {
      id,
      stage: seq,
      floor: 0,
      priority: priorityOf(A, 3),
      writes,
      guards: [],
      join,
      original: null,
      paths: [],
    }
    messages.push({ current, previous })
  }
  for (let value = 0; value < 4; value++) issue(null, noise())
  for (const member of joins) issue(admit(member, 0), null)
  return sealBatch(A, EMPTY_DIGEST, messages)
}

function retire(node: DrivenReplica, member: MemberId): void {
  const epoch: Epoch = { number: 1, counting: [C], retired: [member], signature: SIGNED }
  node.give({ kind: 'epoch', epoch })
  node.store()
  const parts = { epoch: 1, newestEpoch: 1, epochDigest: epochDigest(epoch), frozen: [], vector: [] }
  node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, C, parts) })
  node.store()
}
