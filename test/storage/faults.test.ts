import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_JOURNAL_BYTES } from '../../runtime/base/limits.ts'
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

describe('A full disk', () => {
  it('refuses the commit that needs a new segment, keeps nothing of it, and takes it once there is room', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    bench.fileSystem.capacityBytes = SMALL_SEGMENT_BYTES + 8000
    for (const text of ['a', 'b', 'c']) await store.commit([record(text)])
    await assert.rejects(store.commit([record('d')]), { code: 'disk-full', message: /\/data.*free some space/ })
    await assert.rejects(store.commit([record('d')]), { code: 'disk-full' })
    assert.deepEqual(
      bench.fileSystem.paths().filter((path) => path.includes('journal')),
      [`${DIRECTORY}/journal-0001`],
    )
    bench.fileSystem.capacityBytes = Number.POSITIVE_INFINITY
    assert.equal(await store.commit([record('e')]), 4)
    bench.fileSystem.crash('drop')
    assert.deepEqual(texts((await bench.store().open()).records), ['a', 'b', 'c', 'e'])
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
    for (const text of ['a', 'b', 'c']) await first.commit([record(text)])
    await first.close()
    bench.fileSystem.capacityBytes = SMALL_SEGMENT_BYTES + 1000
    const second = bench.store()
    const recovered = await second.open()
    assert.deepEqual(texts(recovered.records), ['a', 'b', 'c'])
    assert.match(recovered.findings.join(), /no room/)
    await assert.rejects(second.commit([record('d')]), { code: 'disk-full' })
    bench.fileSystem.capacityBytes = Number.POSITIVE_INFINITY
    assert.equal(await second.commit([record('d')]), 4)
    await second.close()
    assert.deepEqual(texts((await bench.store().open()).records), ['a', 'b', 'c', 'd'])
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
