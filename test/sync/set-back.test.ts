import assert from 'node:assert/strict'
import { test } from 'node:test'
import { equalBytes } from '../../runtime/base/bytes.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { ANNOUNCE_INTERVAL_MIN_MS } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Path } from '../../runtime/state/path.ts'
import { EMPTY_IMAGE } from '../simulation/disk.ts'
import { SimulatedFleet } from '../simulation/fleet.ts'
import { nodeNamed } from '../support/membership-network.ts'
import { nodeOf, type OperationId } from '../../runtime/base/ids.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(2)
const [SELF, OTHER] = [founder(FLEET, 0), founder(FLEET, 1)]
const FORGOTTEN: OperationId = { member: SELF, seq: 3 }

/** A batch of `member` whose operation follows, or replaces, one of ours. */
function batchNaming(member: typeof OTHER, how: 'previous' | 'replaces'): Batch {
  const issuer = new HandIssuer(member, 1)
  const ours = { ...new HandIssuer(SELF, 2).issue({ set: ['x', 1] }), id: FORGOTTEN, stage: 3 }
  issuer.issue(how === 'previous' ? { after: ours, set: ['x', 2] } : { set: ['x', 2, FORGOTTEN] })
  return issuer.batches[0] as Batch
}

for (const how of ['previous', 'replaces'] as const) {
  test(`an operation whose ${how} is one of ours that we do not know proves that we were set back`, () => {
    const node = new DrivenReplica(FLEET, 0)
    node.store()
    const outputs = node.giveMessage({ kind: 'batch', batch: batchNaming(OTHER, how) })
    assert.equal(node.inspect().status, 'draft')
    assert.match(node.inspect().draftReason ?? '', /operation 3 of this node/)
    assert.ok(outputs.some((output) => output.kind === 'alarm' && output.alarm.name === 'regressed'))
  })
}

test('what a node that is no member says of us proves nothing', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  for (const how of ['previous', 'replaces'] as const)
    node.giveMessage({ kind: 'batch', batch: batchNaming(life('n', 7), how) })
  assert.equal(node.inspect().status, 'member')
})

test('an operation that names what we have issued proves nothing', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  for (let count = 0; count < 3; count++) {
    node.issue({ writes: [{ path: 'x' as never, kind: 'set', argument: count }], guards: [] })
    node.store()
  }
  node.giveMessage({ kind: 'batch', batch: batchNaming(OTHER, 'previous') })
  assert.equal(node.inspect().status, 'member')
  assert.equal(node.replica.get('x' as never), 2, 'ours has the higher priority, and the other has not seen it')
})

test('whoever holds more operations of ours than we do, or others, has met us before we were set back', () => {
  const node = (): DrivenReplica => {
    const started = new DrivenReplica(FLEET, 0)
    started.store()
    started.issue(set('x', 1))
    started.store()
    return started
  }
  const reasonAfter = (entry: (held: VersionEntry) => VersionEntry): string | null => {
    const one = node()
    const [held] = one.inspect().vector
    assert.ok(held)
    one.giveMessage({ kind: 'announcement', announcement: announcementOf(one, OTHER, { vector: [entry(held)] }) })
    return one.inspect().draftReason
  }
  assert.equal(
    reasonAfter((held) => held),
    null,
  )
  assert.match(
    reasonAfter((held) => ({ ...held, seq: 2 })) ?? '',
    /holds 2 operations of this node, which knows only 1/,
  )
  assert.match(reasonAfter((held) => ({ ...held, digest: EMPTY_DIGEST })) ?? '', /other operations of this node/)
})

test('an operation of our own that comes from others and that we do not know proves that we were set back', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  const issuer = new HandIssuer(SELF, 2)
  issuer.issue({ set: ['x', 1] })
  node.giveMessage({ kind: 'batch', batch: issuer.batches[0]! })
  assert.match(node.inspect().draftReason ?? '', /operation 1 of this node/)
})

test('a draft of which the fleet holds operations was set back to before it joined: it begins another life', () => {
  const draft = new DrivenReplica(FLEET, nodeOf(life('n')))
  draft.store()
  const { self } = draft.replica
  const vector = [{ member: self, seq: 3, digest: EMPTY_DIGEST }]
  draft.giveMessage({ kind: 'announcement', announcement: announcementOf(draft, OTHER, { vector }) })
  assert.notEqual(draft.replica.self, self)
  assert.match(draft.inspect().draftReason ?? '', /which is a draft here/)
})

test('only a settled member surely knows what we said before our start: before it is heard nothing of ours is sent', () => {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  const sponsor = new HandIssuer(OTHER, 1)
  const newcomer = life('n', 7)
  sponsor.issue({ join: admit(newcomer, 0) })
  node.giveMessage({ kind: 'batch', batch: sponsor.batches[0]! })
  node.issue(set('x', 1))
  node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, newcomer, { stage: 0 }) })
  assert.deepEqual(node.batchesIn([...node.store(), ...node.wait(100)]), [], 'its join is not settled')
  node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, OTHER, { stage: 0 }) })
  const gaps = [{ member: SELF, after: 0, through: 1 }]
  const outputs = node.giveMessage({ kind: 'request', request: { from: OTHER, to: SELF, gaps } })
  assert.equal(node.batchesIn(outputs).length, 1)
})

test('a member that asks for an operation of ours that we have not issued waits for it: we were set back', () => {
  const reasonAfter = (from: typeof OTHER, through: number): string | null => {
    const node = new DrivenReplica(FLEET, 0)
    node.store()
    node.issue(set('x', 1))
    node.store()
    const gaps = [{ member: SELF, after: 0, through }]
    node.giveMessage({ kind: 'request', request: { from, to: null, gaps } })
    return node.inspect().draftReason
  }
  assert.match(reasonAfter(OTHER, 2) ?? '', /knows of operation 2 of this node/)
  assert.deepEqual([reasonAfter(OTHER, 1), reasonAfter(life('n', 7), 2)], [null, null])
})

test('whoever has settled what lies above all that we know has heard us announce it: we were set back', () => {
  const reasonAfter = (parts: Parameters<typeof announcementOf>[2], isOpen = true): string | null => {
    const node = new DrivenReplica(FLEET, 0)
    node.store()
    if (isOpen) node.issue(set('x', 1))
    node.store()
    node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, OTHER, parts) })
    return node.inspect().draftReason
  }
  assert.match(reasonAfter({ floor: 2, stage: 2 }) ?? '', /has settled stage 2 by a word of this node/)
  assert.equal(reasonAfter({ floor: 1, stage: 2 }), null)
  assert.equal(reasonAfter({ floor: 2, stage: 2 }, false), null, 'nothing of ours can come below it: we catch up')
  assert.equal(reasonAfter({ floor: 3, stage: 2 }), null, 'nobody settles what he does not hold')
  assert.equal(reasonAfter({ floor: 2, stage: 2, epoch: 1, newestEpoch: 1 }), null, 'it may have retired us')
})

test('a member that states fewer operations of its own than we hold is told one, which it believes without knowing us', () => {
  const witness = new DrivenReplica(FLEET, 1)
  witness.store()
  const ofSelf = new HandIssuer(SELF, 2)
  const first = ofSelf.issue({ set: ['x', 1] })
  ofSelf.issue({ after: first, set: ['x', 2, first.id] })
  for (const batch of ofSelf.batches) witness.giveMessage({ kind: 'batch', batch })
  witness.store()
  const toldAfter = (seq: number): unknown[] => {
    const vector = seq === 0 ? [] : [{ member: SELF, seq, digest: ofSelf.batches[seq - 1]!.digest }]
    const announcement = announcementOf(witness, SELF, { start: seq + 1, ownSeq: seq, vector })
    return witness.batchesIn(witness.giveMessage({ kind: 'announcement', announcement })).map(({ digest }) => digest)
  }
  assert.deepEqual([toldAfter(0), toldAfter(2)], [[ofSelf.batches[0]!.digest], []])
})

test('a founder that alone founded the fleet, and has an empty card, hears from those who joined that it was set back', () => {
  for (const isSettled of [false, true]) {
    const fleet = new SimulatedFleet({ genesis: genesisOf(1), random: seededRandom(5) })
    const a = fleet.node('a')
    const b = fleet.add(nodeNamed('b'), 0)
    fleet.run(20_000)
    fleet.issue(a, set('x', 1))
    fleet.run(isSettled ? 20_000 : 10)
    // A floor goes onto the disk with an operation.
    if (isSettled) fleet.issue(b, set('y', 1))
    fleet.run(10)
    assert.equal(b.replica.settled('x' as Path), isSettled ? 1 : undefined)
    // Nobody remembers in memory what a has announced.
    fleet.crash(b)
    fleet.replaceDisk(a, EMPTY_IMAGE)
    fleet.restart(a)
    fleet.restart(b)
    fleet.run(20_000)
    assert.match(a.replica.inspect(0).draftReason ?? '', /the fleet holds/, `settled: ${isSettled}`)
    fleet.operator.retire(b, [b.replica.inspect(0).members[0]!.member])
    fleet.run(60_000)
    assert.deepEqual([a.replica.inspect(0).status, a.replica.get('x' as Path)], ['member', 1])
  }
})

test('a member that states fewer operations of its own than before is told its own words, and learns from them', () => {
  const witness = new DrivenReplica(FLEET, 1)
  witness.store()
  const before = announcementOf(witness, SELF, { ownSeq: 3, vector: [entryOf(3)] })
  witness.giveMessage({ kind: 'announcement', announcement: before })
  const after = announcementOf(witness, SELF, { start: 2, ownSeq: 0, vector: [] })
  const told = witness.announcementsIn(witness.giveMessage({ kind: 'announcement', announcement: after }))
  assert.deepEqual(
    told.map(({ member, ownSeq }) => [member, ownSeq]),
    [[SELF, 3]],
  )
  const setBack = new DrivenReplica(FLEET, 0)
  setBack.store()
  setBack.wait(1000)
  setBack.giveMessage({ kind: 'announcement', announcement: { ...before, number: 0 } })
  assert.match(setBack.inspect().draftReason ?? '', /before it was set back/)
})

test('what a member has said before it was set back reaches it through a relay that knows only what it says now', () => {
  const relay = new DrivenReplica(FLEET, 1)
  relay.store()
  relay.give({ kind: 'link-up', link: 'wire' })
  const before = announcementOf(relay, SELF, { ownSeq: 3, vector: [entryOf(3)] })
  relay.giveMessage({ kind: 'announcement', announcement: announcementOf(relay, SELF, { ownSeq: 0, vector: [] }) })
  const frame = encodeFrame(relay.replica.fleet, { kind: 'announcement', announcement: before })
  const passedOn = (): unknown[] =>
    relay
      .give({ kind: 'frame', link: 'wire', bytes: frame })
      .flatMap((output) => (output.kind === 'send' && equalBytes(output.frame, frame) ? [output.to.links] : []))
  assert.deepEqual([passedOn(), passedOn()], [[{ except: 'wire' }], []], 'once a second at most')
  relay.now += ANNOUNCE_INTERVAL_MIN_MS
  assert.deepEqual(passedOn(), [{ except: 'wire' }])
  const alike = announcementOf(relay, SELF, { number: before.number - 1, ownSeq: 0, vector: [] })
  const older = encodeFrame(relay.replica.fleet, { kind: 'announcement', announcement: alike })
  relay.now += ANNOUNCE_INTERVAL_MIN_MS
  const outputs = relay.give({ kind: 'frame', link: 'wire', bytes: older })
  assert.ok(!outputs.some((output) => output.kind === 'send' && equalBytes(output.frame, older)), 'it proves nothing')
})

test('so does what was said in its name after a later start, by a double that has issued less', () => {
  const relay = new DrivenReplica(FLEET, 1)
  relay.store()
  relay.give({ kind: 'link-up', link: 'wire' })
  const known = announcementOf(relay, SELF, { ownSeq: 1, vector: [entryOf(1)] })
  relay.giveMessage({ kind: 'announcement', announcement: known })
  for (const [start, isPassedOn] of [
    [known.start, false],
    [known.start + 1, true],
  ] as const) {
    relay.now += ANNOUNCE_INTERVAL_MIN_MS
    const number = known.number - 1
    const announcement = announcementOf(relay, SELF, { start, number, ownSeq: 0, vector: [] })
    const frame = encodeFrame(relay.replica.fleet, { kind: 'announcement', announcement })
    const outputs = relay.give({ kind: 'frame', link: 'wire', bytes: frame })
    const passedOn = outputs.some((output) => output.kind === 'send' && equalBytes(output.frame, frame))
    assert.equal(passedOn, isPassedOn)
  }
})

function entryOf(seq: number): VersionEntry {
  return { member: SELF, seq, digest: '00000000000000aa' as VersionEntry['digest'] }
}
