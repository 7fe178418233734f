import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'
import { bundleProcess } from '../support/bundle-process.ts'
import { FuseConnection } from './fuse-connection.ts'
import { checkImage, openImage } from './image-check.ts'
import { LoopDisk, obstacleToLoopDisks } from './loop-disk.ts'
import { CUT_KINDS, RecordedDisk } from './recorded-disk.ts'
import type { CutKind, DiskEvent } from './recorded-disk.ts'

/** Why this machine cannot record what reaches a disk, or null. */
export function obstacleToImages(): string | null {
  const obstacle = obstacleToLoopDisks(['/dev/fuse', '/dev/loop-control'])
  return obstacle === null ? null : `block-level crash images: ${obstacle}`
}

export interface ImageFigures {
  readonly images: number
  readonly inFlight: number
  readonly acknowledged: number
  /** Openings that reported something, such as a torn tail. */
  readonly findings: number
}

/**
 * A store works on ext4 on a loop device whose every write and flush is recorded, over several lives that are killed.
 * Then the power is cut at random moments of that recording, in each way in which a card treats what is in flight; the
 * file system is repaired and mounted, the store opened, and every record looked for that had been acknowledged before.
 */
export async function checkCrashImages(options: {
  readonly images: number
  readonly seed: number
}): Promise<ImageFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetstep-images-'))
  try {
    const disk = await recordLives(folder)
    const random = seededRandom(options.seed)
    const totals = { images: 0, inFlight: 0, acknowledged: 0, findings: 0 }
    for (let index = 0; index < options.images; index += 1) {
      const kind = CUT_KINDS[index % CUT_KINDS.length] as CutKind
      const cut = drawCut(disk, random)
      const file = join(folder, 'image')
      await writeFile(file, disk.imageAt(cut, kind, random))
      const recovered = await openImage(folder, file)
      const lines = disk.linesBefore(cut)
      const acknowledged = checkImage(recovered, lines, lines, `${kind} at event ${cut}, seed ${options.seed}`)
      totals.images += 1
      totals.inFlight += disk.inFlightAt(cut)
      totals.acknowledged += acknowledged
      if (recovered.findings.length > 0) totals.findings += 1
    }
    return totals
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Room for the store's segments and two snapshots, and small enough to be copied often. */
const DISK_BYTES = 40 * 1024 * 1024
const LIVES = 3
const COMMITS_PER_LIFE = 70

async function recordLives(folder: string): Promise<RecordedDisk> {
  const served = join(folder, 'served')
  const mountPoint = join(folder, 'recorded')
  await Promise.all([mkdir(served), mkdir(mountPoint)])
  const program = await bundleProcess('test/support/committing-process.ts', 'committing-process')
  const disk = new RecordedDisk(DISK_BYTES)
  const files = new Map([
    ['disk', disk],
    ['marks', disk.marks],
  ])
  const connection = await FuseConnection.mount(served, files)
  try {
    const loop = await LoopDisk.attach(join(served, 'disk'), mountPoint)
    try {
      await loop.format()
      await loop.mount()
      disk.record()
      try {
        for (let life = 1; life <= LIVES; life += 1) await live(program, mountPoint, join(served, 'marks'), disk, life)
      } finally {
        await loop.unmount()
      }
    } finally {
      await loop.detach()
    }
  } finally {
    await connection.unmount()
  }
  return disk
}

/**
 * One life of the committing process. What it says goes into the recording, between the writes that it speaks of. Only
 * the child opens the served files: this process would wait for itself.
 */
async function live(
  program: string,
  mountPoint: string,
  marks: string,
  disk: RecordedDisk,
  life: number,
): Promise<void> {
  const before = disk.events.length
  const args = [program, join(mountPoint, 'data'), `life-${life}`, marks]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  disk.onMark = () => {
    if (disk.events.slice(before).filter(isAcknowledgement).length >= COMMITS_PER_LIFE) child.kill('SIGKILL')
  }
  assert.deepEqual(await exited, [null, 'SIGKILL'])
  disk.onMark = () => undefined
}

function isAcknowledgement(event: DiskEvent): boolean {
  return event.kind === 'mark' && event.text.startsWith('ack')
}

/** Right behind a write, so that something is in flight. */
function drawCut(disk: RecordedDisk, random: Random): number {
  for (;;) {
    const cut = 1 + (random.uint32() % disk.events.length)
    if (disk.inFlightAt(cut) > 0) return cut
  }
}
