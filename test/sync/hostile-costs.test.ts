import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { BATCHES_PER_ANSWER_STEP_MAX, STAGE_LEAP_MAX } from '../../runtime/base/limits.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { compareCanonically, type Operation } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { type Batch, firstOf } from '../../runtime/sync/message.ts'
import { decodeFrame } from '../../runtime/sync/message-codec.ts'
import { Receiving } from '../../runtime/sync/receiving.ts'
import { type Recovered, recover } from '../../runtime/sync/recovery.ts'
import { ReplicaCore } from '../../runtime/sync/replica-core.ts'
import { epochDigest } from '../../runtime/sync/epoch.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const NOTHING_STORED: Recovered = { snapshot: null, records: [], last: 0 }
const FLEET = genesisOf(3)
const [A, B] = [founder(FLEET, 0), founder(FLEET, 1)]

/** The third founder. */
function victimOf(): DrivenReplica {
  const victim = new DrivenReplica(FLEET, 2)
  victim.store()
  return victim
}

/** `a` is retired, and nothing of it stands. */
function retireFirst(victim: DrivenReplica): void {
  const epoch = { number: 1, counting: [B, victim.replica.self].sort(), retired: [A], signature: SIGNED }
  victim.give({ kind: 'epoch', epoch })
  victim.store()
  const said = { epoch: 1, newestEpoch: 1, epochDigest: epochDigest(epoch), frozen: [], knowsCuts: false }
  victim.giveMessage({ kind: 'announcement', announcement: announcementOf(victim, B, said) })
  victim.store()
  assert.equal(victim.inspect().epoch.knowsCuts, true)
}

for (const stage of [STAGE_LEAP_MAX + 1, 1e9, Number.MAX_SAFE_INTEGER - 1]) {
  test(`a stage out of reach is refused also behind what was cut: ${stage}`, () => {
    const victim = victimOf()
    retireFirst(victim)
    const liar = new HandIssuer(B, 2)
    liar.issue({ after: { id: { member: A, seq: 5 }, stage }, set: ['x', 1] })
    victim.giveMessage({ kind: 'batch', batch: liar.batches[0]! })
    assert.equal(victim.inspect().journalLength, 0)
    assert.equal(victim.inspect().dropped['operation of a second life of its member'], 1)
    victim.issue(set('own', 1))
    assert.equal(victim.inspect().last.stage, 1)
  })
}

test('stages that nobody has claimed take no memory, however many are left out', () => {
  const victim = victimOf()
  const ground = new HandIssuer(A, 3)
  const first = ground.issue({ set: ['x', 1] })
  victim.giveMessage({ kind: 'batch', batch: ground.batches[0]! })
  const liar = new HandIssuer(B, 2)
  const before = process.memoryUsage().heapUsed
  for (let leap = 1; leap <= 100; leap++) {
    liar.issue({ after: { id: first.id, stage: leap * (STAGE_LEAP_MAX - 1) }, set: ['y', leap] })
    victim.giveMessage({ kind: 'batch', batch: liar.batches.at(-1)! })
  }
  const { journalLength, last } = victim.inspect()
  assert.equal(journalLength, 101)
  assert.ok(last.stage > 99 * STAGE_LEAP_MAX)
  const grownBytes = process.memoryUsage().heapUsed - before
  assert.ok(grownBytes < 32 * 1024 * 1024, `${grownBytes} bytes for 100 operations`)
  victim.issue(set('own', 1))
  victim.store()
  const disk = { snapshot: victim.snapshot, records: victim.records, last: victim.lastStored }
  assert.deepEqual(new DrivenReplica(FLEET, 2, disk).inspect().last, victim.inspect().last)
})

/** How often anybody has looked at what stands in a batch that {@link counted} has returned. */
let looksAtCounted = 0

function counted(batch: Batch): Batch {
  const { messages } = batch
  return Object.defineProperty({ ...batch }, 'messages', {
    get: () => {
      looksAtCounted += 1
      return messages
    },
  })
}

function looksOf(act: () => void): number {
  looksAtCounted = 0
  act()
  return looksAtCounted
}

function manyFounders(count: number): Genesis {
  const founders = Array.from({ length: count }, (_, index) => {
    return { node: (index + 1).toString(16).padStart(16, '0') as NodeId, tier: 1 }
  })
  return { name: 'many', founders }
}

/** What is inside of the first founder. */
function coreOf(genesis: Genesis): ReplicaCore {
  const options = { self: founder(genesis, 0), genesis, random: seededRandom(1), recovered: NOTHING_STORED }
  return new ReplicaCore(options, recover(options.self, genesis, new Uint8Array(), NOTHING_STORED, options.random))
}

test('what one operation releases costs as much for many members as for few', () => {
  const released = (members: number): number => {
    const genesis = manyFounders(members + 2)
    const core = coreOf(genesis)
    const receiving = new Receiving(core)
    const ground = new HandIssuer(founder(genesis, 1), 1)
    const first = ground.issue({ set: ['x', 1] })
    const operations = 12_000 / members
    for (let index = 0; index < members; index++) {
      const issuer = new HandIssuer(founder(genesis, index + 2), 1)
      for (let after = first, seq = 1; seq <= operations; seq++)
        after = issuer.issue({ after, set: [`p${index}`, seq] })
      for (const batch of issuer.batches) receiving.batch(counted(batch), 'air', 1000)
    }
    assert.equal(core.history.journal.length, 0)
    const looked = looksOf(() => receiving.batch(ground.batches[0]!, 'air', 1000))
    assert.equal(core.history.journal.length, 12_001)
    return looked
  }
  const [few, many] = [released(12), released(2000)]
  assert.ok(few > 12_000 && many < 4 * few, `${many} looks of 2,000 members, ${few} of 12`)
})

/** A core that holds a join by each of the `sponsors` last founders, and 100 batches that wait for what none of them has issued. */
function coreWithWaiting(sponsors: number): { core: ReplicaCore; receiving: Receiving; looks: () => number } {
  const genesis = manyFounders(sponsors + 3)
  const core = coreOf(genesis)
  const receiving = new Receiving(core)
  for (let index = 0; index < sponsors; index++) {
    const sponsor = new HandIssuer(founder(genesis, index + 3), 1)
    sponsor.issue({ join: admit(life('n', index + 1), 1) })
    receiving.batch(sponsor.batches[0]!, 'air', 1000)
  }
  const ahead = new HandIssuer(founder(genesis, 2), 1)
  for (let seq = 1; seq <= 101; seq++) ahead.issue({ set: ['waits', seq] })
  for (const batch of ahead.batches.slice(1)) receiving.batch(batch, 'air', 1000)
  const waitsForJoined = new HandIssuer(founder(genesis, 1), 1)
  waitsForJoined.issue({ after: { id: { member: life('n', 1), seq: 5 }, stage: 6 }, set: ['behind', 1] })
  receiving.batch(waitsForJoined.batches[0]!, 'air', 1000)
  assert.deepEqual([core.history.journal.length, core.history.waitingList.length], [sponsors, 101])
  let looks = 0
  core.history.problemOf = () => {
    looks += 1
    return null
  }
  return { core, receiving, looks: () => looks }
}

test('where many operations are late only what waits for those who leave with them is looked at again', () => {
  for (const sponsors of [1, 50]) {
    const { core, receiving, looks } = coreWithWaiting(sponsors)
    const { genesis } = core.options
    const parts = { floor: 1, stage: 1, vector: [] }
    const said = announcementOf(new DrivenReplica(genesis, 0), founder(genesis, 2), parts)
    receiving.announcement(said, new Uint8Array(), 'air', 1000)
    assert.deepEqual([core.history.journal.length, core.history.waitingList.length], [1, 100])
    assert.equal(core.history.local.get('behind' as Path), 1, 'nobody will ever hold what it follows')
    assert.equal(looks(), 1)
  }
})

test('so where a retired member shows joins that do not stand, as many as it likes', () => {
  const { core, receiving, looks } = coreWithWaiting(1)
  const retired = founder(core.options.genesis, 3)
  const epoch = { number: 1, counting: [core.self], retired: [retired], signature: SIGNED }
  core.history.retirement.begin({ epoch, before: 0, frozen: new Map(), cuts: null })
  core.remove(core.history.cut(new Map()))
  core.reconsiderGone()
  assert.deepEqual([core.history.waitingList.length, looks()], [100, 1])
  const liar = new HandIssuer(retired, 1)
  for (let nonce = 1; nonce <= 50; nonce++) liar.issue({ join: admit(life('o', nonce), 1) })
  for (const batch of liar.batches) receiving.batch(batch, 'air', 1000)
  assert.equal(core.history.retirement.evidence.size, 51)
  assert.equal(looks(), 1)
})

test('many claims on one place cost little more than claims on places of their own', () => {
  const claimed = (stageOf: (seq: number) => number): number => {
    const core = coreOf(manyFounders(3))
    const receiving = new Receiving(core)
    const issuer = new HandIssuer(founder(core.options.genesis, 1), 1)
    const template = issuer.issue({ set: ['x', 1] })
    const claims = Array.from({ length: 12_000 }, (_, index): Batch => {
      // Each is better than all before it.
      const seq = 12_001 - index
      const previous = { id: { member: founder(core.options.genesis, 2), seq: 7 }, stage: stageOf(seq) }
      const current = { ...template, id: { member: issuer.member, seq: seq + 1 }, stage: previous.stage + 1 }
      return counted(sealBatch(issuer.member, EMPTY_DIGEST, [{ current, previous }]))
    })
    const looked = looksOf(() => {
      for (const batch of claims) receiving.batch(batch, 'air', 1000)
    })
    assert.equal(core.history.waitingList.length, claims.length)
    return looked
  }
  const [apart, together] = [claimed((seq) => seq), claimed(() => 7)]
  assert.ok(apart > 12_000 && together < 6 * apart, `${together} looks on one place, ${apart} apart`)
})

test('of all that an answer is asked for each step looks at little more than it sends', () => {
  const members = 300
  const genesis = manyFounders(members + 2)
  const core = coreOf(genesis)
  const receiving = new Receiving(core)
  const issuers = Array.from({ length: members }, (_, index) => new HandIssuer(founder(genesis, index + 2), 1))
  for (const issuer of issuers) {
    for (let seq = 1, after: Operation | null = null; seq <= 20; seq++)
      after = issuer.issue({ after, set: [`of/${issuer.member.slice(0, 16)}`, seq] })
    for (const batch of issuer.batches) receiving.batch(batch, 'air', 1000)
  }
  let looked = 0
  for (const log of core.history.logs()) {
    const between = log.between.bind(log)
    log.between = (...range) => {
      const batches = between(...range)
      looked += batches.length
      return batches
    }
  }
  core.antiEntropy.noteLinkUp('air', 1000)
  const gaps = issuers.map(({ member }) => ({ member, after: 0, through: Number.MAX_SAFE_INTEGER }))
  core.antiEntropy.noteRequest({ from: founder(genesis, 1), to: core.self, gaps }, 'air', 1000)
  const sent = core.antiEntropy
    .tick(1000)
    .flatMap((output) => (output.kind === 'send' ? [decodeFrame(core.fleet, output.frame)] : []))
    .flatMap((message) => (message.kind === 'batch' ? [firstOf(message.batch).current] : []))
  assert.equal(sent.length, BATCHES_PER_ANSWER_STEP_MAX)
  assert.deepEqual(sent, sent.toSorted(compareCanonically))
  assert.ok(looked <= members + 2 * BATCHES_PER_ANSWER_STEP_MAX, `${looked} of 6,000`)
})

test('a member that takes back its own operations with every word is shown one of them a second, however large', () => {
  const victim = victimOf()
  const ofB = new HandIssuer(B, 2)
  ofB.issue({ set: ['x', 'long'.repeat(1000)] })
  victim.giveMessage({ kind: 'batch', batch: ofB.batches[0]! })
  victim.store()
  const shownIn = (seconds: number): number => {
    let shown = 0
    for (let second = 0; second < seconds; second++) {
      for (let count = 0; count < 200; count++)
        shown += victim.batchesIn(
          victim.giveMessage({ kind: 'announcement', announcement: announcementOf(victim, B, { vector: [] }) }),
        ).length
      victim.wait(1000)
    }
    return shown
  }
  assert.equal(shownIn(1), 1)
  assert.equal(shownIn(5), 5)
})

test('what one request costs does not grow with what is held', () => {
  const answered = (held: number): number => {
    const core = coreOf(manyFounders(3))
    const receiving = new Receiving(core)
    const [asker, member] = [founder(core.options.genesis, 1), founder(core.options.genesis, 2)]
    const issuer = new HandIssuer(member, 1)
    for (let seq = 1, after: Operation | null = null; seq <= held; seq++) {
      after = issuer.issue({ after, set: ['x', seq] })
      receiving.batch(counted(issuer.batches.at(-1)!), 'air', 1000)
    }
    core.antiEntropy.noteLinkUp('air', 1000)
    const gaps = [{ member, after: 0, through: Number.MAX_SAFE_INTEGER }]
    return looksOf(() => {
      for (let count = 0; count < 200; count++) receiving.request({ from: asker, to: core.self, gaps }, 'air', 1000)
      const sent = core.antiEntropy.tick(1000).filter(({ kind }) => kind === 'send')
      assert.equal(sent.length, BATCHES_PER_ANSWER_STEP_MAX)
    })
  }
  const [few, many] = [answered(100), answered(20_000)]
  assert.ok(few > 200 && many < 3 * few, `${many} looks of 20,000 held, ${few} of 100`)
})
