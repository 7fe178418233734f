import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import type { JournalStore } from '../../runtime/storage/journal-store.ts'
import type { CrashMode } from '../support/simulated-file-system.ts'
import { record, texts } from '../support/store-acceptance.ts'
import { SimulatedBench } from '../support/store-bench.ts'

/*
 *   life 1: commits, snapshots, a clean stop ── killed or power cut at operation n ──┐
 *   life 2: recovers, commits on             ── power cut at operation m ────────────┤
 *   life 3: recovers                                                                 ┘
 *
 * Each life checks what it finds against what the lives before were told, for every n, for each way in which a disk
 * treats what was in flight.
 */
describe('After a power cut at any moment', () => {
  for (const mode of ['drop', 'torn', 'junk'] as const) {
    it(`nothing acknowledged is lost and nothing else appears (writes in flight: ${mode})`, async () => {
      let cuts = 0
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        for (let operation = 0; ; operation += 1) {
          const ended = await cutAt(operation, mode, seed)
          if (ended) break
          cuts += 1
        }
      }
      assert.ok(cuts > 100 * SEEDS, `only ${cuts} moments were tried`)
    })
  }

  it('or a kill after a failed flush, what was recovered survives the next power cut', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    await first.commit([record('a')])
    bench.fileSystem.intercept = ({ kind, path }) =>
      kind === 'sync' && path.includes('journal-') ? { code: 'EIO' } : null
    await assert.rejects(first.commit([record('b')]), { code: 'storage-failed' })
    bench.fileSystem.intercept = () => null
    bench.fileSystem.kill()
    const second = bench.store()
    const seen = texts((await second.open()).records)
    bench.fileSystem.crash('drop')
    const third = bench.store()
    const recovered = await third.open()
    assert.deepEqual(seen, ['a', 'b'])
    assert.deepEqual(texts(recovered.records), seen)
    assert.equal(recovered.damaged, false)
  })

  it('what follows a flush that failed survives it, wherever in a segment that was used before', async () => {
    for (let before = 0; before < 40; before += 1) {
      const bench = new SimulatedBench()
      const accepted: string[] = []
      const commit = async (store: JournalStore, text: string): Promise<void> => {
        await store.commit([record(text)])
        accepted.push(text)
      }
      const first = bench.store()
      await first.open()
      for (let count = 1; count <= before; count += 1) {
        await commit(first, `${count}`)
        if (count % 3 === 0) await first.snapshot(record('state'), count)
      }
      const through = first.info().snapshotThrough
      bench.fileSystem.intercept = ({ kind, path }) =>
        kind === 'sync' && path.includes('journal-') ? { code: 'EROFS' } : null
      await assert.rejects(first.commit([record('in flight')]), { code: 'storage-failed' })
      bench.fileSystem.intercept = () => null
      bench.fileSystem.kill()
      const second = bench.store()
      const { last } = await second.open()
      if (last > accepted.length) accepted.push('in flight')
      for (const text of ['x', 'y', 'z']) await commit(second, text)
      bench.fileSystem.crash('drop')
      const third = bench.store()
      const recovered = await third.open()
      assert.deepEqual(texts(recovered.records), accepted.slice(through), `after ${before} commits`)
      assert.equal(recovered.damaged, false)
      for (let count = 1; count <= 12; count += 1) await commit(third, `more ${count}`)
      bench.fileSystem.crash('drop')
      assert.deepEqual(
        texts((await bench.store().open()).records),
        accepted.slice(through),
        'no segment of them is used',
      )
    }
  })
})

const SEEDS = 2

/** What the store has told so far. A record's text never comes twice, so an old one cannot pass for a new one. */
interface Told {
  readonly accepted: string[]
  inFlight: string[]
  snapshotThrough: number
  snapshotInFlight: number
  life: number
}

/** Runs the lives. True if the first one came to its end before the operation. */
async function cutAt(operation: number, mode: CrashMode, seed: number): Promise<boolean> {
  const bench = new SimulatedBench(seed * 1000 + operation)
  const told: Told = { accepted: [], inFlight: [], snapshotThrough: 0, snapshotInFlight: 0, life: 0 }
  const random = seededRandom(seed)
  bench.fileSystem.cutPowerAt(operation)
  if (!(await live(bench, told, 26, random.uint32()))) return true
  // A kill leaves what was written in the page cache: seen, relied upon, and not on the medium.
  if ((operation + seed) % 2 === 0) bench.fileSystem.kill()
  else bench.fileSystem.crash(mode)
  bench.fileSystem.cutPowerAt((operation * 7 + seed) % 40)
  await live(bench, told, 9, random.uint32())
  bench.fileSystem.crash(mode)
  await live(bench, told, 2, random.uint32())
  return false
}

/** One life: opens, checks, commits and cuts snapshots, closes. True if the power went meanwhile. */
async function live(bench: SimulatedBench, told: Told, commits: number, seed: number): Promise<boolean> {
  const random = seededRandom(seed)
  const store = bench.store()
  told.life += 1
  try {
    check(told, await store.open())
    for (let turn = 0; turn < commits; turn += 1) {
      await commitSome(store, told, random.uint32())
      if (turn % 3 === 2) await cutSnapshot(store, told)
    }
    await store.close()
    return false
  } catch (error) {
    if (bench.fileSystem.isPowerCut) return true
    throw error
  }
}

function check(told: Told, recovered: Awaited<ReturnType<JournalStore['open']>>): void {
  const through = recovered.snapshot?.through ?? 0
  assert.equal(recovered.damaged, false, recovered.findings.join('\n'))
  assert.equal(recovered.last, through + recovered.records.length)
  assert.ok([told.snapshotThrough, told.snapshotInFlight].includes(through), `snapshot through ${through}`)
  const possible = [...told.accepted, ...told.inFlight]
  const found = [...possible.slice(0, through), ...texts(recovered.records)]
  assert.ok([told.accepted.length, possible.length].includes(found.length), 'the batch in flight is kept whole or not')
  assert.deepEqual(found, possible.slice(0, found.length))
  if (recovered.snapshot !== null) assert.equal(texts([recovered.snapshot.bytes])[0], snapshotOf(possible, through))
  told.accepted.push(...told.inFlight.slice(0, found.length - told.accepted.length))
  told.inFlight = []
  told.snapshotThrough = through
  told.snapshotInFlight = through
}

async function commitSome(store: JournalStore, told: Told, chance: number): Promise<void> {
  const lengths = Array.from({ length: 1 + (chance % 3) }, (_, index) => (chance >>> (8 * index)) % 2500)
  told.inFlight = lengths.map((length, index) => `${told.life}/${told.accepted.length + index}`.padEnd(length, '.'))
  const last = await store.commit(told.inFlight.map(record))
  told.accepted.push(...told.inFlight)
  told.inFlight = []
  assert.equal(last, told.accepted.length)
}

async function cutSnapshot(store: JournalStore, told: Told): Promise<void> {
  told.snapshotInFlight = told.accepted.length - 1
  await store.snapshot(record(snapshotOf(told.accepted, told.snapshotInFlight)), told.snapshotInFlight)
  told.snapshotThrough = told.snapshotInFlight
}

function snapshotOf(accepted: readonly string[], through: number): string {
  return accepted.slice(0, through).join('')
}
