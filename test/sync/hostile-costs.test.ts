import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { BATCHES_PER_ANSWER_STEP_MAX, STAGE_LEAP_MAX } from '../../runtime/base/limits.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Batch, Request } from '../../runtime/sync/message.ts'
import { Receiving } from '../../runtime/sync/receiving.ts'
import { type Recovered, recover } from '../../runtime/sync/recovery.ts'
import { ReplicaCore } from '../../runtime/sync/replica-core.ts'
import { epochDigest } from '../../runtime/sync/epoch.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
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

/** Milliseconds of processor time, whatever else the machine does. */
function cpuMsOf(act: () => void): number {
  const before = process.cpuUsage()
  act()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function manyFounders(count: number): Genesis {
  const founders = Array.from({ length: count }, (_, index) => {
    return { node: (index + 1).toString(16).padStart(16, '0') as NodeId, tier: 1 }
  })
  return { name: 'many', founders }
}

test('what one operation releases costs as much for many members as for few', () => {
  const released = (members: number): number => {
    const genesis = manyFounders(members + 2)
    const victim = new DrivenReplica(genesis, members + 1)
    const ground = new HandIssuer(founder(genesis, 0), 1)
    const first = ground.issue({ set: ['x', 1] })
    const operations = 12_000 / members
    for (let index = 1; index <= members; index++) {
      const issuer = new HandIssuer(founder(genesis, index), 1)
      for (let after = first, seq = 1; seq <= operations; seq++)
        after = issuer.issue({ after, set: [`p${index}`, seq] })
      for (const batch of issuer.batches) victim.giveMessage({ kind: 'batch', batch })
    }
    assert.equal(victim.inspect().journalLength, 0)
    const cpuMs = cpuMsOf(() => victim.giveMessage({ kind: 'batch', batch: ground.batches[0]! }))
    assert.equal(victim.inspect().journalLength, 12_001)
    return cpuMs
  }
  released(12)
  const [few, many] = [released(12), released(2000)]
  assert.ok(many < 6 * few, `${many} ms of 2,000 members, ${few} ms of 12`)
})

test('all that waits is looked at once, however many members have issued what one announcement shows to be late', () => {
  const looksAfter = (members: number): number => {
    const genesis = manyFounders(members + 3)
    const options = { self: founder(genesis, 0), genesis, random: seededRandom(1), recovered: NOTHING_STORED }
    const core = new ReplicaCore(
      options,
      recover(options.self, genesis, new Uint8Array(), NOTHING_STORED, options.random),
    )
    const receiving = new Receiving(core)
    const [announcer, ahead] = [founder(genesis, 1), new HandIssuer(founder(genesis, 2), 1)]
    for (let index = 0; index < members; index++) {
      const late = new HandIssuer(founder(genesis, index + 3), 1)
      late.issue({ set: [`late/${index}`, 1] })
      receiving.batch(late.batches[0]!, 'air', 1000)
    }
    assert.equal(core.history.journal.length, members)
    ahead.issue({ set: ['missing', 1] })
    for (let count = 0; count < 100; count++) ahead.issue({ after: null, set: ['waits', count] })
    for (const batch of ahead.batches.slice(1)) receiving.batch(batch, 'air', 1000)
    assert.equal(core.history.waitingList.length, 100)
    let looks = 0
    core.history.problemOf = () => {
      looks += 1
      return null
    }
    const said = announcementOf(new DrivenReplica(genesis, 0), announcer, { floor: 1, stage: 1, vector: [] })
    receiving.announcement(said, new Uint8Array(), 'air', 1000)
    assert.equal(core.history.journal.length, 0)
    assert.equal(core.history.waitingList.length, 100)
    return looks
  }
  assert.deepEqual([looksAfter(1), looksAfter(50)], [100, 100])
})

test('many claims on one place cost as much as claims on places of their own', () => {
  const claimed = (stageOf: (seq: number) => number): number => {
    const victim = victimOf()
    const template = new HandIssuer(B, 2).issue({ set: ['x', 1] })
    const claims = Array.from({ length: 12_000 }, (_, index): Batch => {
      // Each is better than all before it.
      const seq = 12_001 - index
      const previous = { id: { member: A, seq: 7 }, stage: stageOf(seq) }
      const current = { ...template, id: { member: B, seq: seq + 1 }, stage: previous.stage + 1 }
      return sealBatch(B, EMPTY_DIGEST, [{ current, previous }])
    })
    return cpuMsOf(() => {
      for (const batch of claims) victim.giveMessage({ kind: 'batch', batch })
    })
  }
  claimed((seq) => seq)
  const [apart, together] = [claimed((seq) => seq), claimed(() => 7)]
  assert.ok(together < 6 * apart, `${together} ms on one place, ${apart} ms apart`)
})

test('what one request costs does not grow with what is held', () => {
  const answered = (held: number): number => {
    const victim = victimOf()
    const issuer = new HandIssuer(B, 2)
    for (let seq = 1, after: Operation | null = null; seq <= held; seq++) {
      after = issuer.issue({ after, set: ['x', seq] })
      victim.giveMessage({ kind: 'batch', batch: issuer.batches.at(-1)! })
    }
    victim.store()
    const to = victim.replica.self
    const request: Request = { from: A, to, gaps: [{ member: B, after: 0, through: Number.MAX_SAFE_INTEGER }] }
    return cpuMsOf(() => {
      for (let count = 0; count < 200; count++) {
        const answer = victim.giveMessage({ kind: 'request', request })
        assert.equal(victim.batchesIn(count === 0 ? answer : []).length, count === 0 ? BATCHES_PER_ANSWER_STEP_MAX : 0)
        victim.outputs.length = 0
      }
    })
  }
  answered(100)
  const [few, many] = [answered(100), answered(20_000)]
  assert.ok(many < 6 * few, `${many} ms of 20,000 held, ${few} ms of 100`)
})
