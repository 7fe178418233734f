import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { writeContent } from '../../runtime/storage/content.ts'
import { Evidence } from '../../runtime/storage/evidence.ts'
import type { FileSystem } from '../../runtime/storage/file-system.ts'
import { JournalStore } from '../../runtime/storage/journal-store.ts'
import { FORMATS, type Formats, type Migration } from '../../runtime/storage/migration.ts'
import { OverlayFileSystem } from '../../runtime/storage/overlay-file-system.ts'
import { recoverJournal } from '../../runtime/storage/recovery.ts'
import { SegmentFiles } from '../../runtime/storage/segment-files.ts'
import { Snapshots } from '../../runtime/storage/snapshot.ts'
import {
  benchWith,
  filesOf,
  GOLDEN_RECORDS,
  GOLDEN_STATE,
  GOLDEN_THROUGH,
  liveGoldenLife,
  readGolden,
  writeGolden,
} from '../support/golden-directory.ts'
import type { CrashMode, SimulatedFileSystem } from '../support/simulated-file-system.ts'
import { record, texts } from '../support/store-acceptance.ts'
import { DIRECTORY, OWNER, SMALL_SEGMENT_BYTES } from '../support/store-bench.ts'

if (process.env['FLEETSTEP_GOLDEN'] === 'write') {
  await writeGolden(FORMATS.current, filesOf(await liveGoldenLife()))
}

describe('A data directory that an earlier version has written', () => {
  for (let format = 1; format <= FORMATS.current; format += 1) {
    it(`in format ${format} is opened with all that it holds`, async () => {
      const bench = benchWith(await readGolden(format))
      const store = bench.store()
      const found = await store.open()
      assert.deepEqual([found.last, found.damaged, found.findings], [GOLDEN_RECORDS.length, false, []])
      assert.deepEqual(texts(found.records), GOLDEN_RECORDS.slice(GOLDEN_THROUGH))
      assert.deepEqual(texts([found.snapshot?.bytes ?? record('')]), [GOLDEN_STATE])
      assert.equal(await store.commit([record('six')]), GOLDEN_RECORDS.length + 1)
      await store.close()
    })
  }

  it('is what this version writes, byte by byte, unless its format has a number of its own', async () => {
    const [now, golden] = [filesOf(await liveGoldenLife()), await readGolden(FORMATS.current)]
    assert.deepEqual([...now.keys()], [...golden.keys()])
    for (const [name, bytes] of now) assert.ok(Buffer.from(bytes).equals(golden.get(name) ?? record('')), name)
  })

  it('has a step from each format to the next', () => {
    for (let format = 1; format < FORMATS.current; format += 1) {
      assert.equal(FORMATS.migrations.filter(({ from }) => from === format).length, 1)
    }
  })
})

/*
 * Two formats that are only of this test: format 2 has `2: ` before each text, format 3 `3: 2: `. Two steps, so that a
 * power cut meets the end of one, the middle of the next, and what lies between.
 */
describe('The way from one format to the next', () => {
  it('goes step by step, once, and leaves nothing of the old files', async () => {
    const bench = benchWith(await readGolden(1))
    const { fileSystem } = bench
    await expectMigrated(storeOf(fileSystem))
    const writes = fileSystem.operations.filter(({ path }) => path.includes('staged-')).length
    assert.ok(writes > 10)
    await expectMigrated(storeOf(fileSystem))
    assert.equal(fileSystem.operations.filter(({ path }) => path.includes('staged-')).length, writes)
    assert.ok(!fileSystem.paths().some((path) => /replaced|staged|replacement/.test(path)))
    await assert.rejects(bench.store().open(), { code: 'data-directory-newer', message: /format 3.*knows 1/ })
  })

  it('is not gone for another node', async () => {
    const { fileSystem } = benchWith(await readGolden(1))
    await assert.rejects(storeOf(fileSystem, 'b827eb0000000002').open(), { code: 'data-directory-foreign' })
    assert.ok(!fileSystem.operations.some(({ path }) => path.includes('staged-')))
  })

  it('on a full disk changes nothing, so that the version before can still be used', async () => {
    const golden = await readGolden(1)
    const bench = benchWith(golden)
    bench.fileSystem.capacityBytes = 5 * SMALL_SEGMENT_BYTES
    await assert.rejects(storeOf(bench.fileSystem).open(), { code: 'disk-full' })
    assert.deepEqual([...filesOf(bench).keys()], [...golden.keys()])
    assert.equal((await bench.store().open()).last, GOLDEN_RECORDS.length)
  })

  for (const mode of ['drop', 'torn', 'junk'] as const) {
    it(`goes on after a power cut at any moment (writes in flight: ${mode})`, async () => {
      const golden = await readGolden(1)
      let cuts = 0
      while (await cutAt(golden, cuts, mode)) cuts += 1
      assert.ok(cuts > 40, `only ${cuts} moments were tried`)
    })
  }
})

/** True if the power went before the migration was over. */
async function cutAt(golden: ReadonlyMap<string, Uint8Array>, operation: number, mode: CrashMode): Promise<boolean> {
  // The files of one disk are not those of the next.
  const { fileSystem } = benchWith(new Map([...golden].map(([name, bytes]) => [name, bytes.slice()])), operation + 1)
  fileSystem.cutPowerAt(operation)
  const store = storeOf(fileSystem)
  await store.open().catch(() => null)
  if (!fileSystem.isPowerCut) return false
  fileSystem.crash(mode)
  // The second attempt is cut as well.
  fileSystem.cutPowerAt((operation * 7) % 60)
  await storeOf(fileSystem)
    .open()
    .catch(() => null)
  fileSystem.crash(mode)
  await expectMigrated(storeOf(fileSystem))
  return true
}

async function expectMigrated(store: JournalStore): Promise<void> {
  const { snapshot, records, last, damaged } = await store.open()
  assert.deepEqual([last, damaged], [GOLDEN_RECORDS.length, false])
  assert.deepEqual(
    texts(records),
    GOLDEN_RECORDS.slice(GOLDEN_THROUGH).map((text) => `3: 2: ${text}`),
  )
  assert.deepEqual(texts([snapshot?.bytes ?? record('')]), [`3: 2: ${GOLDEN_STATE}`])
  assert.equal(store.info().formatVersion, 3)
  await store.close()
}

const TEST_FORMATS: Formats = { current: 3, migrations: [prefixStep(1), prefixStep(2)] }

function prefixStep(from: number): Migration {
  const renew = (bytes: Uint8Array): Uint8Array => record(`${from + 1}: ${texts([bytes])[0]}`)
  return {
    from,
    async write(source: FileSystem, target: FileSystem, directory: string) {
      // What recovery changes stays in memory.
      const view = new OverlayFileSystem(source)
      const evidence = new Evidence(view, directory)
      const { snapshot } = await new Snapshots(view, directory).load(evidence)
      const segments = new SegmentFiles(view, directory, SMALL_SEGMENT_BYTES)
      const { records } = await recoverJournal(segments, evidence, snapshot?.through ?? 0)
      await writeContent(target, directory, SMALL_SEGMENT_BYTES, {
        owner: OWNER,
        snapshot: snapshot && { bytes: renew(snapshot.bytes), through: snapshot.through },
        records: records.map(renew),
        files: new Map(),
      })
    },
  }
}

function storeOf(fileSystem: SimulatedFileSystem, node: string = OWNER.node): JournalStore {
  return new JournalStore({
    fileSystem,
    processes: fileSystem.processes,
    directory: DIRECTORY,
    owner: { ...OWNER, node },
    segmentBytes: SMALL_SEGMENT_BYTES,
    formats: TEST_FORMATS,
  })
}
