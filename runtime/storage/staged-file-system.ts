import type { File, FileSystem } from './file-system.ts'

/** The files of a data directory that is being written beside the one in use: each has its name behind `staged-`. */
export class StagedFileSystem implements FileSystem {
  readonly #base: FileSystem
  readonly #directory: string

  constructor(base: FileSystem, directory: string) {
    this.#base = base
    this.#directory = directory
  }

  makeDirectory(path: string): Promise<void> {
    return this.#base.makeDirectory(path)
  }

  async list(directory: string): Promise<readonly string[]> {
    const names = await this.#base.list(directory)
    return names.filter(isStaged).map((name) => name.slice(PREFIX.length))
  }

  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
    return this.#base.open(this.#staged(path), mode)
  }

  rename(from: string, to: string): Promise<void> {
    return this.#base.rename(this.#staged(from), this.#staged(to))
  }

  remove(path: string): Promise<void> {
    return this.#base.remove(this.#staged(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.#base.syncDirectory(path)
  }

  freeBytes(directory: string): Promise<number> {
    return this.#base.freeBytes(directory)
  }

  createMark(path: string, text: string): Promise<boolean> {
    return this.#base.createMark(this.#staged(path), text)
  }

  readMark(path: string): Promise<string | null> {
    return this.#base.readMark(this.#staged(path))
  }

  #staged(path: string): string {
    return `${this.#directory}/${stagedName(path.slice(this.#directory.length + 1))}`
  }
}

/** What a staged file is called in the directory. */
export function stagedName(name: string): string {
  return `${PREFIX}${name}`
}

export function isStaged(name: string): boolean {
  return name.startsWith(PREFIX)
}

const PREFIX = 'staged-'
