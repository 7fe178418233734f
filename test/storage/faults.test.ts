import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  DISK_FREE_REFUSAL_BYTES,
  DISK_FREE_WARNING_BYTES,
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_JOURNAL_BYTES,
} from '../../runtime/base/limits.ts'
import { record, texts } from '../support/store-acceptance.ts'
import { DIRECTORY, SMALL_SEGMENT_BYTES, SimulatedBench } from '../support/store-bench.ts'

describe('A commit', () => {
  it('is one write and one flush of a segment that is there already', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    const before = store.info().bytesWritten
    bench.fileSystem.operations.length = 0
    await store.commit([record('a'), record('b')])
    assert.deepEqual(
      bench.fileSystem.operations.map(({ kind }) => kind),
      ['write', 'sync'],
    )
    assert.equal(store.info().bytesWritten - before, 4096)
  })

  it('goes on where a write stopped short', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    bench.fileSystem.intercept = ({ kind }) => (kind === 'write' ? { shortBytes: 1000 } : null)
    await store.commit([record('a'), record('b'.repeat(6000))])
    await store.snapshot(record('a'), 1)
    bench.fileSystem.intercept = ({ kind }) => (kind === 'read' ? { shortBytes: 700 } : null)
    bench.fileSystem.crash('drop')
    const recovered = await bench.store().open()
    assert.deepEqual(recovered.snapshot, { bytes: record('a'), through: 1 })
    assert.deepEqual(texts(recovered.records), ['b'.repeat(6000)])
  })

  for (const [kind, code] of [
    ['write', 'EIO'],
    ['sync', 'EIO'],
    ['write', 'EROFS'],
    ['sync', 'ENOSPC'],
  ] as const) {
    it(`that meets ${code} in a ${kind} says so and ends the writing; what was acknowledged stays`, async () => {
      const bench = new SimulatedBench()
      const store = bench.store()
      await store.open()
      await store.commit([record('a')])
      bench.fileSystem.intercept = (operation) =>
        operation.kind === kind && operation.path.includes('journal-') ? { code } : null
      await assert.rejects(store.commit([record('b')]), { code: 'storage-failed', message: /\/data.*medium failed/ })
      bench.fileSystem.intercept = () => null
      await assert.rejects(store.commit([record('c')]), { code: 'storage-failed' })
      await assert.rejects(store.snapshot(record('a'), 1), { code: 'storage-failed' })
      assert.equal(store.info().lastSequence, 1)
      await store.close()
      bench.fileSystem.crash('drop')
      const recovered = await bench.store().open()
      assert.deepEqual([texts(recovered.records), recovered.findings], [['a'], []])
    })
  }
})

describe('A medium that fails once', () => {
  for (const kind of ['write', 'sync'] as const) {
    it(`in a ${kind} costs the segment and no record: the batch goes into another one`, async () => {
      const bench = new SimulatedBench()
      const store = bench.store()
      await store.open()
      await store.commit([record('a')])
      failOnce(bench, kind)
      assert.equal(await store.commit([record('b'), record('c')]), 3)
      assert.equal(await store.commit([record('d')]), 4)
      assert.deepEqual([store.info().mediumErrors, store.info().snapshotDue], [1, true])
      bench.fileSystem.crash('drop')
      const recovered = await bench.store().open()
      assert.deepEqual([texts(recovered.records), recovered.damaged], [['a', 'b', 'c', 'd'], false])
    })

    it(`in a ${kind} is survived at every power cut that follows`, async () => {
      for (let operation = 0; ; operation += 1) {
        for (const mode of ['drop', 'torn', 'junk'] as const) {
          const bench = new SimulatedBench(operation)
          const store = bench.store()
          await store.open()
          await store.commit([record('a')])
          failOnce(bench, kind)
          bench.fileSystem.cutPowerAt(operation)
          const told = ['a']
          for (const text of ['b', 'c', 'd']) {
            await store.commit([record(text)]).then(
              () => told.push(text),
              () => undefined,
            )
          }
          const isOver = !bench.fileSystem.isPowerCut
          bench.fileSystem.intercept = () => null
          bench.fileSystem.crash(mode)
          const recovered = await bench.store().open()
          const found = texts(recovered.records)
          assert.equal(recovered.damaged, false, recovered.findings.join())
          assert.deepEqual(found.slice(0, told.length), told, `cut at ${operation}, ${mode}`)
          assert.deepEqual(found, ['a', 'b', 'c', 'd'].slice(0, found.length))
          if (isOver && mode === 'junk') return
        }
      }
    })
  }

  it('keeps the segment as evidence once nothing needs it, and never writes to it again', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    await store.commit([record('a')])
    failOnce(bench, 'sync')
    await store.commit([record('b')])
    const writes = bench.fileSystem.operations.length
    for (const through of [3, 4]) {
      await store.commit([record('c')])
      await store.snapshot(record(`state ${through}`), through)
    }
    assert.deepEqual(
      bench.fileSystem.operations.slice(writes).filter(({ kind, path }) => kind === 'write' && path === FAILED),
      [],
    )
    assert.ok(bench.fileSystem.paths().includes(`${DIRECTORY}/damaged-0001-journal-0001`))
    assert.equal(store.info().snapshotDue, false)
    bench.fileSystem.crash('drop')
    const recovered = await bench.store().open()
    assert.deepEqual([recovered.last, recovered.damaged, recovered.findings], [4, false, []])
  })
})

describe('Room on the disk', () => {
  it('is watched: a warning, then a refusal, and back by itself', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    assert.equal(store.info().space, 'enough')
    const { fileSystem } = bench
    const used = fileSystem
      .paths()
      .reduce((sum, path) => sum + (path.includes('lock') ? 0 : fileSystem.bytesOf(path).length), 0)
    for (const [freeBytes, level] of [
      [DISK_FREE_WARNING_BYTES, 'enough'],
      [DISK_FREE_WARNING_BYTES - 1, 'low'],
      [DISK_FREE_REFUSAL_BYTES, 'low'],
      [DISK_FREE_REFUSAL_BYTES - 1, 'refusing'],
      [DISK_FREE_WARNING_BYTES, 'enough'],
    ] as const) {
      fileSystem.capacityBytes = used + freeBytes
      assert.equal(await store.checkSpace(), level, `${freeBytes} bytes free`)
      assert.deepEqual([store.info().space, store.info().freeBytes], [level, freeBytes])
    }
  })
})

describe('The next segment', () => {
  it('is there before it is needed: no commit makes one', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    for (let turn = 0; turn < 20; turn += 1) {
      const before = bench.fileSystem.paths().filter((path) => path.includes('journal-')).length
      const committed = store.commit([record('a')])
      const made = bench.fileSystem.operations.length
      await committed
      assert.ok(made > 0)
      // What is made beside this commit is for a later one.
      await new Promise(setImmediate)
      const after = bench.fileSystem.paths().filter((path) => path.includes('journal-')).length
      assert.ok(store.info().segments === after && after - before <= 1)
      const blank = bench.fileSystem
        .paths()
        .filter((path) => path.includes('journal-') && bench.fileSystem.bytesOf(path).every((byte) => byte === 0))
      assert.equal(blank.length, 1, `after commit ${turn + 1}`)
    }
  })
})

describe('A full disk', () => {
  it('refuses the commit that needs a new segment, keeps nothing of it, and takes it once there is room', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    bench.fileSystem.capacityBytes = 2 * SMALL_SEGMENT_BYTES + 8000
    for (const text of ['a', 'b', 'c', '1', '2', '3', '4']) await store.commit([record(text)])
    await assert.rejects(store.commit([record('d')]), { code: 'disk-full', message: /\/data.*free some space/ })
    await assert.rejects(store.commit([record('d')]), { code: 'disk-full' })
    assert.deepEqual(
      bench.fileSystem.paths().filter((path) => path.includes('journal')),
      [`${DIRECTORY}/journal-0001`, `${DIRECTORY}/journal-0002`],
    )
    bench.fileSystem.capacityBytes = Number.POSITIVE_INFINITY
    assert.equal(await store.commit([record('e')]), 8)
    bench.fileSystem.crash('drop')
    assert.deepEqual(texts((await bench.store().open()).records), ['a', 'b', 'c', '1', '2', '3', '4', 'e'])
  })

  it('refuses a snapshot, keeps the one before, and takes it once there is room', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    await store.commit([record('a'), record('b')])
    await store.snapshot(record('a'), 1)
    bench.fileSystem.capacityBytes = SMALL_SEGMENT_BYTES + 1000
    await assert.rejects(store.snapshot(new Uint8Array(2000), 2), { code: 'disk-full' })
    assert.equal(store.info().snapshotThrough, 1)
    await store.commit([record('c')])
    bench.fileSystem.capacityBytes = Number.POSITIVE_INFINITY
    await store.snapshot(record('a+b+c'), 3)
    bench.fileSystem.crash('drop')
    assert.deepEqual((await bench.store().open()).snapshot, { bytes: record('a+b+c'), through: 3 })
  })

  it('does not keep the store from opening with what it has', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    bench.fileSystem.capacityBytes = 2 * SMALL_SEGMENT_BYTES + 1000
    // The first segment holds an opening batch and three of these, the one that was made ahead holds four.
    const held = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    for (const text of held) await first.commit([record(text)])
    await first.close()
    const second = bench.store()
    const recovered = await second.open()
    assert.deepEqual(texts(recovered.records), held)
    assert.match(recovered.findings.join(), /no room/)
    await assert.rejects(second.commit([record('h')]), { code: 'disk-full' })
    bench.fileSystem.capacityBytes = Number.POSITIVE_INFINITY
    assert.equal(await second.commit([record('h')]), 8)
    await second.close()
    assert.deepEqual(texts((await bench.store().open()).records), [...held, 'h'])
  })
})

describe('A full disk after a kill', () => {
  it('does not keep what was recovered from reaching the medium', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    await first.commit([record('a')])
    await first.commit([record('b')])
    // The next commit is written and not flushed.
    bench.fileSystem.cutPowerAt(1)
    await assert.rejects(first.commit([record('c')]))
    bench.fileSystem.kill()
    bench.fileSystem.capacityBytes = SMALL_SEGMENT_BYTES + 1000
    assert.deepEqual(texts((await bench.store().open()).records), ['a', 'b', 'c'])
    bench.fileSystem.crash('drop')
    assert.deepEqual(texts((await bench.store().open()).records), ['a', 'b', 'c'])
  })
})

describe('A snapshot', () => {
  it('that meets EIO in its flush leaves the one before and ends the writing', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    await store.commit([record('a'), record('b')])
    await store.snapshot(record('a'), 1)
    bench.fileSystem.intercept = ({ kind, path }) =>
      kind === 'sync' && path.includes('snapshot') ? { code: 'EIO' } : null
    await assert.rejects(store.snapshot(record('a+b'), 2), { code: 'storage-failed' })
    await assert.rejects(store.commit([record('c')]), { code: 'storage-failed' })
    bench.fileSystem.intercept = () => null
    bench.fileSystem.crash('torn')
    const recovered = await bench.store().open()
    assert.deepEqual(recovered.snapshot, { bytes: record('a'), through: 1 })
    assert.deepEqual(texts(recovered.records), ['b'])
  })

  it('over the limit is refused and changes nothing', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    await store.commit([record('a')])
    await assert.rejects(store.snapshot(new Uint8Array(SNAPSHOT_BYTES_MAX + 1), 1), { code: 'limit-reached' })
    assert.equal(store.info().snapshotThrough, 0)
    assert.equal(await store.commit([record('b')]), 2)
  })

  it('that is under way is finished before the lock is given back, with all that follows from it', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    await store.commit([record('a')])
    failOnce(bench, 'write')
    await store.commit([record('b')])
    await store.snapshot(record('a'), 1)
    const { fileSystem } = bench
    const rename = fileSystem.rename.bind(fileSystem)
    const held = signal()
    const asked = signal()
    fileSystem.rename = async (from, to) => {
      if (from === FAILED) {
        asked.resolve()
        await held.promise
      }
      await rename(from, to)
    }
    const snapshotted = store.snapshot(record('a b'), 2)
    await asked.promise
    const state = { isClosed: false }
    const closed = store.close().then(() => (state.isClosed = true))
    // Nothing but the name that is held keeps a disk in memory.
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(state.isClosed, false)
    held.resolve()
    await Promise.all([snapshotted, closed])
    assert.ok(fileSystem.paths().includes(`${DIRECTORY}/damaged-0001-journal-0001`))
  })

  it('is due when the journal has reached its size, and not again right after', async () => {
    const bench = new SimulatedBench(1, 1024 * 1024)
    const store = bench.store()
    await store.open()
    const records = Array.from({ length: 7 }, () => new Uint8Array(60_000))
    let bytes = 0
    while (!store.info().snapshotDue) {
      await store.commit(records)
      bytes += 7 * 60_000
    }
    assert.ok(bytes > SNAPSHOT_JOURNAL_BYTES * 0.9 && bytes < SNAPSHOT_JOURNAL_BYTES * 1.1, `due after ${bytes} bytes`)
    await store.snapshot(record('state'), store.info().lastSequence)
    assert.equal(store.info().snapshotDue, false)
  })
})

const FAILED = `${DIRECTORY}/journal-0001`

/** The next write or flush of a segment meets EIO, and those after it do not. */
function failOnce(bench: SimulatedBench, kind: 'write' | 'sync'): void {
  let isOver = false
  bench.fileSystem.intercept = (operation) => {
    if (isOver || operation.kind !== kind || !operation.path.includes('journal-')) return null
    isOver = true
    return { code: 'EIO' }
  }
}

function signal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve: () => resolve() }
}
