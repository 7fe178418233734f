import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import { proposeEpoch, type Epoch } from '../../runtime/sync/epoch.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import { Peers } from '../../runtime/sync/peers.ts'
import { versionVector } from '../../runtime/sync/version-vector.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]
const N = life('n', 7)

/** What `a` holds when `n` has joined at stage 1, and whom it has heard, each with the epoch that it announces. */
function lookingFrom(heard: Readonly<Record<MemberId, number>>, floor: number, epoch: Epoch | null = null) {
  const history = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
  const sponsor = new HandIssuer(B, 2)
  sponsor.issue({ join: admit(N, 0) })
  history.receive(sponsor.batches[0]!)
  history.fold(floor)
  if (epoch !== null) history.retirement.restore({ epoch, before: 0, frozen: new Map(), cuts: new Map() })
  const node = new DrivenReplica(FLEET, 0)
  const peers = new Peers()
  const own = { vector: versionVector([]), digest: EMPTY_DIGEST }
  for (const [member, number] of Object.entries(heard) as [MemberId, number][])
    peers.note(announcementOf(node, member, { epoch: number }), own, 'air', 0)
  return (retire: readonly MemberId[]): readonly MemberId[] => proposeEpoch(history, peers, A, retire).counting
}

test('before the first epoch the founders count, heard or not; who is retired does not', () => {
  assert.deepEqual(lookingFrom({}, 0)([]), [A, B, C])
  assert.deepEqual(lookingFrom({}, 0)([C]), [A, B])
})

test('who has joined counts when the join is settled and it has announced the current epoch', () => {
  assert.deepEqual(lookingFrom({ [N]: 0 }, 1)([]), [A, B, C, N])
  assert.deepEqual(lookingFrom({ [N]: 0 }, 0)([]), [A, B, C], 'its join is not settled')
  assert.deepEqual(lookingFrom({}, 1)([]), [A, B, C], 'it was not heard')
})

test('later those count who counted before, or whose newest announcement carries the current epoch', () => {
  const epoch: Epoch = { number: 1, counting: [A, B], retired: [], signature: SIGNED }
  assert.deepEqual(lookingFrom({}, 1, epoch)([]), [A, B])
  assert.deepEqual(lookingFrom({ [C]: 0, [N]: 0 }, 1, epoch)([]), [A, B], 'they do not know it yet')
  assert.deepEqual(lookingFrom({ [C]: 1, [N]: 1 }, 1, epoch)([]), [A, B, C, N])
})

test('an epoch that is older, takes back a retirement, or lets a retired member count is not taken in', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  node.give({ kind: 'epoch', epoch: { number: 2, counting: [A, B], retired: [C], signature: SIGNED } })
  const give = (epoch: Omit<Epoch, 'signature'>): number => {
    node.give({ kind: 'epoch', epoch: { ...epoch, signature: SIGNED } })
    return node.inspect().epoch.number
  }
  assert.equal(give({ number: 1, counting: [A], retired: [B, C] }), 2, 'an older one')
  assert.deepEqual(node.inspect().dropped, {}, 'that somebody has not heard of the newer one is nothing bad')
  assert.equal(give({ number: 3, counting: [A], retired: [B] }), 2, 'c is back')
  assert.equal(give({ number: 3, counting: [A, C], retired: [C] }), 2, 'c counts')
  assert.equal(give({ number: 3, counting: [], retired: [B, C] }), 2, 'nobody counts')
  assert.equal(give({ number: 3, counting: [A], retired: [B, C] }), 3)
})

test('another epoch of the same number is not taken in, nor what its members announce', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  node.give({ kind: 'epoch', epoch: { number: 1, counting: [A, B], retired: [C], signature: SIGNED } })
  node.store()
  const outputs = node.give({ kind: 'epoch', epoch: { number: 1, counting: [A, C], retired: [B], signature: SIGNED } })
  assert.ok(outputs.some((output) => output.kind === 'alarm' && output.alarm.name === 'epoch-conflict'))
  assert.deepEqual(node.inspect().epoch.retired, [C])
  const frozen = [{ member: C, seq: 5, digest: EMPTY_DIGEST }]
  const parts = { epoch: 1, newestEpoch: 1, epochDigest: EMPTY_DIGEST, frozen }
  node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, B, parts) })
  assert.equal(node.inspect().epoch.knowsCuts, false, 'b speaks of another epoch')
  node.issue(set('x', 1))
})
