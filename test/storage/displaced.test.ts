import assert from 'node:assert/strict'
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { describe, it, type TestContext } from 'node:test'
import { lockDirectory } from '../../runtime/storage/directory-lock.ts'
import type { JournalStore } from '../../runtime/storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import { record, texts } from '../support/store-acceptance.ts'
import { DIRECTORY, makeRealBench, SimulatedBench } from '../support/store-bench.ts'

const DISPLACED = { code: 'storage-failed', message: /data was removed, moved, replaced or mounted over.*start again$/ }

/** What can become of the directory of a running store. */
const EVENTS: readonly { readonly name: string; readonly happen: (directory: string) => Promise<void> }[] = [
  { name: 'removed', happen: (directory) => rm(directory, { recursive: true }) },
  { name: 'moved away', happen: (directory) => rename(directory, `${directory}-moved`) },
  {
    name: 'replaced by an empty one',
    happen: async (directory) => {
      await rename(directory, `${directory}-moved`)
      await mkdir(directory)
    },
  },
  {
    name: 'replaced by its own copy',
    happen: async (directory) => {
      await rename(directory, `${directory}-moved`)
      await cp(`${directory}-moved`, directory, { recursive: true, verbatimSymlinks: true })
    },
  },
  {
    name: 'replaced by a file',
    happen: async (directory) => {
      await rm(directory, { recursive: true })
      await writeFile(directory, '')
    },
  },
]

/** What is written by its path, beside the commits. */
const WRITES: readonly (readonly [string, (store: JournalStore) => Promise<unknown>])[] = [
  ['snapshot', (store) => store.snapshot(record('a'), 1)],
  ['evidence', (store) => store.keepEvidence('doubt', record('a'))],
]

describe('A data directory that is in use', () => {
  for (const { name, happen } of EVENTS) {
    it(`and is ${name} takes no further commit, and that is said`, async (t) => {
      const { store, directory } = await committed(t)
      store.checkPlace()
      await happen(directory)
      await assert.rejects(store.commit([record('b')]), DISPLACED)
      await assert.rejects(store.commit([record('c')]), DISPLACED)
      assert.throws(() => store.checkPlace(), DISPLACED)
      assert.equal(store.info().lastSequence, 1)
      await store.close()
    })

    for (const [what, write] of WRITES) {
      it(`and is ${name} gets no ${what} and no trace of the end`, async (t) => {
        const { store, directory } = await committed(t)
        await happen(directory)
        const before = await namesIn(directory)
        await assert.rejects(write(store), DISPLACED)
        await store.close()
        // Of its own copy it lets go as of itself.
        if (name !== 'replaced by its own copy') assert.deepEqual(await namesIn(directory), before)
      })
    }

    it(`and is ${name} unnoticed is told of at the end`, async (t) => {
      const { store, directory } = await committed(t)
      await happen(directory)
      await assert.rejects(store.close(), DISPLACED)
    })
  }

  it('and is put back is opened with all that was acknowledged', async (t) => {
    const { bench, store, directory } = await committed(t)
    await rename(directory, `${directory}-moved`)
    await assert.rejects(store.commit([record('b')]), DISPLACED)
    await rename(`${directory}-moved`, directory)
    await store.close()
    const again = bench.store()
    const { records, damaged } = await again.open()
    assert.deepEqual([texts(records)[0], damaged], ['a', false])
    await again.close()
  })

  it('and is replaced by that of another gateway leaves the lock of that one alone', async (t) => {
    const { store, directory } = await committed(t)
    await rename(directory, `${directory}-moved`)
    await mkdir(directory)
    const other = await lockDirectory(nodeFileSystem, { ...nodeProcessTable, own: otherLife }, directory)
    await assert.rejects(store.close(), DISPLACED)
    assert.deepEqual(await readdir(directory), ['lock-1'])
    await other.release()
  })
})

describe('A store whose segment has another file in its place', () => {
  it('goes on in no other segment', async () => {
    const { store, fileSystem } = await simulated()
    const other = new Uint8Array(fileSystem.bytesOf(`${DIRECTORY}/journal-0002`))
    fileSystem.put(`${DIRECTORY}/journal-0001`, other.slice())
    fileSystem.put(`${DIRECTORY}/journal-0002`, other.slice())
    await assert.rejects(store.commit([record('b'.repeat(12_000))]), { code: 'storage-failed' })
    assert.deepEqual(fileSystem.bytesOf(`${DIRECTORY}/journal-0002`), other)
  })

  it('makes nothing where its disk was when that has failed and is gone', async () => {
    const { store, fileSystem } = await simulated()
    fileSystem.intercept = ({ kind }) => (kind === 'write' ? { code: 'EIO' } : null)
    for (const path of fileSystem.paths()) await fileSystem.remove(path)
    await assert.rejects(store.commit([record('b')]), { code: 'storage-failed', message: /was removed/ })
    assert.deepEqual(fileSystem.paths(), [])
    assert.equal(store.info().mediumErrors, 0)
  })
})

async function committed(t: TestContext) {
  const bench = await makeRealBench()
  t.after(() => bench.end())
  const store: JournalStore = bench.store() as JournalStore
  await store.open()
  await store.commit([record('a')])
  return { bench, store, directory: bench.directory }
}

async function simulated() {
  const bench = new SimulatedBench()
  const store = bench.store()
  await store.open()
  await store.commit([record('a')])
  return { store, fileSystem: bench.fileSystem }
}

/** Those in a directory, none where there is none. */
async function namesIn(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => [])
}

function otherLife() {
  return Promise.resolve({ pid: 1, start: 'another-life' })
}
