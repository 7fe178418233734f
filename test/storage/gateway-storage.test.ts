import assert from 'node:assert/strict'
import { mkdtemp, open as openFile, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import {
  DISK_CHECK_MS,
  DISK_FREE_REFUSAL_BYTES,
  DISK_FREE_WARNING_BYTES,
  FRAME_BYTES_MAX,
  PENDING_OPERATIONS_MAX,
  PENDING_RECORD_BYTES_MAX,
  PENDING_REMOTE_FACTOR,
} from '../../runtime/base/limits.ts'
import { loadProfile } from '../../runtime/device/profiles/load.ts'
import type { ResourceProperties } from '../../runtime/device/profiles/profile.ts'
import { readDataDirectory } from '../../runtime/gateway/data-directory.ts'
import { exportDataDirectory } from '../../runtime/gateway/data-export.ts'
import { statusOf } from '../../runtime/gateway/inspection.ts'
import { openGateway, type Gateway, type GatewayOptions } from '../../runtime/gateway/gateway.ts'
import { memoryHub } from '../../runtime/links/memory/memory-link.ts'
import { JournalStore } from '../../runtime/storage/journal-store.ts'
import { MemoryStore } from '../../runtime/storage/memory-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import type { Store } from '../../runtime/storage/store.ts'
import { estimateWear } from '../../runtime/storage/wear.ts'
import { WearFile } from '../../runtime/storage/wear-file.ts'
import { fleetIdOf, type Genesis } from '../../runtime/sync/membership.ts'
import { realClock, SteppedClock, until } from '../links/clocks.ts'
import { onFullDisk } from '../support/full-disk.ts'
import { OWNER, SimulatedBench } from '../support/store-bench.ts'

const ANNA = '0200000000000001' as NodeId
const BERT = '0200000000000002' as NodeId
const ALONE: Genesis = { name: 'alone', founders: [{ node: ANNA, tier: 0 }] }
const PAIR: Genesis = {
  name: 'pair',
  founders: [
    { node: ANNA, tier: 1 },
    { node: BERT, tier: 0 },
    // It is never heard, so nothing is settled and everybody keeps all operations.
    { node: '0200000000000003' as NodeId, tier: 0 },
  ],
}

describe('A gateway with little room on its disk', () => {
  it('warns, then refuses local changes and keeps what is there, and goes on by itself', async (t) => {
    const bench = new SimulatedBench(1, 1024 * 1024)
    const clock = new SteppedClock()
    const gateway = await open(t, { storage: bench.store(), clock })
    await gateway.state.set('lamp', 1).durable
    const used = gateway.storage().diskBytes
    const look = async (freeBytes: number): Promise<void> => {
      bench.fileSystem.capacityBytes = used + freeBytes
      const end = clock.now() + DISK_CHECK_MS
      while (clock.now() < end && clock.step()) await new Promise(setImmediate)
      await new Promise(setImmediate)
    }
    await look(DISK_FREE_WARNING_BYTES - 1_000_000)
    assert.equal(gateway.storage().space, 'low')
    await gateway.state.set('lamp', 2).durable
    await look(DISK_FREE_REFUSAL_BYTES - 1_000_000)
    assert.throws(() => gateway.state.set('lamp', 3), { code: 'disk-full', message: /^\/data: .*free some space/ })
    assert.deepEqual([gateway.state.get('lamp'), gateway.storageProblem()?.code], [2, 'disk-full'])
    await look(DISK_FREE_WARNING_BYTES + 10_000_000)
    await gateway.state.set('lamp', 4).durable
    assert.equal(gateway.storageProblem(), null)
  })
})

describe('A gateway whose disk is slow', () => {
  it('refuses local changes beyond a bound, and takes them again once the disk has caught up', async (t) => {
    const storage = new StalledStore()
    t.after(() => storage.goOn())
    const gateway = await open(t, { storage })
    storage.isStalled = true
    for (let turn = 0; turn < PENDING_OPERATIONS_MAX; turn += 1) gateway.state.set(`point${turn % 512}`, turn)
    assert.throws(() => gateway.state.set('lamp', -1), { code: 'limit-reached', message: /the disk is too slow/ })
    storage.goOn()
    await until(() => gateway.storage().pendingOperations === 0, 'the disk has caught up')
    await gateway.state.set('lamp', -2).durable
    assert.equal(gateway.storage().pendingBytes, 0)
  })

  it('drops what others send beyond a bound, and has all of it once the disk has caught up', async (t) => {
    const hub = memoryHub({ clock: realClock })
    const storage = new StalledStore()
    t.after(() => storage.goOn())
    const fleet: Genesis = { name: 'two', founders: PAIR.founders.slice(0, 2) }
    const anna = await open(t, { fleet, links: [() => hub.link(ANNA)] })
    const bert = await open(t, { fleet, node: BERT, storage, links: [() => hub.link(BERT)] })
    anna.state.set('first', 1)
    await until(() => bert.state.get('first') === 1, 'they have met')
    storage.isStalled = true
    const random = seededRandom(1)
    // Three of the largest values, so that few operations fill the bound; a frame of them cannot be packed smaller.
    const values = ['a', 'b', 'c'].map(() => Array.from({ length: 2300 }, () => random.uint32().toString(36)).join(''))
    const bytesMax = PENDING_REMOTE_FACTOR * PENDING_RECORD_BYTES_MAX
    let count = 0
    for (; bert.storage().framesDropped === 0; count += 1) {
      assert.ok(count < bytesMax / 1000, 'bert has room without end')
      await anna.state.transaction((change) =>
        values.forEach((value, index) => change.set(`point${count}/${index}`, value)),
      ).durable
      await new Promise(setImmediate)
    }
    assert.ok(bert.storage().pendingBytes < bytesMax + FRAME_BYTES_MAX)
    storage.goOn()
    await until(() => bert.state.entries().length === 3 * count + 1, 'bert has all points')
    await until(() => bert.storage().pendingBytes === 0, 'all is on its disk')
    assert.deepEqual(bert.state.entries(), anna.state.entries())
  })
})

describe('A gateway whose medium fails once', () => {
  it('raises an alarm and loses nothing', async (t) => {
    const bench = new SimulatedBench(1, 1024 * 1024)
    const gateway = await open(t, { storage: bench.store() })
    let isOver = false
    bench.fileSystem.intercept = ({ kind, path }) => {
      if (isOver || kind !== 'sync' || !path.includes('journal-')) return null
      isOver = true
      return { code: 'EIO' }
    }
    await gateway.state.set('lamp', 1).durable
    await gateway.state.set('lamp', 2).durable
    assert.deepEqual(gateway.alarms(), [{ name: 'medium-failing', errors: 1 }])
    // Nothing depends on the segment that failed any longer: the store asked for snapshots at once.
    await until(() => gateway.storage().snapshotThrough > 0, 'a snapshot is cut')
  })
})

describe('A gateway whose journal is damaged', () => {
  it('raises an alarm and has from the others what its own disk has lost and they still keep', async (t) => {
    await loseAndRecover(t, PAIR)
  })

  it('has it also where the others have settled and folded it: by their snapshot', async (t) => {
    const { anna, bert } = await loseAndRecover(t, { name: 'two', founders: PAIR.founders.slice(0, 2) })
    await anna.state.set('lamp', 1).durable
    await until(() => bert.state.get('lamp') === 1, 'bert follows anna')
    await bert.state.set('lamp', 2).durable
    await until(() => anna.state.get('lamp') === 2, 'anna follows bert')
  })
})

/** Bert takes twenty points of anna; one page in the middle of his journal decays while he is down. */
async function loseAndRecover(t: TestContext, fleet: Genesis): Promise<{ anna: Gateway; bert: Gateway }> {
  const hub = memoryHub({ clock: realClock })
  const link = hub.link(BERT)
  const bench = new SimulatedBench(1, 1024 * 1024)
  const owner = { fleet: fleetIdOf(fleet), node: BERT }
  const anna = await open(t, { fleet, links: [() => hub.link(ANNA)] })
  const openBert = (): Promise<Gateway> =>
    openGateway({ fleet, node: BERT, storage: bench.store(owner), links: [() => link], clock: realClock })
  const before = await openBert()
  for (let turn = 1; turn <= 20; turn += 1) {
    anna.state.set(`point${turn}`, turn)
    await until(() => before.state.get(`point${turn}`) === turn, `bert has point ${turn}`)
  }
  await until(() => before.storage().pendingRecords === 0, 'all is on the disk of bert')
  const isWhole = fleet.founders.length === 2
  if (isWhole) await until(() => anna.inspect().floor >= 20, 'anna has settled all of it')
  await before.close()
  bench.fileSystem.bytesOf('/data/journal-0001').fill(0x55, 5 * 4096, 6 * 4096)
  const bert = await openBert()
  t.after(() => bert.close())
  assert.deepEqual(
    bert.alarms().map(({ name }) => name),
    ['storage-damaged'],
  )
  assert.ok(bert.state.entries().length < 20)
  await until(() => bert.state.entries().length === 20, 'bert has all points again')
  assert.deepEqual(bert.state.entries(), anna.state.entries())
  return { anna, bert }
}

describe('What a profile says of persistence', () => {
  it('decides whether a change has a commit of its own or shares one within a second', async (t) => {
    const clock = new SteppedClock()
    const gateway = await open(t, { storage: new MemoryStore(), clock })
    const commits = (): number => gateway.storage().commits
    await gateway.state.set('lamp', 1).durable
    const first = commits()
    await gateway.state.set('lamp', 2).durable
    assert.equal(commits(), first + 1)
    const gathered = [3, 4, 5, 6].map((value) => gateway.state.report('lamp', value))
    await new Promise(setImmediate)
    assert.equal(commits(), first + 1, 'nothing is written within the window')
    while (clock.now() < 1000 && clock.step()) await new Promise(setImmediate)
    await Promise.all(gathered.map(async (receipt) => await receipt?.durable))
    assert.equal(commits(), first + 2)
  })

  it('is asked for readings too: one that is to be kept always has a commit of its own', async (t) => {
    const clock = new SteppedClock()
    const profile = loadProfile('device-profiles/generic-linux.yaml').profile
    const deviceResources = profile.deviceResources.map((resource) =>
      resource.name === 'load' ? { ...resource, properties: kept(resource.properties) } : resource,
    )
    const gateway = await open(t, { clock, device: 'd', profile: { ...profile, deviceResources } })
    const before = gateway.storage().commits
    await gateway.state.report('d/load', 0.5)?.durable
    assert.equal(gateway.storage().commits, before + 1, 'without any time passing')
  })
})

function kept(properties: ResourceProperties): ResourceProperties {
  return { ...properties, optional: { ...properties.optional, persist: 'always' } }
}

describe('A data directory of a stopped gateway', () => {
  it('is read as a start would, exported whole, and left as it is; while it is in use it is refused', async (t) => {
    const above = await mkdtemp(join(tmpdir(), 'fleetstep-data-'))
    t.after(() => rm(above, { recursive: true }))
    const directory = join(above, 'data')
    const store = new JournalStore({ fileSystem: nodeFileSystem, processes: nodeProcessTable, directory, owner: OWNER })
    await store.open()
    for (const byte of [1, 2, 3, 4]) await store.commit([Uint8Array.of(byte)])
    await store.snapshot(Uint8Array.of(9), 2)
    await assert.rejects(readDataDirectory(directory), { code: 'data-directory-locked' })
    await store.close()
    const before = await contentOf(directory)
    const report = await exportDataDirectory(directory, join(above, 'export'))
    assert.deepEqual(
      [report.isWhole, report.lastRecord, report.snapshotThrough, report.recordsAfterSnapshot, report.node],
      [true, 4, 2, 2, OWNER.node],
    )
    const lines = (await readFile(join(above, 'export'), 'utf8')).trim().split('\n')
    assert.deepEqual(
      lines.slice(1, -1).map((line) => JSON.parse(line) as unknown),
      [
        { snapshot: 'CQ==', through: 2 },
        { record: 3, bytes: 'Aw==' },
        { record: 4, bytes: 'BA==' },
      ],
    )
    await assert.rejects(exportDataDirectory(directory, join(above, 'export')), { code: 'usage' })
    const onFull = onFullDisk(100, () => exportDataDirectory(directory, join(above, 'other')))
    await assert.rejects(onFull, { code: 'disk-full', exitCode: 5, message: /other cannot be written .*has room/ })
    assert.deepEqual((await readdir(above)).toSorted(), ['data', 'export'], 'no part of it stays')
    const file = await openFile(join(directory, 'journal-0001'), 'r+')
    await file.write(Uint8Array.of(0x55), 0, 1, 3 * 4096 + 50)
    await file.close()
    const damaged = await readDataDirectory(directory)
    assert.deepEqual([damaged.report.isWhole, damaged.report.lastRecord], [false, 2])
    await rm(join(above, 'export'))
    const touched = await contentOf(directory)
    assert.deepEqual([...touched.keys()], [...before.keys()])
    await assert.rejects(readDataDirectory(above), { code: 'data-directory-damaged', message: /holds no data/ })
  })
})

describe('The life of a card', () => {
  it('is its endurance over what is written a day, with the amplification of the card', () => {
    assert.deepEqual(estimateWear(1e9, 3_599_999, 16), { bytesPerDay: null, cardLifeYears: null })
    assert.deepEqual(estimateWear(0, 3_600_000, 16), { bytesPerDay: 0, cardLifeYears: null })
    // 4096 bytes a second: 354 MB a day, 1.4 GB within the card.
    const { bytesPerDay, cardLifeYears } = estimateWear(4096 * 3600, 3_600_000, 16)
    assert.equal(bytesPerDay, 353_894_400)
    assert.ok(cardLifeYears !== null && Math.abs(cardLifeYears - 30.97) < 0.01, String(cardLifeYears))
  })

  it('is estimated from all runs of a gateway on its directory, with the endurance that it was told', async (t) => {
    const { fileSystem } = new SimulatedBench(1)
    const clock = new SteppedClock()
    const run = async (ms: number, end: 'close' | 'kill'): Promise<number> => {
      const owner = { fleet: fleetIdOf(ALONE), node: ANNA }
      const { processes } = fileSystem
      const storage = new JournalStore({ fileSystem, processes, directory: '/data', owner, clock })
      const gateway = await open(t, { storage, clock, cardEnduranceTb: 1 })
      await gateway.state.set('lamp', ms).durable
      const endsAt = clock.now() + ms
      while (clock.now() < endsAt && clock.step()) await new Promise(setImmediate)
      const before = statusOf(gateway).storage
      if (end === 'kill') fileSystem.kill()
      else await gateway.close()
      const { lifetime, bytesPerDay, cardLifeYears } = before
      assert.ok(lifetime !== null && bytesPerDay !== null && cardLifeYears !== null)
      assert.equal(bytesPerDay, Math.round((lifetime.bytes / lifetime.ms) * 86_400_000))
      assert.ok(Math.abs(cardLifeYears - 1e12 / (bytesPerDay * 4 * 365)) < 1e-6)
      return lifetime.bytes
    }
    const first = await run(3_700_000, 'close')
    // Within its own first hour, and counted on from the run before.
    const second = await run(60_000, 'kill')
    assert.ok(second > first)
    // The kill lost what that run had added, bytes and time alike.
    const third = await run(60_000, 'close')
    assert.ok(third > first && third - first < 2 * (second - first))
  })

  it('is unknown, and nothing worse, when its figures cannot be read or kept', async () => {
    const bench = new SimulatedBench()
    for (const text of ['', '{}', '{"bytes":-1,"ms":1}', '{"bytes":"1","ms":1}']) {
      bench.fileSystem.put('/data/wear.json', new TextEncoder().encode(text))
      assert.deepEqual(await new WearFile(bench.fileSystem, '/data').load(), { bytes: 0, ms: 0 })
    }
    bench.fileSystem.intercept = ({ path }) => (path.includes('wear') ? { code: 'ENOSPC' } : null)
    await new WearFile(bench.fileSystem, '/data').save({ bytes: 1, ms: 1 })
  })
})

/** Its disk takes nothing until it is told to go on. */
class StalledStore extends MemoryStore {
  isStalled = false
  #waiting: (() => void)[] = []

  override async commit(records: readonly Uint8Array[]): Promise<number> {
    if (this.isStalled) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return await super.commit(records)
  }

  goOn(): void {
    this.isStalled = false
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

async function open(t: TestContext, options: Partial<GatewayOptions> & { storage?: Store }): Promise<Gateway> {
  const gateway = await openGateway({
    fleet: ALONE,
    node: ANNA,
    storage: new MemoryStore(),
    links: [],
    clock: realClock,
    ...options,
  })
  t.after(() => gateway.close())
  return gateway
}

async function contentOf(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('lock-')).toSorted()
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)))
}
