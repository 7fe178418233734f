import assert from 'node:assert/strict'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { describe, it } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import { lockDirectory } from '../../runtime/storage/directory-lock.ts'
import { nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import { SimulatedFileSystem } from '../support/simulated-file-system.ts'
import { record } from '../support/store-acceptance.ts'
import { DIRECTORY, OWNER, SimulatedBench } from '../support/store-bench.ts'

describe('A data directory', () => {
  it('of another node or fleet is refused in one line and left as it is', async () => {
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    await store.commit([record('a')])
    await store.close()
    const before = contentOf(bench)
    for (const owner of [
      { ...OWNER, node: 'b827eb0000000002' },
      { ...OWNER, fleet: 'ffffffffffffffff' },
    ]) {
      await assert.rejects(bench.store(owner).open(), {
        code: 'data-directory-foreign',
        message: new RegExp(`^/data belongs to .*not to node ${owner.node} of fleet ${owner.fleet}; .*$`),
      })
    }
    assert.deepEqual(contentOf(bench), before)
    const again = bench.store()
    assert.equal((await again.open()).last, 1)
  })

  it('of a newer format is refused in one line', async () => {
    const bench = new SimulatedBench()
    bench.fileSystem.put(`${DIRECTORY}/format.json`, record('{"format":2,"fleet":{},"node":[]}'))
    await assert.rejects(bench.store().open(), { code: 'data-directory-newer', message: /format 2.*knows 1/ })
  })

  it('whose mark is missing or cannot be read is refused, and never taken for an empty one', async () => {
    for (const text of ['', '{', '[]', 'null', '{"format":1}', '{"format":"1","fleet":"x","node":"y"}']) {
      const bench = new SimulatedBench()
      bench.fileSystem.put(`${DIRECTORY}/format.json`, record(text))
      await assert.rejects(bench.store().open(), { code: 'data-directory-damaged' }, text)
    }
    const bench = new SimulatedBench()
    const store = bench.store()
    await store.open()
    await store.close()
    await bench.fileSystem.remove(`${DIRECTORY}/format.json`)
    await assert.rejects(bench.store().open(), { code: 'data-directory-damaged', message: /format\.json is missing/ })
  })

  it('that cannot be written to is named', async () => {
    for (const code of ['EACCES', 'EROFS']) {
      const bench = new SimulatedBench()
      bench.fileSystem.intercept = ({ kind }) => (kind === 'create' || kind === 'mark' ? { code } : null)
      await assert.rejects(bench.store().open(), {
        code: 'data-directory-unwritable',
        message: /^\/data cannot be used/,
      })
    }
  })

  it('is free again after an opening that failed', async () => {
    const bench = new SimulatedBench()
    await bench
      .store()
      .open()
      .then((store) => store)
    bench.fileSystem.kill()
    bench.fileSystem.intercept = ({ kind, path }) =>
      kind === 'read' && path.includes('journal') ? { code: 'EBADMSG' } : null
    await assert.rejects(bench.store().open(), { code: 'storage-failed' })
    bench.fileSystem.intercept = () => null
    await bench.store().open()
  })

  it('has no file open after an opening that failed, nor after an end', async () => {
    const bench = new SimulatedBench()
    for (const failing of ['journal-', 'snapshot-', 'none']) {
      const store = bench.store()
      bench.fileSystem.intercept = ({ kind, path }) =>
        ['write', 'read'].includes(kind) && path.includes(failing) ? { code: 'EROFS' } : null
      await store.open().catch(() => undefined)
      bench.fileSystem.intercept = () => null
      if (failing === 'none') {
        await store.commit([record('a')])
        await store.snapshot(record('b'), 1)
      }
      await store.close()
      assert.equal(bench.fileSystem.openFiles, 0, failing)
    }
  })
})

describe('The lock of a data directory', () => {
  it('names the process that holds it', async () => {
    const { fileSystem } = new SimulatedBench()
    await lockDirectory(fileSystem, fileSystem.processes, DIRECTORY)
    await assert.rejects(lockDirectory(fileSystem, fileSystem.processes, DIRECTORY), {
      code: 'data-directory-locked',
      message: '/data is in use by process 100; stop that daemon first, or give this one a data directory of its own',
    })
  })

  it('of a process that is gone is taken over, even if its pid lives again, and by one contender only', async () => {
    const { fileSystem } = new SimulatedBench()
    await lockDirectory(fileSystem, fileSystem.processes, DIRECTORY)
    fileSystem.kill()
    const contenders = await Promise.allSettled(
      Array.from({ length: 5 }, () => lockDirectory(fileSystem, fileSystem.processes, DIRECTORY)),
    )
    assert.equal(contenders.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(fileSystem.paths().length, 1)
  })

  it('is not given to a contender whose listing missed the holder', async () => {
    const fileSystem = new ForgetfulFileSystem(seededRandom(1))
    const first = await lockDirectory(fileSystem, fileSystem.processes, DIRECTORY)
    await first.release()
    await lockDirectory(fileSystem, fileSystem.processes, DIRECTORY)
    fileSystem.forgetsNext = true
    await assert.rejects(lockDirectory(fileSystem, fileSystem.processes, DIRECTORY), { code: 'data-directory-locked' })
  })

  it('goes from hand to hand without growing', async () => {
    const { fileSystem } = new SimulatedBench()
    for (let turn = 0; turn < 5; turn += 1) {
      const lock = await lockDirectory(fileSystem, fileSystem.processes, DIRECTORY)
      await lock.release()
    }
    assert.equal(fileSystem.paths().length, 1)
  })
})

describe('The process table of this machine', () => {
  it('knows itself, and tells another start of the same pid apart', async () => {
    const own = await nodeProcessTable.own()
    assert.equal(own.pid, process.pid)
    assert.ok(/^\S+$/.test(own.start))
    assert.equal(await nodeProcessTable.isAlive(own), true)
    assert.equal(await nodeProcessTable.isAlive({ pid: own.pid, start: 'another' }), process.platform !== 'linux')
  })

  it('knows that a process has ended', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    assert.ok(child.pid !== undefined)
    await once(child, 'exit')
    assert.equal(await nodeProcessTable.isAlive({ pid: child.pid, start: 'any' }), false)
  })
})

/** Its listing may miss what is made while it runs, as readdir(3) may. */
class ForgetfulFileSystem extends SimulatedFileSystem {
  forgetsNext = false

  override list(directory: string): Promise<readonly string[]> {
    if (!this.forgetsNext) return super.list(directory)
    this.forgetsNext = false
    return Promise.resolve([])
  }
}

function contentOf(bench: SimulatedBench): readonly (readonly [string, Uint8Array])[] {
  const paths = bench.fileSystem.paths().filter((path) => !path.includes('/lock-'))
  return paths.map((path) => [path, bench.fileSystem.bytesOf(path).slice()] as const)
}
