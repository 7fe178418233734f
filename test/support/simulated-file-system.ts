import { fraction } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'
import type { ProcessTable } from '../../runtime/storage/directory-lock.ts'
import type { File, FileSystem } from '../../runtime/storage/file-system.ts'

/** What becomes of writes that were not synced when the power goes: nothing, some sectors, or some sectors as junk. */
export type CrashMode = 'drop' | 'torn' | 'junk'

export interface Operation {
  readonly kind:
    | 'create'
    | 'open'
    | 'read'
    | 'write'
    | 'sync'
    | 'rename'
    | 'remove'
    | 'sync-directory'
    | 'mark'
    | 'list'
  readonly path: string
}

/** What a test makes of an operation: an errno, or a write or read that stops after some bytes. */
export type Fault = { readonly code: string } | { readonly shortBytes: number }

const SECTOR_BYTES = 512

/**
 * A file system in memory with the guarantees that POSIX gives and no more: content is safe after a sync of the file,
 * names after a sync of the directory, and a failed sync forgets what it should have written although it can be read.
 */
export class SimulatedFileSystem implements FileSystem {
  /** Every operation so far that changed something or synced. */
  readonly operations: Operation[] = []
  /** Asked before every operation. */
  intercept: (operation: Operation) => Fault | null = () => null
  /** Bytes of all files together, over which a write fails with ENOSPC. */
  capacityBytes: number = Number.POSITIVE_INFINITY
  /** Files that are open in this life. */
  openFiles = 0
  readonly #random: Random
  #names = new Map<string, Entry>()
  #durableNames = new Map<string, Entry>()
  #pendingNames: ((names: Map<string, Entry>) => void)[] = []
  #life = 1
  #operationsLeft: number = Number.POSITIVE_INFINITY

  constructor(random: Random) {
    this.#random = random
  }

  /** One process per life; `crash` ends it. */
  readonly processes: ProcessTable = {
    own: () => Promise.resolve({ pid: 100, start: `life-${this.#life}` }),
    isAlive: ({ start }) => Promise.resolve(start === `life-${this.#life}`),
  }

  /** From the n-th operation on that changes or syncs something, none returns; the n-th itself may have an effect. */
  cutPowerAt(operation: number): void {
    this.#operationsLeft = operation
  }

  get isPowerCut(): boolean {
    return this.#operationsLeft < 0
  }

  /** The machine starts again with what is on the medium. */
  crash(mode: CrashMode): void {
    const survived = mode === 'drop' ? 0 : this.#below(this.#pendingNames.length + 1)
    for (const change of this.#pendingNames.slice(0, survived)) change(this.#durableNames)
    this.#pendingNames = []
    for (const entry of new Set([...this.#names.values(), ...this.#durableNames.values()])) {
      if (entry instanceof Inode) entry.crash(mode, (count) => this.#below(count))
    }
    this.#names = new Map(this.#durableNames)
    this.#kill()
  }

  /** The process is killed, the machine goes on: all that was written stays readable. */
  kill(): void {
    this.#kill()
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#run({ kind: 'list', path: directory }, () => {
      const prefix = `${directory}/`
      return [...this.#names.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length))
    })
  }

  makeDirectory(): Promise<void> {
    return Promise.resolve()
  }

  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
    return this.#run({ kind: mode === 'create' ? 'create' : 'open', path }, () => {
      if (mode === 'create') this.#link(path, new Inode())
      const inode = this.#names.get(path)
      if (!(inode instanceof Inode)) throw errno('ENOENT', path)
      return this.#fileOf(inode, path)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run({ kind: 'rename', path: to }, () => {
      const entry = this.#names.get(from)
      if (entry === undefined) throw errno('ENOENT', from)
      this.#change((names) => {
        names.delete(from)
        names.set(to, entry)
      })
    })
  }

  remove(path: string): Promise<void> {
    return this.#run({ kind: 'remove', path }, () => {
      if (!this.#names.has(path)) throw errno('ENOENT', path)
      this.#change((names) => names.delete(path))
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.#run({ kind: 'sync-directory', path }, () => {
      for (const change of this.#pendingNames) change(this.#durableNames)
      this.#pendingNames = []
    })
  }

  freeBytes(): Promise<number> {
    let used = 0
    for (const entry of this.#names.values()) if (entry instanceof Inode) used += entry.size
    return Promise.resolve(Math.max(0, this.capacityBytes - used))
  }

  createMark(path: string, text: string): Promise<boolean> {
    return this.#run({ kind: 'mark', path }, () => {
      if (this.#names.has(path)) return false
      this.#link(path, text)
      return true
    })
  }

  readMark(path: string): Promise<string | null> {
    const entry = this.#names.get(path)
    return Promise.resolve(typeof entry === 'string' ? entry : null)
  }

  /** Content of a file as a process would read it; a test may change it in place, which is then on the medium. */
  bytesOf(path: string): Uint8Array {
    const inode = this.#names.get(path)
    if (!(inode instanceof Inode)) throw errno('ENOENT', path)
    return inode.shared()
  }

  /** Puts a file on the medium. */
  put(path: string, bytes: Uint8Array): void {
    const inode = new Inode()
    inode.write(bytes, 0)
    inode.sync()
    this.#names.set(path, inode)
    this.#durableNames.set(path, inode)
  }

  /** Paths of all files and marks. */
  paths(): readonly string[] {
    return [...this.#names.keys()]
  }

  #fileOf(inode: Inode, path: string): File {
    const life = this.#life
    const run = <T>(kind: Operation['kind'], work: (fault: Fault | null) => T): Promise<T> =>
      this.#run({ kind, path }, (fault) => {
        if (life !== this.#life) throw errno('EBADF', path)
        return work(fault)
      })
    this.openFiles += 1
    return {
      read: (into, at) => run('read', (fault) => inode.read(into.subarray(0, shortened(into.length, fault)), at)),
      write: (bytes, at) =>
        run('write', (fault) => {
          const count = Math.min(shortened(bytes.length, fault), this.#roomFor(inode, at))
          if (count === 0) throw errno('ENOSPC', path)
          inode.write(bytes.slice(0, count), at)
          return count
        }),
      sync: () => run('sync', () => inode.sync()),
      size: () => Promise.resolve(inode.size),
      isInPlace: () => this.#names.get(path) === inode,
      close: () => {
        if (life === this.#life) this.openFiles -= 1
        return Promise.resolve()
      },
    }
  }

  /** A fault of a sync loses what was pending, as Linux does; a power cut in a sync leaves it to chance. */
  #run<T>(operation: Operation, work: (fault: Fault | null) => T): Promise<T> {
    return new Promise((resolve) => {
      if (this.isPowerCut) throw errno('EPOWER', operation.path)
      const counts = !['read', 'open', 'list'].includes(operation.kind)
      if (counts) {
        this.operations.push(operation)
        this.#operationsLeft -= 1
      }
      const cut = this.isPowerCut
      const isSync = operation.kind === 'sync' || operation.kind === 'sync-directory'
      if (cut && isSync) throw errno('EPOWER', operation.path)
      const fault = this.intercept(operation)
      if (fault !== null && 'code' in fault) {
        const entry = this.#names.get(operation.path)
        if (operation.kind === 'sync' && entry instanceof Inode) entry.forget()
        throw errno(fault.code, operation.path)
      }
      const result = work(fault)
      if (cut) throw errno('EPOWER', operation.path)
      resolve(result)
    })
  }

  #roomFor(inode: Inode, at: number): number {
    let used = 0
    for (const entry of this.#names.values()) if (entry instanceof Inode && entry !== inode) used += entry.size
    const limit = Math.max(inode.size, this.capacityBytes - used)
    return Math.max(0, limit - at)
  }

  #link(path: string, entry: Entry): void {
    this.#change((names) => names.set(path, entry))
  }

  #change(change: (names: Map<string, Entry>) => void): void {
    change(this.#names)
    this.#pendingNames.push(change)
  }

  #kill(): void {
    this.#life += 1
    this.openFiles = 0
    this.#operationsLeft = Number.POSITIVE_INFINITY
  }

  #below(count: number): number {
    return Math.floor(fraction(this.#random) * count)
  }
}

/** A file, or the text of a mark. */
type Entry = Inode | string

class Inode {
  #current = new Uint8Array(0)
  #durable = new Uint8Array(0)
  #pending: { readonly at: number; readonly bytes: Uint8Array }[] = []

  get size(): number {
    return this.#current.length
  }

  read(into: Uint8Array, at: number): number {
    const bytes = this.#current.subarray(at, at + into.length)
    into.set(bytes)
    return bytes.length
  }

  write(bytes: Uint8Array, at: number): void {
    this.#current = patched(this.#current, bytes, at)
    this.#pending.push({ at, bytes })
  }

  sync(): void {
    for (const { at, bytes } of this.#pending) this.#durable = patched(this.#durable, bytes, at)
    this.#pending = []
  }

  forget(): void {
    this.#pending = []
  }

  /** One array for both, so that a test that changes it changes the medium. */
  shared(): Uint8Array {
    this.sync()
    this.#durable = this.#current
    return this.#current
  }

  crash(mode: CrashMode, below: (count: number) => number): void {
    for (const { at, bytes } of this.#pending) {
      for (let from = 0; from < bytes.length;) {
        const to = Math.min(bytes.length, from + SECTOR_BYTES - ((at + from) % SECTOR_BYTES))
        const sector = bytes.slice(from, to)
        const fate = mode === 'drop' ? 'dropped' : below(2) === 0 ? 'dropped' : 'kept'
        if (mode === 'junk' && below(2) === 0) {
          this.#durable = patched(
            this.#durable,
            sector.map(() => below(256)),
            at + from,
          )
        } else if (fate === 'kept') this.#durable = patched(this.#durable, sector, at + from)
        from = to
      }
    }
    this.#pending = []
    this.#current = this.#durable.slice()
  }
}

/** `bytes` with `piece` at `at`: in place where it fits. */
function patched(bytes: Uint8Array<ArrayBuffer>, piece: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  if (at + piece.length <= bytes.length) {
    bytes.set(piece, at)
    return bytes
  }
  const grown = new Uint8Array(at + piece.length)
  grown.set(bytes)
  grown.set(piece, at)
  return grown
}

function shortened(length: number, fault: Fault | null): number {
  return fault !== null && 'shortBytes' in fault ? Math.min(length, fault.shortBytes) : length
}

function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
