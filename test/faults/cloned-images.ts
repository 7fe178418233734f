import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'
import { bundleProcess } from '../support/bundle-process.ts'
import type { ImageFigures } from './crash-images.ts'
import { checkImage, openImage } from './image-check.ts'
import { LoopDisk, obstacleToLoopDisks } from './loop-disk.ts'
import { runTool } from './run-tool.ts'

/** Why this machine cannot copy a disk in one moment while it is written to, or null. */
export async function obstacleToClones(): Promise<string | null> {
  const obstacle = obstacleToLoopDisks()
  if (obstacle !== null) return `copies of a disk in use: ${obstacle}`
  const known = await readFile('/proc/filesystems', 'utf8')
  if (!/\bxfs$/m.test(known)) return 'copies of a disk in use: this kernel has no xfs'
  return await runTool('mkfs.xfs', ['-V']).then(
    () => null,
    () => 'copies of a disk in use: mkfs.xfs is missing (Debian: xfsprogs)',
  )
}

/**
 * A second way to crash images, with nothing of ours between the kernel and the disk: a store works on ext4 on a loop device
 * whose file lies on xfs, and that file is cloned (FICLONE, one moment for all of it) at random times. A clone is what a
 * power cut would leave of a disk that has no cache; what becomes of sectors in flight is for the recorded disk to show.
 */
export async function checkClonedImages(options: {
  readonly images: number
  readonly seed: number
}): Promise<ImageFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetstep-clones-'))
  const outer = await mountDisk(folder, 'outer', OUTER_BYTES, 'xfs')
  try {
    const inner = await mountDisk(outer.mountPoint, 'inner', INNER_BYTES, 'ext4')
    try {
      return await cloneWhileWriting(outer.mountPoint, inner, options)
    } finally {
      await inner.unmount()
      await inner.detach()
    }
  } finally {
    await outer.unmount()
    await outer.detach()
    await rm(folder, { recursive: true })
  }
}

const OUTER_BYTES = 1024 * 1024 * 1024
const INNER_BYTES = 48 * 1024 * 1024
const IMAGES_PER_LIFE = 10

async function mountDisk(folder: string, name: string, bytes: number, kind: 'xfs' | 'ext4'): Promise<LoopDisk> {
  const mountPoint = join(folder, `${name}-mounted`)
  const file = join(folder, `${name}-disk`)
  await mkdir(mountPoint)
  await writeFile(file, '')
  await truncate(file, bytes)
  const disk = await LoopDisk.attach(file, mountPoint)
  try {
    if (kind === 'ext4') await disk.format()
    else await runTool('mkfs.xfs', ['-q', '-m', 'reflink=1', disk.device])
    await disk.mount('noatime', kind)
    return disk
  } catch (error) {
    await disk.detach()
    throw error
  }
}

async function cloneWhileWriting(
  folder: string,
  inner: LoopDisk,
  { images, seed }: { readonly images: number; readonly seed: number },
): Promise<ImageFigures> {
  const program = await bundleProcess('test/support/committing-process.ts', 'committing-process')
  const random = seededRandom(seed)
  const said = join(folder, 'said')
  await writeFile(said, '')
  const totals = { images: 0, inFlight: 0, acknowledged: 0, findings: 0 }
  const lines: string[] = []
  while (totals.images < images) {
    await writeFile(said, '')
    const child = spawn(process.execPath, [program, join(inner.mountPoint, 'data'), `life-${lines.length}`, said], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const exited = once(child, 'exit')
    try {
      for (let turn = 0; turn < IMAGES_PER_LIFE && totals.images < images; turn += 1) {
        await cloneOnce(folder, said, lines, random, totals, `image ${totals.images}, seed ${seed}`)
      }
    } finally {
      child.kill('SIGKILL')
      await exited
      lines.push(...(await linesOf(said)))
    }
  }
  return totals
}

async function cloneOnce(
  folder: string,
  said: string,
  earlier: readonly string[],
  random: Random,
  totals: { images: number; inFlight: number; acknowledged: number; findings: number },
  what: string,
): Promise<void> {
  await progress(said, 1 + (random.uint32() % 20))
  const clone = join(folder, 'clone')
  const before = [...earlier, ...(await linesOf(said))]
  await runTool('cp', ['--reflink=always', join(folder, 'inner-disk'), clone])
  const after = [...earlier, ...(await linesOf(said))]
  const recovered = await openImage(folder, clone)
  totals.acknowledged += checkImage(recovered, before, after, what)
  totals.images += 1
  if (after.length > before.length) totals.inFlight += 1
  if (recovered.findings.length > 0) totals.findings += 1
}

/** Resolves once the process has said so many lines more. */
async function progress(said: string, count: number): Promise<void> {
  const target = (await linesOf(said)).length + count
  for (let waits = 0; (await linesOf(said)).length < target; waits += 1) {
    if (waits > WAITS_MAX) throw new Error('the committing process commits no more')
    await sleep(WAIT_MS)
  }
}

const WAIT_MS = 5
const WAITS_MAX = 20_000

async function linesOf(file: string): Promise<readonly string[]> {
  return (await readFile(file, 'utf8')).split('\n').slice(0, -1)
}
