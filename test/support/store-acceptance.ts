import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RECORD_BYTES_MAX } from '../../runtime/base/limits.ts'
import type { Store } from '../../runtime/storage/store.ts'

/** One medium, on which a test opens one store after another. */
export interface StoreBench {
  /** A new store on the same medium. */
  store(): Store
  /** Frees what the bench holds. */
  end(): Promise<void>
}

export function record(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function texts(records: readonly Uint8Array[]): readonly string[] {
  return records.map((bytes) => new TextDecoder().decode(bytes))
}

/** What every store must do. */
export function describeStore(name: string, makeBench: () => Promise<StoreBench>): void {
  describe(`${name} as a store`, () => {
    const withBench = (sentence: string, use: (bench: StoreBench) => Promise<void>): void => {
      it(sentence, async () => {
        const bench = await makeBench()
        try {
          await use(bench)
        } finally {
          await bench.end()
        }
      })
    }

    withBench('is empty at first', async (bench) => {
      const store = bench.store()
      const recovered = await store.open()
      assert.deepEqual(recovered, { snapshot: null, records: [], last: 0, findings: [], damaged: false })
      assert.equal(store.info().lastSequence, 0)
      await store.close()
    })

    withBench('gives back what was committed, in order, and numbers on', async (bench) => {
      const first = bench.store()
      await first.open()
      assert.equal(await first.commit([record('a')]), 1)
      assert.equal(await first.commit([record('b'), record(''), record('d')]), 4)
      assert.equal(first.info().commits, 2)
      await first.close()
      const second = bench.store()
      const recovered = await second.open()
      assert.deepEqual(texts(recovered.records), ['a', 'b', '', 'd'])
      assert.deepEqual([recovered.last, recovered.findings, recovered.damaged], [4, [], false])
      assert.equal(await second.commit([record('e')]), 5)
      await second.close()
    })

    withBench('gives back a snapshot and the records after it, and numbers on', async (bench) => {
      const first = bench.store()
      await first.open()
      await first.commit([record('a'), record('b'), record('c')])
      await first.snapshot(record('a+b'), 2)
      assert.equal(await first.commit([record('d')]), 4)
      assert.equal(first.info().snapshotThrough, 2)
      await first.close()
      const second = bench.store()
      const recovered = await second.open()
      assert.deepEqual(recovered.snapshot, { bytes: record('a+b'), through: 2 })
      assert.deepEqual(texts(recovered.records), ['c', 'd'])
      assert.equal(recovered.last, 4)
      await second.snapshot(record('a+b+c+d'), 4)
      assert.equal(await second.commit([record('e')]), 5)
      await second.close()
      const third = bench.store()
      const again = await third.open()
      assert.deepEqual(again.snapshot, { bytes: record('a+b+c+d'), through: 4 })
      assert.deepEqual(texts(again.records), ['e'])
      await third.close()
    })

    withBench('commits while a snapshot is written', async (bench) => {
      const first = bench.store()
      await first.open()
      await first.commit([record('a')])
      const snapshot = first.snapshot(new Uint8Array(1_000_000).fill(7), 1)
      for (const text of ['b', 'c', 'd']) await first.commit([record(text)])
      await snapshot
      await first.close()
      const second = bench.store()
      const recovered = await second.open()
      assert.equal(recovered.snapshot?.bytes.length, 1_000_000)
      assert.deepEqual(texts(recovered.records), ['b', 'c', 'd'])
      await second.close()
    })

    withBench('keeps the largest record, and many in one commit', async (bench) => {
      const large = new Uint8Array(RECORD_BYTES_MAX).map((_, index) => (index * 7) % 251)
      const many = Array.from({ length: 1000 }, (_, index) => record(`record ${index}`))
      const first = bench.store()
      await first.open()
      await first.commit([large])
      await first.commit(many)
      await first.close()
      const second = bench.store()
      assert.deepEqual((await second.open()).records, [large, ...many])
      await second.close()
    })

    withBench('says that the medium is in use, and lets the next one in afterwards', async (bench) => {
      const first = bench.store()
      await first.open()
      await assert.rejects(bench.store().open(), { code: 'data-directory-locked' })
      await first.close()
      const second = bench.store()
      await second.open()
      await second.close()
    })

    withBench('refuses a second commit at the same time, an empty one and one over the limit', async (bench) => {
      const store = bench.store()
      await store.open()
      const running = store.commit([record('a')])
      await assert.rejects(store.commit([record('b')]), /one commit is in flight/)
      assert.equal(await running, 1)
      await assert.rejects(store.commit([]), /at least one record/)
      await assert.rejects(store.commit([new Uint8Array(RECORD_BYTES_MAX + 1)]), /RECORD_BYTES_MAX/)
      await assert.rejects(store.snapshot(record('x'), 2), /committed records alone/)
      assert.equal(await store.commit([record('c')]), 2)
      await store.close()
    })

    withBench('keeps evidence beside the data, each under a name', async (bench) => {
      const store = bench.store()
      await store.open()
      await store.commit([record('a')])
      const names = [
        await store.keepEvidence('divergence-7', record('x')),
        await store.keepEvidence('other', record('y')),
      ]
      assert.match(names[0] ?? '', /divergence-7$/)
      assert.match(names[1] ?? '', /other$/)
      await store.close()
      const again = bench.store()
      assert.deepEqual(texts((await again.open()).records), ['a'])
      await again.close()
    })

    withBench('takes nothing once it is closed', async (bench) => {
      const store = bench.store()
      await store.open()
      await store.close()
      await store.close()
      await assert.rejects(store.commit([record('a')]), /the store is open/)
    })
  })
}
