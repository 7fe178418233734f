import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import { followChain, judgeTail } from '../../runtime/storage/chain.ts'
import { scanSegment } from '../../runtime/storage/segment.ts'
import { record, texts } from '../support/store-acceptance.ts'
import { DIRECTORY, SMALL_SEGMENT_BYTES, SimulatedBench } from '../support/store-bench.ts'

const FIRST = `${DIRECTORY}/journal-0001`
const SECOND = `${DIRECTORY}/journal-0002`

describe('A torn tail', () => {
  it('at every byte of the last batch costs that batch alone', async () => {
    const { whole, text } = await tornJournal()
    for (let length = 1; length < 2 * PAGE; length += 1) {
      const torn = whole.slice().fill(0, 2 * PAGE + length)
      const { records, kind } = readJournal(torn)
      const expected = isSame(torn, whole) ? [['a', text], 'clean'] : [['a'], 'torn']
      assert.deepEqual([records, kind], expected, `torn after ${length} bytes`)
    }
  })

  it('is reported once and written over', async () => {
    const { whole } = await tornJournal()
    for (let length = 1; length < PAGE + 900; length += STRIDE) {
      const bench = benchWith(whole.slice().fill(0, 2 * PAGE + length))
      const first = await bench.store().open()
      assert.deepEqual([texts(first.records), first.findings.length, first.damaged], [['a'], 1, false])
      bench.fileSystem.crash('drop')
      const second = await bench.store().open()
      assert.deepEqual([texts(second.records), second.findings], [['a'], []], `torn after ${length} bytes`)
    }
  })

  it('is dropped whole when only its later pages arrived', async () => {
    const whole = await journalOf([['a'], ['b'.repeat(5000)]])
    const recovered = await benchWith(whole.slice().fill(0, 2 * PAGE, 3 * PAGE))
      .store()
      .open()
    assert.deepEqual(texts(recovered.records), ['a'])
    assert.match(recovered.findings.join(), /not whole/)
    assert.equal(recovered.damaged, false)
  })
})

describe('A torn batch that was the first of its segment', () => {
  it('is no damage, though the snapshot stands for every segment before it', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    for (const text of ['a', 'b', 'c']) await first.commit([record(text)])
    await first.snapshot(record('a+b+c'), 3)
    await first.commit([record('d'.repeat(5000))])
    await first.close()
    bench.fileSystem.bytesOf(SECOND).fill(0, PAGE)
    const recovered = await bench.store().open()
    assert.deepEqual([recovered.records, recovered.last, recovered.damaged], [[], 3, false])
    assert.match(recovered.findings.join(), /not whole/)
  })
})

describe('One flipped bit', () => {
  // Page 0 opens, pages 1 and 2 hold batches that others follow, page 3 the last, which may have been in flight.
  const committed = [['a', 'bb'], ['ccc'], ['dddd']]
  const all = committed.flat()
  const keptByPage = [4, 0, 2, 3]
  const isDamageByPage = [false, true, true, false]

  it('at any byte of the journal never yields a wrong record, and is noticed', async () => {
    const whole = await journalOf(committed)
    const random = seededRandom(7)
    for (let at = 0; at < whole.length; at += 1) {
      const page = Math.floor(at / PAGE)
      const { records, kind, unneeded } = readJournal(flippedAt(whole, at, random.uint32() % 8))
      assert.deepEqual(records, all.slice(0, keptByPage[page]), `flip in byte ${at}`)
      assert.equal(kind === 'damaged', isDamageByPage[page], `flip in byte ${at}`)
      assert.ok(kind !== 'clean' || unneeded > 0, `flip in byte ${at} was not noticed`)
    }
  })

  it('is reported by the store', async () => {
    const whole = await journalOf(committed)
    for (let at = 0; at < whole.length; at += STRIDE) {
      const page = Math.floor(at / PAGE)
      const recovered = await benchWith(flippedAt(whole, at, at % 8))
        .store()
        .open()
      assert.deepEqual(texts(recovered.records), all.slice(0, keptByPage[page]), `flip in byte ${at}`)
      assert.ok(recovered.findings.length > 0, `flip in byte ${at} was not reported`)
      assert.equal(recovered.damaged, isDamageByPage[page], `flip in byte ${at}`)
    }
  })
})

describe('Damage in the middle', () => {
  it('keeps the records before it, sets the segments aside, and goes on from there', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    // Three batches fill the first segment, four the second.
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) await first.commit([record(text)])
    await first.close()
    const evidence = bench.fileSystem.bytesOf(FIRST)
    evidence[2 * PAGE + 100] = 1
    const damagedBytes = evidence.slice()
    const second = bench.store()
    const recovered = await second.open()
    assert.deepEqual(texts(recovered.records), ['a'])
    assert.equal(recovered.damaged, true)
    assert.equal(recovered.last, 1)
    assert.match(recovered.findings[0] ?? '', /ALARM.*after record 1/)
    const aside = bench.fileSystem.paths().filter((path) => path.includes('/damaged-'))
    assert.equal(aside.length, 3)
    const copy = aside.find((path) => path.endsWith('journal-0001'))
    assert.deepEqual(bench.fileSystem.bytesOf(copy ?? ''), damagedBytes)
    assert.equal(await second.commit([record('B')]), 2)
    bench.fileSystem.crash('drop')
    const third = await bench.store().open()
    assert.deepEqual([texts(third.records), third.findings, third.damaged], [['a', 'B'], [], false])
  })

  it('is survived at every power cut while it is set aside', async () => {
    for (let operation = 0; ; operation += 1) {
      const bench = new SimulatedBench(operation)
      const first = bench.store()
      await first.open()
      for (const text of ['a', 'b', 'c', 'd', 'e']) await first.commit([record(text)])
      await first.close()
      bench.fileSystem.crash('drop')
      bench.fileSystem.put(
        FIRST,
        bench.fileSystem
          .bytesOf(FIRST)
          .slice()
          .fill(1, 2 * PAGE, 3 * PAGE),
      )
      bench.fileSystem.cutPowerAt(operation)
      const ended = await bench
        .store()
        .open()
        .then(
          () => true,
          () => false,
        )
      bench.fileSystem.crash('torn')
      const recovered = await bench.store().open()
      assert.deepEqual(texts(recovered.records), ['a'], `cut at operation ${operation}`)
      assert.equal(recovered.damaged, true, `cut at operation ${operation}: nobody was told before`)
      assert.match(recovered.findings.join(), /ALARM.*after record 1/)
      assert.ok(
        bench.fileSystem.paths().some((path) => path.includes('/damaged-')),
        'the evidence is there',
      )
      if (ended) return
    }
  })

  it('is told again after an opening that found it and failed, until something is committed', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    for (const text of ['a', 'b', 'c', 'd', 'e']) await first.commit([record(text)])
    await first.close()
    bench.fileSystem.bytesOf(FIRST).fill(1, 2 * PAGE, 3 * PAGE)
    bench.fileSystem.intercept = ({ kind, path }) =>
      kind === 'write' && path.includes('journal-') ? { code: 'EROFS' } : null
    await assert.rejects(bench.store().open())
    bench.fileSystem.intercept = () => null
    const told = []
    for (let opening = 0; opening < 3; opening += 1) {
      const store = bench.store()
      told.push((await store.open()).damaged)
      if (opening === 1) await store.commit([record('goes on')])
      await store.close()
    }
    assert.deepEqual(told, [true, true, false])
  })

  it('that a disk cannot even read is treated like it, and the rest of the segment is read', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    await first.commit([record('a')])
    await first.commit([record('b')])
    await first.close()
    let reads = 0
    bench.fileSystem.intercept = ({ kind, path }) => {
      if (kind !== 'read' || path !== FIRST) return null
      reads += 1
      // The first three are the glance, the fourth is the whole segment, then page by page: the seventh is page 2.
      return reads === 4 || reads === 7 ? { code: 'EIO' } : null
    }
    const recovered = await bench.store().open()
    assert.deepEqual([texts(recovered.records), recovered.damaged], [['a'], true])
  })

  it('is noticed in the last batch too once the store was closed, and is a torn tail before', async () => {
    for (const isClosed of [true, false]) {
      const bench = new SimulatedBench()
      const store = bench.store()
      await store.open()
      await store.commit([record('a')])
      await store.commit([record('b')])
      if (isClosed) await store.close()
      bench.fileSystem.crash('drop')
      const bytes = bench.fileSystem.bytesOf(FIRST)
      bytes[2 * PAGE + 100] = (bytes[2 * PAGE + 100] ?? 0) ^ 1
      const recovered = await bench.store().open()
      assert.deepEqual([texts(recovered.records), recovered.damaged], [['a'], isClosed])
      assert.match(recovered.findings.join(), isClosed ? /ALARM/ : /not whole/)
    }
  })

  it('is noticed when the journal is gone and the snapshot is not', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    await first.commit([record('a'), record('b')])
    await first.snapshot(record('a+b'), 2)
    await first.close()
    await bench.fileSystem.remove(FIRST)
    const recovered = await bench.store().open()
    assert.deepEqual([recovered.snapshot?.through, recovered.last, recovered.damaged], [2, 2, true])
  })
})

describe('A segment that can be neither read nor written', () => {
  it('costs nothing but itself where nothing needs it', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    await first.commit([record('a')])
    await first.close()
    refuse(bench, SECOND, ['read', 'write'])
    const second = bench.store()
    const recovered = await second.open()
    assert.deepEqual([texts(recovered.records), recovered.damaged], [['a'], false])
    assert.match(recovered.findings.join(), /journal-0002: its medium takes no writes/)
    assert.equal(second.info().mediumErrors, 1)
    assert.ok(bench.fileSystem.paths().includes(`${DIRECTORY}/damaged-0001-journal-0002`), 'nothing writes there again')
    bench.fileSystem.intercept = () => null
    for (const text of ['b', 'c', 'd', 'e']) await second.commit([record(text)])
    bench.fileSystem.crash('drop')
    const third = await bench.store().open()
    assert.deepEqual([texts(third.records), third.damaged], [['a', 'b', 'c', 'd', 'e'], false])
  })

  it('where the journal ends is left: it goes on in another one, and this one is put away when nothing needs it', async () => {
    const { whole } = await tornJournal()
    const bench = benchWith(whole.slice().fill(0, 2 * PAGE + 100))
    let writes = 0
    bench.fileSystem.intercept = ({ kind, path }) =>
      kind === 'write' && path === FIRST && (writes += 1) === 1 ? { code: 'EIO' } : null
    const store = bench.store()
    assert.deepEqual(texts((await store.open()).records), ['a'])
    assert.equal(store.info().snapshotDue, true)
    for (const through of [2, 3]) {
      await store.commit([record('c')])
      await store.snapshot(record(`state ${through}`), through)
    }
    assert.equal(writes, 1, 'it was written to once and never again')
    assert.deepEqual([bench.fileSystem.paths().includes(FIRST), store.info().snapshotDue], [false, false])
  })

  for (const found of ['torn', 'damaged'] as const) {
    it(`keeps no store from opening, at any power cut after it was found ${found}`, async () => {
      const whole = await journalOf([['a'], ['b'], ['c']])
      const rest = found === 'torn' ? whole.slice().fill(0, 2 * PAGE + 20) : whole.slice().fill(1, 2 * PAGE, 3 * PAGE)
      for (let operation = 0; ; operation += 1) {
        const bench = benchWith(rest)
        refuse(bench, FIRST, ['write'])
        const told = ['a']
        const store = bench.store()
        bench.fileSystem.cutPowerAt(operation)
        await store
          .open()
          .then(async () => {
            for (const text of ['B', 'C', 'D', 'E']) {
              await store.commit([record(text)])
              told.push(text)
            }
          })
          .catch(() => undefined)
        const isOver = !bench.fileSystem.isPowerCut
        bench.fileSystem.crash('torn')
        const records = texts((await bench.store().open()).records)
        assert.deepEqual(records.slice(0, told.length), told, `cut at operation ${operation}`)
        assert.deepEqual(records, ['a', 'B', 'C', 'D', 'E'].slice(0, records.length), `cut at operation ${operation}`)
        if (isOver) break
      }
    })
  }
})

describe('A damaged snapshot', () => {
  it('costs nothing at any byte: the older one and the journal since then stand in for it', async () => {
    const bytes = await snapshotted()
    for (let at = 0; at < bytes.newest.length; at += 1) {
      const bench = new SimulatedBench()
      for (const [path, content] of bytes.files) bench.fileSystem.put(path, content.slice())
      const flipped = bytes.newest.slice()
      flipped[at] = (flipped[at] ?? 0) ^ 0x10
      bench.fileSystem.put(`${DIRECTORY}/snapshot-b`, flipped)
      const recovered = await bench.store().open()
      assert.deepEqual(recovered.snapshot, { bytes: record('a'), through: 1 }, `flip in byte ${at}`)
      assert.deepEqual(texts(recovered.records), ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'])
      assert.match(recovered.findings.join(), /damaged-0001-snapshot-b/)
      assert.equal(recovered.damaged, false)
    }
  })

  it('that was the only one leaves an alarm, and the store goes on', async () => {
    const bytes = await snapshotted()
    const bench = new SimulatedBench()
    for (const [path, content] of bytes.files) bench.fileSystem.put(path, content.slice())
    bench.fileSystem.put(`${DIRECTORY}/snapshot-a`, record('junk'))
    bench.fileSystem.put(`${DIRECTORY}/snapshot-b`, record('junk'))
    bench.fileSystem.put(FIRST, new Uint8Array(SMALL_SEGMENT_BYTES))
    const store = bench.store()
    const recovered = await store.open()
    assert.deepEqual([recovered.snapshot, recovered.last, recovered.damaged], [null, 0, true])
    assert.equal(await store.commit([record('z')]), 1)
    bench.fileSystem.crash('drop')
    assert.deepEqual(texts((await bench.store().open()).records), ['z'])
  })
})

describe('Recycled segments', () => {
  it('keep the disk bounded over many rounds and never bring an old record back', async () => {
    const bench = new SimulatedBench()
    let sequence = 0
    for (let life = 0; life < 20; life += 1) {
      const store = bench.store()
      const recovered = await store.open()
      const through = recovered.snapshot?.through ?? 0
      assert.deepEqual(
        texts(recovered.records),
        Array.from({ length: sequence - through }, (_, index) => `record ${through + index + 1}`),
      )
      assert.deepEqual([recovered.last, recovered.findings], [sequence, []])
      for (let turn = 0; turn < 17; turn += 1) {
        sequence += 1
        assert.equal(await store.commit([record(`record ${sequence}`)]), sequence)
        if (turn % 8 === 7) await store.snapshot(record(`state ${sequence}`), sequence)
      }
      // Two snapshots of eight commits each are three to four segments of four pages; one more is begun.
      assert.ok(store.info().segments <= 7, `${store.info().segments} segments`)
      bench.fileSystem.crash('torn')
    }
    assert.ok(bench.fileSystem.paths().length <= 12, bench.fileSystem.paths().join(' '))
  })

  it('do not bring back the remnant of a batch that had been torn', async () => {
    const bench = new SimulatedBench()
    const first = bench.store()
    await first.open()
    await first.commit([record('a')])
    bench.fileSystem.cutPowerAt(0)
    await assert.rejects(first.commit([record('x'.repeat(5000))]))
    bench.fileSystem.crash('drop')
    // Only the second page of the batch reached the medium.
    const whole = await journalOf([['a'], ['x'.repeat(5000)]])
    bench.fileSystem.bytesOf(FIRST).set(whole.subarray(3 * PAGE), 3 * PAGE)
    const second = bench.store()
    assert.deepEqual(texts((await second.open()).records), ['a'])
    await second.commit([record('b')])
    await second.close()
    const recovered = await bench.store().open()
    assert.deepEqual([texts(recovered.records), recovered.findings], [['a', 'b'], []])
  })
})

const PAGE = 4096
/** Bytes between two places at which the whole store is tried; every byte is tried on its reading part. */
const STRIDE = 61

/** The medium fails whenever the segment is used so. */
function refuse(bench: SimulatedBench, segment: string, kinds: readonly string[]): void {
  bench.fileSystem.intercept = ({ kind, path }) => (path === segment && kinds.includes(kind) ? { code: 'EIO' } : null)
}

/** What the reading part of recovery makes of a journal of one segment. */
function readJournal(segment: Uint8Array): { records: readonly string[]; kind: string; unneeded: number } {
  const scanned = scanSegment('journal-0001', segment)
  const chain = followChain(scanned.batches, 0)
  const { kind, unneeded } = judgeTail([scanned], chain, 0)
  return { records: texts(chain.records), kind, unneeded }
}

function flippedAt(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const flipped = bytes.slice()
  flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
  return flipped
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0
}

/** Page 0 opens, page 1 holds `a`, pages 2 and 3 the batch that is torn. */
async function tornJournal(): Promise<{ whole: Uint8Array; text: string }> {
  const text = 'b'.repeat(5000)
  return { whole: await journalOf([['a'], [text]]), text }
}

/** The one segment that these commits leave behind an opening batch. */
async function journalOf(commits: readonly (readonly string[])[]): Promise<Uint8Array> {
  const bench = new SimulatedBench()
  const store = bench.store()
  await store.open()
  for (const commit of commits) await store.commit(commit.map(record))
  assert.ok(
    bench.fileSystem.bytesOf(SECOND).every((byte) => byte === 0),
    'one segment holds it all',
  )
  return bench.fileSystem.bytesOf(FIRST).slice()
}

/** A disk whose journal is `segment`. */
function benchWith(segment: Uint8Array): SimulatedBench {
  const bench = new SimulatedBench()
  bench.fileSystem.put(FIRST, segment.slice())
  bench.fileSystem.put(`${DIRECTORY}/format.json`, FORMAT)
  return bench
}

const FORMAT = record('{"format":1,"fleet":"0011223344556677","node":"b827eb0000000001"}\n')

/** Snapshots through 1 and 4, and enough commits after them to use a segment again that was freed too early. */
async function snapshotted(): Promise<{ files: readonly (readonly [string, Uint8Array])[]; newest: Uint8Array }> {
  const bench = new SimulatedBench()
  const store = bench.store()
  await store.open()
  await store.commit([record('a')])
  await store.snapshot(record('a'), 1)
  for (const text of ['b', 'c', 'd']) await store.commit([record(text)])
  await store.snapshot(record('a+b+c+d'), 4)
  for (const text of ['e', 'f', 'g', 'h', 'i', 'j', 'k']) await store.commit([record(text)])
  await store.close()
  const paths = bench.fileSystem.paths().filter((path) => !path.includes('/lock-'))
  const files = paths.map((path) => [path, bench.fileSystem.bytesOf(path).slice()] as const)
  return { files, newest: bench.fileSystem.bytesOf(`${DIRECTORY}/snapshot-b`).slice() }
}
