import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { LoopDisk } from '../faults/loop-disk.ts'
import { runTool } from './tool.ts'

const DISK_BYTES = 48 * 1024 * 1024

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
    const file = openSync(this.#ballast, 'w')
    const block = Buffer.alloc(64 * 1024, 1)
    try {
      for (let size = block.length; size >= 512;) {
        try {
          writeSync(file, block, 0, size)
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
          size /= 2
        }
      }
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true })
  }

  /** Whoever writes waits until it goes on. */
  freeze(): void {
    runTool('fsfreeze', ['--freeze', this.mountPoint])
  }

  thaw(): void {
    runTool('fsfreeze', ['--unfreeze', this.mountPoint])
  }

  async remove(): Promise<void> {
    await this.#disk.unmount()
    await this.#disk.detach()
  }

  get #ballast(): string {
    return join(this.mountPoint, 'ballast')
  }
}
