import { constants, fstatSync, statSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { mkdir, open, readFile, readdir, readlink, rename, statfs, symlink, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { ProcessIdentity, ProcessTable } from './directory-lock.ts'
import { errorCode, isNowhere } from './file-system.ts'
import type { File, FileSystem } from './file-system.ts'

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  async makeDirectory(path) {
    const first = await mkdir(path, { recursive: true })
    if (first === undefined) return
    // The name of each new directory stands in the one above it.
    for (let made = resolve(path); made.length >= resolve(first).length; made = dirname(made)) {
      await syncDirectory(dirname(made))
    }
  },
  list: (directory) => readdir(directory),
  async open(path, mode) {
    return new NodeFile(await open(path, OPEN_FLAGS[mode], 0o600), path)
  },
  rename,
  remove: unlink,
  syncDirectory,
  async freeBytes(directory) {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  },
  // A symbolic link is made with its text in one step and never replaces another; a file would be seen empty for a moment.
  async createMark(path, text) {
    try {
      await symlink(text, path)
      return true
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false
      throw error
    }
  },
  async readMark(path) {
    try {
      return await readlink(path)
    } catch (error) {
      if (isNowhere(error)) return null
      throw error
    }
  },
}

/** The processes of this machine, told apart by when they started (proc_pid_stat(5)), so that a reused pid is noticed. */
export const nodeProcessTable: ProcessTable = {
  async own() {
    return { pid: process.pid, start: (await startOf(process.pid)) ?? UNKNOWN }
  },
  async isAlive(identity: ProcessIdentity) {
    const start = await startOf(identity.pid)
    // No such entry: it is gone, or this system does not show it (no /proc, or hidepid).
    if (start === null) return acceptsSignals(identity.pid)
    return start === identity.start
  },
}

const OPEN_FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
} as const

const UNKNOWN = 'unknown'

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

class NodeFile implements File {
  readonly #handle: FileHandle
  readonly #path: string
  #opened: BigIntStats | null = null

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle
    this.#path = path
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    return (await this.#handle.read(into, 0, into.length, at)).bytesRead
  }

  async write(bytes: Uint8Array, at: number): Promise<number> {
    return (await this.#handle.write(bytes, 0, bytes.length, at)).bytesWritten
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  /** An inode keeps its number while it is open, on any file system. */
  isInPlace(): boolean {
    this.#opened ??= fstatSync(this.#handle.fd, { bigint: true })
    try {
      const { dev, ino } = statSync(this.#path, { bigint: true })
      return ino === this.#opened.ino && dev === this.#opened.dev
    } catch (error) {
      if (isNowhere(error)) return false
      throw error
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** Boot and start tick of a process, `dead` for one that only waits to be reaped, null if it is not shown. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The second field is the command in brackets and may hold anything; the state is the third, the start the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ['Z', 'X'].includes(fields[0] ?? '') ? 'dead' : `${boot}/${fields[19] ?? ''}`
  } catch {
    return null
  }
}

function acceptsSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}
