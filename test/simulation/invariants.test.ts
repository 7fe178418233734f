import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import type { Announcement, Message } from '../../runtime/sync/message.ts'
import { epochPayload } from '../../runtime/sync/epoch.ts'
import { encodeRecord } from '../../runtime/sync/records.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { assertEqualsReference } from './against-reference.ts'
import { Allowances } from './allowances.ts'
import { INVARIANTS, type Invariant } from './check.ts'
import { SimulatedFleet } from './fleet.ts'
import type { ReferenceRun } from './ledger.ts'
import type { SimulatedNode } from './node.ts'
import { signatureOf } from './operator.ts'
import { Promises } from './promises.ts'

const OTHER = '0123456789abcdef' as Digest

/** For each invariant what breaks it, told to the witness as if it had happened. */
const VIOLATIONS: Readonly<Record<Invariant, readonly (readonly [what: string, tell: (fleet: Told) => void])[]>> = {
  I1: [
    [
      'another digest at a floor that somebody had',
      ({ fleet, a, announcement }) => say(fleet, a, { ...announcement, floorDigest: OTHER }),
    ],
    [
      'a node that was set back, has settled what nobody else has, and does not find out',
      ({ fleet, a, b, announcement }) => {
        fleet.witness.allowances.noteSetBack(a.node)
        fleet.witness.allowances.noteResumed(a.member)
        say(fleet, a, { ...announcement, floorDigest: OTHER })
        fleet.witness.checkPromises([a, b])
      },
    ],
    ['a digest that is not the one of the reference', ({ a, run }) => compare(a, { ...run, digestAt: () => OTHER })],
  ],
  I2: [
    [
      'an operation that is late without a backup or a clone',
      ({ fleet, a, b }) => alarm(fleet, a, { name: 'late-operation', member: b.member, seq: 1 }),
    ],
    [
      'a restored backup that nobody restored',
      ({ fleet, a }) => alarm(fleet, a, { name: 'regressed', reason: 'none' }),
    ],
  ],
  I3: [
    [
      'a cut that somebody finds below what it has folded',
      ({ fleet, a, b }) => alarm(fleet, a, { name: 'cut-below-floor', member: b.member, seq: 1 }),
    ],
    ['a cut below what another one has folded, which none of them notices', cutTooLow],
    ['such a cut of one that was set back and does not find out', cutTooLowForEver],
  ],
  I4: [
    [
      'an operation at a stage that was announced',
      ({ fleet, a }) => fleet.witness.noteIssue(a, { ...fleet.issue(a, set('x', 9)), stage: 1 }),
    ],
  ],
  I5: [
    [
      'a stage that is not on the disk',
      ({ fleet, a, announcement }) => say(fleet, a, { ...announcement, stage: announcement.stage + 1 }),
    ],
    [
      'an own seq that is not the one of the vector',
      ({ fleet, a, announcement }) => say(fleet, a, { ...announcement, ownSeq: 99 }),
    ],
    ['an entry that is not on the disk', announceMore],
    [
      'the digest of another vector',
      ({ fleet, a, announcement }) => say(fleet, a, { ...announcement, vectorDigest: OTHER }),
    ],
  ],
  I6: [
    ['an operation that nobody has any more', ({ run, fleet }) => keep(fleet, { ...run, operations: [] })],
    [
      'an operation that stands twice',
      ({ run, fleet }) => keep(fleet, { ...run, operations: [...run.operations, ...run.operations] }),
    ],
  ],
  I7: [
    ['another order', ({ a, run }) => compare(a, { ...run, order: run.order.toReversed() })],
    ['an operation that is missing', ({ a, run }) => compare(a, { ...run, order: [...run.order, 'more'] })],
  ],
  I8: [
    [
      'another outcome',
      ({ a, run }) => compare(a, { ...run, outcomes: new Map(run.order.map((id) => [id, 'refused'])) }),
    ],
    ['another state', ({ a, run }) => compare(a, { ...run, state: new Map(run.state).set('x', 'other') })],
    ['a point too many', ({ a, run }) => compare(a, { ...run, state: new Map(run.state).set('more', 1) })],
    [
      'a conflict that is not listed',
      ({ a, run }) => compare(a, { ...run, conflicts: new Map([['none', {} as never]]) }),
    ],
  ],
}

for (const invariant of Object.keys(INVARIANTS) as Invariant[]) {
  describe(`the simulator notices that ${invariant} is broken (${INVARIANTS[invariant]})`, () => {
    for (const [what, tell] of VIOLATIONS[invariant]) {
      test(`by ${what}`, () => {
        const told = aFleet()
        assert.throws(
          () => tell(told),
          ({ name, message }: Error) => name === 'InvariantBroken' && message.startsWith(`${invariant} (`),
        )
      })
    }
  })
}

interface Told {
  readonly fleet: SimulatedFleet
  readonly a: SimulatedNode
  readonly b: SimulatedNode
  /** What `a` announces. */
  readonly announcement: Announcement
  /** What the reference makes of all that `a` holds. */
  readonly run: ReferenceRun
}

/** Two founders who have settled a few operations and hold more that are not settled. */
function aFleet(): Told {
  const said: Announcement[] = []
  const fleet = new SimulatedFleet({ genesis: genesisOf(2), random: seededRandom(1) })
  const [a, b] = fleet.nodes as [SimulatedNode, SimulatedNode]
  const { noteSend } = fleet.witness
  fleet.witness.noteSend = (node: SimulatedNode, message: Message): void => {
    if (node === a && message.kind === 'announcement' && message.announcement.vector !== null)
      said.push(message.announcement)
    noteSend.call(fleet.witness, node, message)
  }
  fleet.run(1000)
  for (const [index, node] of [a, b, a, b].entries()) {
    fleet.issue(node, set('x', index))
    fleet.run(5000)
  }
  fleet.run(120_000)
  assert.ok(a.replica.floor.stage > 0, 'something is settled')
  fleet.issue(a, set('x', 'open'))
  fleet.run(200)
  const run = fleet.witness.ledger.run(a.replica.inspect(0).vector)
  const announcement = said.at(-1)
  assert.ok(typeof run !== 'string' && announcement !== undefined)
  fleet.witness.checkAgainstReference(a)
  return { fleet, a, b, announcement: statementOf(a, announcement), run }
}

/** What it would announce now. */
function statementOf(node: SimulatedNode, like: Announcement): Announcement {
  const { vector, floor, floorDigest, last } = node.replica.inspect(0)
  const ownSeq = vector.find(({ member }) => member === node.member)?.seq ?? 0
  const held = { stage: last.stage, ownSeq, floor, floorDigest }
  return { ...like, ...held, vector, vectorDigest: vectorDigest(versionVector(vector)) }
}

function say(fleet: SimulatedFleet, node: SimulatedNode, announcement: Announcement): void {
  fleet.witness.noteSend(node, { kind: 'announcement', announcement })
}

function alarm(fleet: SimulatedFleet, node: SimulatedNode, raised: Parameters<Allowances['permits']>[0]): void {
  fleet.witness.noteOutput(node, { kind: 'alarm', alarm: raised })
}

function compare(node: SimulatedNode, run: ReferenceRun): void {
  assertEqualsReference(node, node.replica.inspect(0), run)
}

/** Everybody was told that all is durable. */
function keep(fleet: SimulatedFleet, run: ReferenceRun): void {
  const promises = new Promises()
  const told = fleet.witness.ledger.run(fleet.nodes[0]!.replica.inspect(0).vector)
  assert.ok(typeof told !== 'string')
  for (const operation of told.operations) promises.note(fleet.nodes[0]!, operation, null)
  promises.checkKept(run, fleet.nodes, new Allowances())
}

function announceMore({ fleet, a, b, announcement }: Told): void {
  const entry = { member: b.member, seq: 50, digest: OTHER }
  const vector = [...(announcement.vector ?? []).filter(({ member }) => member !== b.member), entry]
  say(fleet, a, { ...announcement, vector, vectorDigest: vectorDigest(versionVector(vector)) })
}

/** The same with a set back, and another one that has folded it: at the end a is still what it was. */
function cutTooLowForEver({ fleet, a, b }: Told): void {
  fleet.witness.allowances.noteSetBack(a.node)
  fleet.witness.allowances.noteResumed(a.member)
  fleet.network.partition([a.name], [b.name])
  comeToNoCuts(fleet, a, b)
  fleet.witness.checkPromises([a, b])
}

/** The operator retires b, and a comes to a cut below what both have folded: as if a had not held it. */
function cutTooLow({ fleet, a, b }: Told): void {
  fleet.crash(b)
  comeToNoCuts(fleet, a, b)
}

function comeToNoCuts(fleet: SimulatedFleet, a: SimulatedNode, b: SimulatedNode): void {
  const unsigned = { number: 1, counting: [a.member], retired: [b.member] }
  const signature = signatureOf(epochPayload(a.replica.fleet, unsigned))
  a.receive({ kind: 'epoch', epoch: { ...unsigned, signature } })
  fleet.run(5000)
  assert.deepEqual(a.replica.inspect(0).epoch.retired, [b.member])
  fleet.witness.noteOutput(a, { kind: 'store', record: encodeRecord({ kind: 'cuts', cuts: new Map() }), number: 0 })
}
