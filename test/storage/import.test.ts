import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { installContent } from '../../runtime/storage/install-content.ts'
import type { StoreOwner } from '../../runtime/storage/store.ts'
import type { CrashMode } from '../support/simulated-file-system.ts'
import { record, texts } from '../support/store-acceptance.ts'
import { DIRECTORY, OWNER, SimulatedBench, SMALL_SEGMENT_BYTES } from '../support/store-bench.ts'

describe('Content that is put into a data directory', () => {
  it('is what the next opening finds, with its numbers, and goes on from there', async () => {
    for (const through of [0, 7]) {
      const bench = new SimulatedBench(1, LARGE_SEGMENT_BYTES)
      // More than one batch, more than one segment.
      const records = Array.from({ length: 300 }, (_, index) => `r${index}`.padEnd(5000, '.'))
      assert.deepEqual(await install(bench, { through, records }), [])
      const store = bench.store()
      const found = await store.open()
      assert.ok(texts(found.records).every((text, index) => text === records[index]))
      assert.deepEqual([found.last, found.damaged, found.findings], [through + 300, false, []])
      assert.equal(found.snapshot?.through ?? 0, through)
      assert.equal(await store.commit([record('next')]), through + 301)
      await store.close()
      assert.equal((await bench.store().open()).last, through + 301)
    }
  })

  it('without any record stands on its snapshot alone', async () => {
    const bench = new SimulatedBench()
    await install(bench, { through: 5, records: [] })
    const found = await bench.store().open()
    assert.deepEqual([found.last, found.damaged, texts([found.snapshot?.bytes ?? record('')])], [5, false, ['state 5']])
  })

  it('does not take the place of data unless it is told to, and never that of a gateway that runs', async () => {
    const bench = await benchWithOldData()
    const before = bench.fileSystem.paths()
    await assert.rejects(install(bench, NEW), { code: 'data-directory-occupied', message: /--replace/ })
    assert.deepEqual(without(bench.fileSystem.paths(), 'lock-'), without(before, 'lock-'))
    const store = bench.store()
    assert.deepEqual(texts((await store.open()).records), ['old 1', 'old 2'])
    await assert.rejects(install(bench, NEW, { replaces: true }), { code: 'data-directory-locked' })
  })

  it('of another node or fleet is refused unless that is meant', async () => {
    for (const owner of [
      { ...OWNER, node: 'b827eb0000000002' },
      { ...OWNER, fleet: 'ffffffffffffffff' },
    ]) {
      const bench = await benchWithOldData()
      await assert.rejects(install(bench, NEW, { replaces: true, owner }), { code: 'data-directory-foreign' })
      await install(bench, NEW, { replaces: true, owner, acceptsForeign: true })
      await assert.rejects(bench.store().open(), { code: 'data-directory-foreign' })
      assert.equal((await bench.store(owner).open()).last, 4)
    }
  })

  it('takes the place of data whose mark is lost', async () => {
    const bench = await benchWithOldData()
    await bench.fileSystem.remove(`${DIRECTORY}/format.json`)
    await install(bench, NEW, { replaces: true })
    assert.deepEqual(texts((await bench.store().open()).records), ['new 3', 'new 4'])
  })

  it('leaves the old files beside, each time under other names', async () => {
    const bench = await benchWithOldData()
    const first = await install(bench, NEW, { replaces: true })
    assert.deepEqual(first.slice(0, 2), ['replaced-0001-format.json', 'replaced-0001-journal-0001'])
    const second = await install(bench, NEW, { replaces: true })
    assert.equal(second[0], 'replaced-0002-format.json')
    assert.ok([...first, ...second].every((name) => bench.fileSystem.paths().includes(`${DIRECTORY}/${name}`)))
  })

  it('on a full disk changes nothing', async () => {
    const bench = await benchWithOldData()
    bench.fileSystem.capacityBytes = 3 * SMALL_SEGMENT_BYTES
    const before = without(bench.fileSystem.paths(), 'lock-')
    await assert.rejects(install(bench, NEW, { replaces: true }), {
      code: 'disk-full',
      message: /nothing was imported/,
    })
    assert.deepEqual(without(bench.fileSystem.paths(), 'lock-'), before)
  })

  for (const mode of ['drop', 'torn', 'junk'] as const) {
    it(`is there whole or not at all after a power cut at any moment (writes in flight: ${mode})`, async () => {
      const seen = new Map<string, number>()
      for (let operation = 0; ; operation += 1) {
        const outcome = await cutAt(operation, mode)
        if (outcome === 'uncut') break
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      }
      assert.ok((seen.get('old') ?? 0) > 10 && (seen.get('new') ?? 0) > 5, JSON.stringify([...seen]))
    })
  }

  it('is not begun on a plan that cannot be read', async () => {
    const bench = await benchWithOldData()
    for (const text of ['', '{}', '{"aside":[["a","../b"]],"staged":[],"keepsOld":true}']) {
      bench.fileSystem.put(`${DIRECTORY}/replacement.json`, record(text))
      await assert.rejects(bench.store().open(), { code: 'data-directory-damaged', message: /cannot be read/ }, text)
    }
  })
})

interface New {
  readonly through: number
  readonly records: readonly string[]
}

const NEW: New = { through: 2, records: ['new 3', 'new 4'] }

function install(
  bench: SimulatedBench,
  { through, records }: New,
  policy: { replaces?: boolean; acceptsForeign?: boolean; owner?: StoreOwner } = {},
): Promise<readonly string[]> {
  const { fileSystem } = bench
  const { owner = OWNER, replaces = false, acceptsForeign = false } = policy
  const segmentBytes = records.length > 2 ? LARGE_SEGMENT_BYTES : SMALL_SEGMENT_BYTES
  const place = { fileSystem, processes: fileSystem.processes, directory: DIRECTORY, segmentBytes }
  const snapshot = through === 0 ? null : { bytes: record(`state ${through}`), through }
  return installContent(
    { ...place, replaces, acceptsForeign },
    { owner, snapshot, records: records.map(record), files: new Map([['identity.json', record('who')]]) },
  )
}

/** Holds any batch. */
const LARGE_SEGMENT_BYTES = 1024 * 1024

async function benchWithOldData(): Promise<SimulatedBench> {
  const bench = new SimulatedBench()
  const store = bench.store()
  await store.open()
  await store.commit([record('old 1')])
  await store.commit([record('old 2')])
  await store.close()
  return bench
}

/** Cuts the power in the import, then in the opening behind it, and says which content is there. */
async function cutAt(operation: number, mode: CrashMode): Promise<'old' | 'new' | 'uncut'> {
  const bench = await benchWithOldData()
  bench.fileSystem.cutPowerAt(operation)
  const told = await install(bench, NEW, { replaces: true }).catch(() => null)
  if (!bench.fileSystem.isPowerCut) return 'uncut'
  bench.fileSystem.crash(mode)
  bench.fileSystem.cutPowerAt(operation % 13)
  await bench
    .store()
    .open()
    .catch(() => null)
  bench.fileSystem.crash(mode)
  // The opening that was cut may leave its own batch torn, which is no loss.
  const { records, damaged } = await bench.store().open()
  assert.equal(damaged, false)
  const outcome = texts(records)[0] === 'old 1' ? 'old' : 'new'
  assert.deepEqual(texts(records), outcome === 'old' ? ['old 1', 'old 2'] : NEW.records)
  if (told !== null) assert.equal(outcome, 'new', 'what was reported done is there')
  assert.ok(!bench.fileSystem.paths().some((path) => /staged-|replacement/.test(path)))
  return outcome
}

function without(paths: readonly string[], part: string): readonly string[] {
  return paths.filter((path) => !path.includes(part)).toSorted()
}
