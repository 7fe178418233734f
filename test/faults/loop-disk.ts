import { accessSync, constants } from 'node:fs'
import { runTool } from './run-tool.ts'

/** Why this machine cannot make a disk of a file, or null. */
export function obstacleToLoopDisks(devices: readonly string[] = ['/dev/loop-control']): string | null {
  if (process.getuid?.() !== 0) return 'mount and loop devices need root'
  for (const device of devices) {
    try {
      accessSync(device, constants.R_OK | constants.W_OK)
    } catch {
      return `${device} cannot be used`
    }
  }
  return null
}

/** A file as a block device with a file system on it. Needs root and loop devices. */
export class LoopDisk {
  readonly device: string
  readonly mountPoint: string

  private constructor(device: string, mountPoint: string) {
    this.device = device
    this.mountPoint = mountPoint
  }

  static async attach(file: string, mountPoint: string): Promise<LoopDisk> {
    const device = (await runTool('losetup', ['--find', '--show', file])).trim()
    return new LoopDisk(device, mountPoint)
  }

  /** Stock ext4, with everything written now that would otherwise be written in the background later. */
  async format(): Promise<void> {
    const now = 'lazy_itable_init=0,lazy_journal_init=0,nodiscard'
    await runTool('mkfs.ext4', ['-q', '-F', '-b', '4096', '-E', now, this.device])
  }

  /** What a machine does at its start: 1 says that something was repaired, and the journal replayed. */
  async repair(): Promise<void> {
    await runTool('e2fsck', ['-p', this.device], null, [0, 1])
  }

  async mount(options = 'noatime', kind = 'ext4'): Promise<void> {
    await runTool('mount', ['-t', kind, '-o', options, this.device, this.mountPoint])
  }

  async unmount(): Promise<void> {
    await runTool('umount', [this.mountPoint])
  }

  async detach(): Promise<void> {
    await runTool('losetup', ['--detach', this.device])
  }
}
