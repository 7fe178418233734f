import { STORAGE_PAGE_BYTES } from '../base/limits.ts'
import { errorCode, readFully, withFile, writeFully } from './file-system.ts'
import type { File, FileSystem } from './file-system.ts'
import { readPage } from './page.ts'
import type { PageHeader } from './page.ts'
import { segmentIndex, segmentName } from './segment.ts'

/** The files of the journal in one data directory. Knows their names and sizes, not their meaning. */
export class SegmentFiles {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly segmentBytes: number

  constructor(fileSystem: FileSystem, directory: string, segmentBytes: number) {
    this.fileSystem = fileSystem
    this.directory = directory
    this.segmentBytes = segmentBytes
  }

  get pages(): number {
    return this.segmentBytes / STORAGE_PAGE_BYTES
  }

  async list(): Promise<readonly string[]> {
    return (await this.fileSystem.list(this.directory)).filter((name) => segmentIndex(name) !== null).toSorted()
  }

  open(name: string): Promise<File> {
    return this.fileSystem.open(this.#path(name), 'write')
  }

  read(name: string): Promise<Uint8Array> {
    return withFile(this.fileSystem, this.#path(name), 'read', (file) => readPages(file, this.pages))
  }

  /** The header of the first page if a batch begins there that can be read. */
  async readFirstHeader(name: string): Promise<PageHeader | null> {
    const bytes = await withFile(this.fileSystem, this.#path(name), 'read', (file) => readPages(file, 1))
    const page = readPage(bytes)
    return page.kind === 'written' && page.header.index === 0 ? page.header : null
  }

  /** Fills pages with zeros, durable on return. */
  async blank(name: string, pages: readonly number[]): Promise<void> {
    await withFile(this.fileSystem, this.#path(name), 'write', async (file) => {
      for (const page of pages) await writeFully(file, new Uint8Array(STORAGE_PAGE_BYTES), page * STORAGE_PAGE_BYTES)
      await file.sync()
    })
  }

  /**
   * Makes a segment of zeros, durable on return with its name: a commit into it changes neither its size nor the map of
   * its blocks, so that one flush does. Leaves nothing behind if it fails.
   */
  async create(taken: readonly string[]): Promise<string> {
    const last = taken.reduce((most, name) => Math.max(most, segmentIndex(name) ?? 0), 0)
    const name = segmentName(last + 1)
    try {
      await withFile(this.fileSystem, this.#path(SEGMENT_DRAFT), 'create', async (file) => {
        await writeFully(file, new Uint8Array(this.segmentBytes), 0)
        await file.sync()
      })
    } catch (error) {
      await this.fileSystem.remove(this.#path(SEGMENT_DRAFT)).catch(() => undefined)
      throw error
    }
    await this.fileSystem.rename(this.#path(SEGMENT_DRAFT), this.#path(name))
    await this.fileSystem.syncDirectory(this.directory)
    return name
  }

  #path(name: string): string {
    return `${this.directory}/${name}`
  }
}

const SEGMENT_DRAFT = 'journal.new'

/** Exactly `count` pages from the start. What is missing or cannot be read is filled so that no page of it is valid. */
async function readPages(file: File, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count * STORAGE_PAGE_BYTES).fill(0xff)
  try {
    bytes.set(await readFully(file, bytes.length, 0))
    return bytes
  } catch (error) {
    if (errorCode(error) !== 'EIO') throw error
  }
  for (let at = 0; at < bytes.length; at += STORAGE_PAGE_BYTES) {
    try {
      bytes.set(await readFully(file, STORAGE_PAGE_BYTES, at), at)
    } catch (error) {
      if (errorCode(error) !== 'EIO') throw error
    }
  }
  return bytes
}
