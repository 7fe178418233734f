import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { FileSystem } from '../../runtime/storage/file-system.ts'
import { systemClock } from '../../runtime/gateway/system-clock.ts'
import { JournalStore } from '../../runtime/storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import { OWNER } from '../support/store-bench.ts'

/** One way to keep operations over a power cut. */
export interface Engine {
  /** Resolves once all of them are on the medium. */
  commit(operations: readonly Uint8Array[]): Promise<void>
  close(): Promise<void>
}

export type EngineOpener = (directory: string) => Promise<Engine>

/** Ours, with the snapshots that it asks for: a state of a thousand points. */
export async function openFleetstep(directory: string, fileSystem: FileSystem = nodeFileSystem): Promise<Engine> {
  const store = new JournalStore({
    fileSystem,
    processes: nodeProcessTable,
    directory,
    owner: OWNER,
    clock: systemClock,
  })
  await store.open()
  const state = new Uint8Array(SNAPSHOT_BYTES)
  return {
    async commit(operations) {
      const last = await store.commit(operations)
      if (store.info().snapshotDue) await store.snapshot(state, last)
    },
    close: () => store.close(),
  }
}

const SNAPSHOT_BYTES = 64 * 1024

/** What one would write without thinking of the card: a file that grows, and fdatasync. */
export async function openAppendLog(directory: string, fileSystem: FileSystem = nodeFileSystem): Promise<Engine> {
  await fileSystem.makeDirectory(directory)
  const file = await fileSystem.open(join(directory, 'log'), 'create')
  let at = 0
  return {
    async commit(operations) {
      const bytes = Buffer.concat(operations)
      await file.write(bytes, at)
      at += bytes.length
      await file.sync()
    },
    close: () => file.close(),
  }
}

interface LmdbDatabase {
  put(key: number, value: Uint8Array): Promise<boolean>
  transaction(work: () => void): Promise<unknown>
  readonly flushed: Promise<unknown>
  close(): Promise<void>
}

/** LMDB as lmdb-js is set for durability: a transaction is on the medium when it resolves. */
export async function openLmdb(directory: string): Promise<Engine> {
  await mkdir(directory, { recursive: true })
  const peers = createRequire(resolve('test', 'bench', 'peers', 'package.json'))
  const { open: openDatabase } = peers('lmdb') as { open: (options: object) => LmdbDatabase }
  const database = openDatabase({
    path: join(directory, 'lmdb'),
    overlappingSync: false,
    encoding: 'binary',
    keyEncoding: 'uint32',
    compression: false,
  })
  let sequence = 0
  return {
    async commit(operations) {
      await database.transaction(() => {
        for (const operation of operations) void database.put((sequence += 1), operation)
      })
      await database.flushed
    },
    close: () => database.close(),
  }
}

/** SQLite of the system, in its durable setting (WAL, synchronous=FULL), in a process of its own. */
export async function openSqlite(directory: string): Promise<Engine> {
  await mkdir(directory, { recursive: true })
  const child = spawn('python3', ['-c', SQLITE_SERVER, join(directory, 'sqlite.db')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await expectLine(answers, child)
  return {
    async commit(operations) {
      child.stdin.write(`${operations.length} ${operations[0]?.length ?? 0}\n`)
      await expectLine(answers, child)
    },
    async close() {
      const ended = once(child, 'close')
      child.stdin.end()
      await ended
    },
  }
}

/** Reads "count length" and commits as many rows of that length in one transaction. */
const SQLITE_SERVER = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('PRAGMA journal_mode=WAL')
database.execute('PRAGMA synchronous=FULL')
database.execute('CREATE TABLE operation (sequence INTEGER PRIMARY KEY, bytes BLOB)')
print('ready', flush=True)
for line in sys.stdin:
    count, length = map(int, line.split())
    database.execute('BEGIN')
    for _ in range(count):
        database.execute('INSERT INTO operation (bytes) VALUES (?)', (bytes(length),))
    database.execute('COMMIT')
    print('done', flush=True)
database.close()
`

async function expectLine(answers: AsyncIterator<string>, child: ChildProcess): Promise<void> {
  const { done } = await answers.next()
  if (done === true) throw new Error(`${child.spawnfile} ended: is python3 with sqlite3 installed?`)
}

/** What a file system was asked to write, for machines on which nobody may look at the device. */
export class CountingFileSystem implements FileSystem {
  #bytes = 0
  #writes = 0
  #flushes = 0
  readonly makeDirectory: FileSystem['makeDirectory'] = nodeFileSystem.makeDirectory
  readonly list: FileSystem['list'] = nodeFileSystem.list
  readonly rename: FileSystem['rename'] = nodeFileSystem.rename
  readonly remove: FileSystem['remove'] = nodeFileSystem.remove
  readonly freeBytes: FileSystem['freeBytes'] = nodeFileSystem.freeBytes
  readonly createMark: FileSystem['createMark'] = nodeFileSystem.createMark
  readonly readMark: FileSystem['readMark'] = nodeFileSystem.readMark

  get counts(): { readonly bytes: number; readonly writes: number; readonly flushes: number } {
    return { bytes: this.#bytes, writes: this.#writes, flushes: this.#flushes }
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): ReturnType<FileSystem['open']> {
    const file = await nodeFileSystem.open(path, mode)
    return {
      read: (into, at) => file.read(into, at),
      write: async (bytes, at) => {
        const written = await file.write(bytes, at)
        this.#bytes += written
        this.#writes += 1
        return written
      },
      sync: async () => {
        this.#flushes += 1
        await file.sync()
      },
      size: () => file.size(),
      isInPlace: () => file.isInPlace(),
      close: () => file.close(),
    }
  }

  async syncDirectory(path: string): Promise<void> {
    this.#flushes += 1
    await nodeFileSystem.syncDirectory(path)
  }
}
