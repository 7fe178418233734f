import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatOperationId, type MemberId } from '../../runtime/base/ids.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]

/** `a`, which holds three operations of `b`, the last of them of another point. */
function holder(): { a: DrivenReplica; ofB: HandIssuer } {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  const ofB = new HandIssuer(B, 2)
  const first = ofB.issue({ set: ['x', 1] })
  const second = ofB.issue({ after: first, set: ['x', 2, first.id] })
  ofB.issue({ after: second, set: ['y', 3] })
  for (const batch of ofB.batches) a.giveMessage({ kind: 'batch', batch })
  a.store()
  return { a, ofB }
}

/** `c` has folded up to `floor` and holds of `b` what `vector` says. */
function announce(
  a: DrivenReplica,
  floor: number,
  vector: VersionEntry[],
  parts: Partial<Announcement> = {},
): Output[] {
  const announcement = announcementOf(a, C, { floor, stage: 9, vector, ...parts })
  return [...a.giveMessage({ kind: 'announcement', announcement })]
}

function upTo(ofB: HandIssuer, seq: number): VersionEntry {
  return { member: B, seq, digest: ofB.batches[seq - 1]!.digest }
}

test('who refuses an operation as late makes the floor known that it lies below: others may hold it', () => {
  const { a, ofB } = holder()
  for (const member of [B, C]) {
    const vector = [upTo(ofB, 3)]
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member, { stage: 9, vector }) })
  }
  const floorsSaid = (): number[] => a.announcementsIn(a.wait(60_000)).map(({ floor }) => floor)
  assert.equal(a.replica.floor.stage, 3)
  assert.deepEqual([...new Set(floorsSaid())], [0], 'it goes onto the disk with the next operation')
  const late = new HandIssuer(C, 1)
  late.issue({ set: ['z', 1] })
  a.giveMessage({ kind: 'batch', batch: late.batches[0]! })
  a.store()
  assert.equal(floorsSaid().at(-1), 3)
})

test('late at one is late everywhere: it leaves the journal with everything later of its member, and an alarm says so', () => {
  const { a, ofB } = holder()
  const outputs = announce(a, 2, [upTo(ofB, 1)])
  const removed = outputs.flatMap((output) => (output.kind === 'removed' ? output.operations : []))
  assert.deepEqual(removed.map(formatOperationId).toSorted(), [
    formatOperationId({ member: B, seq: 2 }),
    formatOperationId({ member: B, seq: 3 }),
  ])
  assert.deepEqual(alarms(outputs), [{ name: 'late-operation', member: B, seq: 2 }])
  assert.equal(a.replica.get('x' as never), 1)
  assert.equal(a.replica.get('y' as never), undefined)
  assert.deepEqual(
    a.replica.conflicts().map(({ loser }) => loser.value),
    [2, 3],
    'people see what it was',
  )
  const again = new DrivenReplica(FLEET, 0, { snapshot: null, records: stored(a), last: a.lastStored })
  assert.equal(again.replica.get('y' as never), undefined, 'and it does not come back with a restart')
})

test('what the announcer holds is not late, nor what lies above its floor', () => {
  const { a, ofB } = holder()
  assert.deepEqual(alarms(announce(a, 1, [upTo(ofB, 1)])), [])
  assert.deepEqual(alarms(announce(a, 2, [upTo(ofB, 2)])), [])
  assert.equal(a.inspect().journalLength, 3)
})

test('where the announcer holds another life of a member, what we hold of it at its floor is late, also if it is retired', () => {
  const other = new HandIssuer(B, 2)
  const first = other.issue({ set: ['x', 1] })
  other.issue({ after: first, set: ['x', 'of the other life'] })
  const digest = other.batches[1]!.digest
  const { a } = holder()
  assert.deepEqual(alarms(announce(a, 0, [{ member: B, seq: 2, digest }])), [], 'nothing is settled')
  assert.deepEqual(alarms(announce(a, 2, [{ member: B, seq: 2, digest }])), [
    { name: 'late-operation', member: B, seq: 1 },
  ])
  assert.equal(a.inspect().journalLength, 0)
  const retiring = holder()
  const proposed = { number: 1, counting: [retiring.a.replica.self, C], retired: [B] }
  retiring.a.give({ kind: 'epoch', epoch: { ...proposed, signature: SIGNED } })
  retiring.a.store()
  const [{ epochDigest }] = retiring.a.announcementsIn(retiring.a.wait(60_000)).slice(-1) as [Announcement]
  const said = { epoch: 1, newestEpoch: 1, epochDigest }
  const frozen = [{ member: B, seq: 2, digest }]
  announce(retiring.a, 0, frozen, { ...said, frozen })
  assert.deepEqual(seqsRemoved(announce(retiring.a, 2, frozen, said)), [1, 2, 3])
})

test('who refuses another life of a member than what is settled makes its floor known', () => {
  const { a, ofB } = holder()
  for (const member of [B, C])
    a.giveMessage({
      kind: 'announcement',
      announcement: announcementOf(a, member, { vector: [upTo(ofB, 3)], stage: 3 }),
    })
  assert.equal(a.replica.floor.stage, 3)
  const other = new HandIssuer(B, 2)
  const first = other.issue({ set: ['x', 1] })
  other.issue({ after: first, set: ['x', 'of the other life'] })
  other.issue({ after: { id: { member: B, seq: 3 }, stage: 3 }, set: ['x', 'later'] })
  for (const batch of other.batches) a.giveMessage({ kind: 'batch', batch })
  a.store()
  assert.equal(a.announcementsIn(a.wait(60_000)).at(-1)?.floor, 3)
})

test('a member of another epoch may have folded without knowing what stands: nothing is removed on its word', () => {
  const { a, ofB } = holder()
  announce(a, 2, [upTo(ofB, 1)], { epoch: 1, newestEpoch: 1 })
  assert.equal(a.inspect().journalLength, 3)
})

test('the issuer finds out: it begins a new life, and what came late comes back as its drafts', () => {
  const b = new DrivenReplica(FLEET, 1)
  b.store()
  b.issue(set('x', 'late'))
  b.store()
  const outputs = announce(b, 1, [], { stage: 9 })
  assert.equal(b.inspect().status, 'draft')
  assert.notEqual(b.replica.self, B)
  assert.match(b.inspect().draftReason ?? '', /settled what lies behind our operations/)
  assert.ok(alarms(outputs).some(({ name }) => name === 'regressed'))
  assert.equal(b.replica.get('x' as never), 'late', 'it is not lost')
})

test('an operation at or below our own floor that is not held is refused with an alarm, once', () => {
  const { a, ofB } = holder()
  const late = new HandIssuer(C, 1)
  late.issue({ set: ['z', 1] })
  for (const member of [B, C])
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member, { vector: [upTo(ofB, 3)] }) })
  assert.equal(a.inspect().floor, 3)
  for (let again = 0; again < 2; again++) {
    const outputs = a.giveMessage({ kind: 'batch', batch: late.batches[0]! })
    assert.deepEqual(alarms(outputs), again === 0 ? [{ name: 'late-operation', member: C, seq: 1 }] : [])
  }
  assert.equal(a.inspect().dropped['operation at or below the floor'], 2)
  assert.equal(a.replica.get('z' as never), undefined)
})

function alarms(outputs: readonly Output[]): { readonly name: string }[] {
  return outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm] : []))
}

function stored(node: DrivenReplica): readonly Uint8Array[] {
  node.store()
  return node.records
}

function seqsRemoved(outputs: readonly Output[]): number[] {
  return outputs.flatMap((output) => (output.kind === 'removed' ? output.operations.map(({ seq }) => seq) : []))
}
