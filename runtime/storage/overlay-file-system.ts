import { readFully, withFile } from './file-system.ts'
import type { File, FileSystem } from './file-system.ts'

/**
 * Another file system as it would be after changes that never reach it: what is written, renamed or removed stays in
 * memory. With it, a store can be opened for a look and leave everything as it is.
 */
export class OverlayFileSystem implements FileSystem {
  readonly #base: FileSystem
  /** Null for one that was removed; a text for a mark. */
  readonly #changed = new Map<string, MemoryFile | string | null>()

  constructor(base: FileSystem) {
    this.#base = base
  }

  makeDirectory(): Promise<void> {
    return Promise.resolve()
  }

  async list(directory: string): Promise<readonly string[]> {
    const names = new Set(await this.#base.list(directory))
    for (const [path, content] of this.#changed) {
      if (!path.startsWith(`${directory}/`)) continue
      if (content === null) names.delete(path.slice(directory.length + 1))
      else names.add(path.slice(directory.length + 1))
    }
    return [...names]
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
    const changed = this.#changed.get(path)
    if (mode === 'create') return this.#put(path, new MemoryFile(new Uint8Array(0)))
    if (changed instanceof MemoryFile) return changed
    if (changed !== undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
    return mode === 'read' ? this.#base.open(path, 'read') : this.#put(path, await this.#copyOf(path))
  }

  async rename(from: string, to: string): Promise<void> {
    const changed = this.#changed.get(from)
    this.#put(to, changed instanceof MemoryFile ? changed : await this.#copyOf(from))
    this.#changed.set(from, null)
  }

  remove(path: string): Promise<void> {
    this.#changed.set(path, null)
    return Promise.resolve()
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve()
  }

  freeBytes(directory: string): Promise<number> {
    return this.#base.freeBytes(directory)
  }

  async createMark(path: string, text: string): Promise<boolean> {
    if ((await this.readMark(path)) !== null) return false
    this.#changed.set(path, text)
    return true
  }

  readMark(path: string): Promise<string | null> {
    const changed = this.#changed.get(path)
    if (changed === undefined) return this.#base.readMark(path)
    return Promise.resolve(typeof changed === 'string' ? changed : null)
  }

  #put(path: string, file: MemoryFile): MemoryFile {
    this.#changed.set(path, file)
    return file
  }

  #copyOf(path: string): Promise<MemoryFile> {
    return withFile(
      this.#base,
      path,
      'read',
      async (file) => new MemoryFile((await readFully(file, await file.size(), 0)).slice()),
    )
  }
}

class MemoryFile implements File {
  #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  read(into: Uint8Array, at: number): Promise<number> {
    const piece = this.#bytes.subarray(at, at + into.length)
    into.set(piece)
    return Promise.resolve(piece.length)
  }

  write(bytes: Uint8Array, at: number): Promise<number> {
    if (at + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(at + bytes.length)
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.set(bytes, at)
    return Promise.resolve(bytes.length)
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  size(): Promise<number> {
    return Promise.resolve(this.#bytes.length)
  }

  isInPlace(): boolean {
    return true
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
