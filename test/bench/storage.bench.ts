import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { obstacleToLoopDisks, LoopDisk } from '../faults/loop-disk.ts'
import { runTool } from '../faults/run-tool.ts'
import {
  CountingFileSystem,
  openAppendLog,
  openFleetstep,
  openLmdb,
  openSqlite,
  type Engine,
  type EngineOpener,
} from './storage-engines.ts'

/*
 * What storage writes to a card. Each engine has an ext4 of its own on a loop device, and the kernel counts what reaches
 * that device: bytes, write requests, flushes. The trickle runs in real time, all engines at once, because ext4 commits
 * its own journal every 5 s whatever we do.
 *
 * Commits per second are modelled, not measured, for a card that is no faster than its class promises (SD Physical Layer
 * specification, application performance class A1: 500 random writes of 4 KiB and 10 MB sequentially in a second), and
 * that takes 2 ms to make its cache durable: time = 2 ms a write request + 2 ms a flush + 0.1 µs a byte.
 */
interface Row {
  readonly engine: string
  readonly work: string
  readonly counted: 'at the device' | 'at the file system port'
  readonly bytesPerOperation: number
  readonly bytesPerCommit: number
  readonly flushesPerCommit: number
  readonly modelledCommitsPerS: number
  /** Bytes written for each byte of the operations. */
  readonly ratioWriteAmplification: number
  /** Modelled commits beside those of LMDB at the same work. */
  readonly ratioToLmdb?: number
}

interface Counts {
  readonly bytes: number
  /** Requests with something to write. */
  readonly writes: number
  readonly flushes: number
}

interface Work {
  readonly name: string
  readonly perCommit: number
  readonly commits: number
  /** Before counting, so that segments are recycled and trees have their depth. */
  readonly warmUp: number
  readonly intervalMs: number
}

/** LMDB is no dependency of the product, so it is fetched when it is asked for. */
export const packages = 'test/bench/peers'

export async function run({ smoke }: { readonly smoke: boolean }): Promise<{ rows: readonly Row[] }> {
  const obstacle = smoke ? null : obstacleToLoopDisks()
  if (obstacle !== null) console.error(`Counted at the file system port, without LMDB and SQLite: ${obstacle}.`)
  return { rows: smoke || obstacle !== null ? await countAtPort(smoke) : await countAtDevices() }
}

const OPERATION_BYTES = 100
const SINGLE: Work = { name: 'one operation a commit', perCommit: 1, commits: 4200, warmUp: 4200, intervalMs: 0 }
const GATHERED: Work = { name: '100 operations a commit', perCommit: 100, commits: 700, warmUp: 1500, intervalMs: 0 }
const TRICKLE: Work = { name: '20 operations a second', perCommit: 20, commits: 60, warmUp: 4200, intervalMs: 1000 }

async function countAtPort(smoke: boolean): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetstep-bench-'))
  try {
    const rows: Row[] = []
    for (const [name, openEngine] of [
      ['fleetstep', openFleetstep],
      ['append log', openAppendLog],
    ] as const) {
      for (const work of [SINGLE, GATHERED].map((one) => (smoke ? { ...one, commits: 50, warmUp: 5 } : one))) {
        const counter = new CountingFileSystem()
        const engine = await openEngine(join(folder, `${name} ${work.perCommit}`), counter)
        const count = (): Promise<Counts> => Promise.resolve(counter.counts)
        rows.push(rowOf(name, 'at the file system port', work, await perform(engine, work, count)))
        await engine.close()
      }
    }
    return rows
  } finally {
    await rm(folder, { recursive: true })
  }
}

interface Subject {
  readonly name: string
  readonly open: EngineOpener
  readonly mountOptions: string
}

/** As ext4 is mounted where nobody says otherwise, and as we advise for a partition of its own. */
const STOCK = 'defaults'
const ADVISED = 'noatime,lazytime,commit=60'

const SUBJECTS: readonly Subject[] = [
  { name: 'fleetstep', open: (directory) => openFleetstep(directory), mountOptions: STOCK },
  { name: `fleetstep, ${ADVISED}`, open: (directory) => openFleetstep(directory), mountOptions: ADVISED },
  { name: 'append log', open: (directory) => openAppendLog(directory), mountOptions: STOCK },
  { name: 'LMDB', open: openLmdb, mountOptions: STOCK },
  { name: 'SQLite', open: openSqlite, mountOptions: STOCK },
]

async function countAtDevices(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fleetstep-bench-'))
  const disks: CountedDisk[] = []
  try {
    for (const subject of SUBJECTS) disks.push(await CountedDisk.make(folder, disks.length, subject.mountOptions))
    const rows: Row[] = []
    for (const work of [SINGLE, GATHERED]) {
      for (const [index, subject] of SUBJECTS.entries()) rows.push(await measure(subject, disks[index], work))
    }
    rows.push(...(await Promise.all(SUBJECTS.map((subject, index) => measure(subject, disks[index], TRICKLE)))))
    return rows.map((row) => besideLmdb(row, rows))
  } finally {
    for (const disk of disks) await disk.end()
    await rm(folder, { recursive: true })
  }
}

async function measure(subject: Subject, disk: CountedDisk | undefined, work: Work): Promise<Row> {
  if (disk === undefined) throw new Error('each engine has a disk')
  const engine = await subject.open(join(disk.mountPoint, String(work.perCommit)))
  try {
    return rowOf(subject.name, 'at the device', work, await perform(engine, work, () => disk.counts()))
  } finally {
    await engine.close()
  }
}

async function perform(engine: Engine, work: Work, count: () => Promise<Counts>): Promise<Counts> {
  const operations = Array.from({ length: work.perCommit }, (_, index) =>
    new Uint8Array(OPERATION_BYTES).fill(index + 1),
  )
  for (let done = 0; done < work.warmUp; done += 1) await engine.commit(operations)
  const before = await count()
  const startMs = performance.now()
  for (let done = 1; done <= work.commits; done += 1) {
    await engine.commit(operations)
    const waitMs = startMs + done * work.intervalMs - performance.now()
    if (waitMs > 0) await new Promise((resolveLater) => setTimeout(resolveLater, waitMs))
  }
  const after = await count()
  return {
    bytes: after.bytes - before.bytes,
    writes: after.writes - before.writes,
    flushes: after.flushes - before.flushes,
  }
}

function rowOf(engine: string, counted: Row['counted'], work: Work, counts: Counts): Row {
  const perCommit = (figure: number): number => figure / work.commits
  const seconds = perCommit(counts.writes) * 0.002 + perCommit(counts.flushes) * 0.002 + perCommit(counts.bytes) / 10e6
  return {
    engine,
    work: work.name,
    counted,
    bytesPerOperation: Math.round(perCommit(counts.bytes) / work.perCommit),
    bytesPerCommit: Math.round(perCommit(counts.bytes)),
    flushesPerCommit: Math.round(perCommit(counts.flushes) * 100) / 100,
    modelledCommitsPerS: Math.round(1 / seconds),
    ratioWriteAmplification: perCommit(counts.bytes) / (work.perCommit * OPERATION_BYTES),
  }
}

function besideLmdb(row: Row, rows: readonly Row[]): Row {
  const lmdb = rows.find(({ engine, work }) => engine === 'LMDB' && work === row.work)
  return lmdb === undefined ? row : { ...row, ratioToLmdb: row.modelledCommitsPerS / lmdb.modelledCommitsPerS }
}

/** An ext4 on a loop device of its own, and what the kernel has counted there. */
class CountedDisk {
  readonly #loop: LoopDisk

  private constructor(loop: LoopDisk) {
    this.#loop = loop
  }

  static async make(folder: string, index: number, mountOptions: string): Promise<CountedDisk> {
    const file = join(folder, `disk-${index}`)
    const mountPoint = join(folder, `mounted-${index}`)
    await mkdir(mountPoint)
    await writeFile(file, '')
    await truncate(file, DISK_BYTES)
    const loop = await LoopDisk.attach(file, mountPoint)
    try {
      await loop.format()
      await loop.mount(mountOptions)
      return new CountedDisk(loop)
    } catch (error) {
      await loop.detach()
      throw error
    }
  }

  get mountPoint(): string {
    return this.#loop.mountPoint
  }

  /**
   * All that was caused so far, also what the file system would have written later. Documentation/block/stat.rst: a flush
   * that carries nothing is among the writes too. The file system's own commits carry theirs, one before and, where the
   * device knows no forced write (FUA), one behind; every other flush carries nothing.
   */
  async counts(): Promise<Counts> {
    await runTool('sync', ['--file-system', this.mountPoint])
    const device = basename(this.#loop.device)
    const [stat, fua, journal] = await Promise.all(
      [`/sys/block/${device}/stat`, `/sys/block/${device}/queue/fua`, `/proc/fs/jbd2/${device}-8/info`].map((file) =>
        readFile(file, 'utf8'),
      ),
    )
    const fields = (stat ?? '').trim().split(/\s+/).map(Number)
    const [requests, sectors, flushes] = [fields[4], fields[6], fields[15]]
    if (requests === undefined || sectors === undefined || flushes === undefined) {
      throw new Error('this kernel counts no flushes (it is older than 5.5)')
    }
    const carried = Number.parseInt(journal ?? '', 10) * (fua?.trim() === '1' ? 1 : 2)
    return { bytes: sectors * 512, writes: requests - (flushes - carried), flushes }
  }

  async end(): Promise<void> {
    await this.#loop.unmount()
    await this.#loop.detach()
  }
}

const DISK_BYTES = 256 * 1024 * 1024
