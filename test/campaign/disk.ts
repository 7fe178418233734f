import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { LoopDisk } from '../faults/loop-disk.ts'
import { runTool } from './tool.ts'

const DISK_BYTES = 192 * 1024 * 1024

/** The card of one gateway: a small file system of its own, which can be full, or take nothing for a while. */
export class Disk {
  readonly mountPoint: string
  readonly #disk: LoopDisk

  private constructor(disk: LoopDisk) {
    this.#disk = disk
    this.mountPoint = disk.mountPoint
  }

  static async create(folder: string, name: string): Promise<Disk> {
    const image = join(folder, `${name}.img`)
    const mountPoint = join(folder, `${name}-disk`)
    mkdirSync(mountPoint)
    const file = openSync(image, 'w')
    ftruncateSync(file, DISK_BYTES)
    closeSync(file)
    const disk = await LoopDisk.attach(image, mountPoint)
    await disk.format()
    await disk.mount()
    return new Disk(disk)
  }

  /** Nothing fits on it any more. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.mountPoint)
    // Some blocks go for the file itself, so less and less is tried until nothing fits.
    for (let bytes = bavail * bsize; bytes >= bsize; bytes = Math.floor(bytes / 2)) {
      const size = String(bytes)
      spawnSync('fallocate', ['--length', size, join(this.mountPoint, `${BALLAST}-${size}`)])
    }
  }

  free(): void {
    for (const name of readdirSync(this.mountPoint)) if (name.startsWith(BALLAST)) rmSync(join(this.mountPoint, name))
  }

  /** Whoever writes waits until it goes on. */
  freeze(): void {
    runTool('fsfreeze', ['--freeze', this.mountPoint])
  }

  thaw(): void {
    runTool('fsfreeze', ['--unfreeze', this.mountPoint])
  }

  /** The same if it stands still; it may be the middle of a trouble. */
  release(): void {
    spawnSync('fsfreeze', ['--unfreeze', this.mountPoint])
  }

  async remove(): Promise<void> {
    await this.#disk.unmount()
    await this.#disk.detach()
  }
}

const BALLAST = 'ballast'
