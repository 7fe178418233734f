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

  /**
   * Where a segment stands in the order: the newest batch of which a part is found at its start, or null. The first page may
   * be left over from an earlier round: its batch was lost, and only the opening batch behind it holds the same records. That
   * one has as many pages, so one of them is a power of two of pages from the start.
   */
  readNewestHeader(name: string): Promise<PageHeader | null> {
    return withFile(this.fileSystem, this.#path(name), 'read', async (file) => {
      let newest: PageHeader | null = null
      for (let index = 0; index < this.pages; index = Math.max(1, 2 * index)) {
        const page = readPage(await readPages(file, 1, index))
        if (page.kind === 'written' && page.header.batch > (newest?.batch ?? 0)) newest = page.header
      }
      return newest
    })
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

/** Exactly `count` pages. What is missing or cannot be read is filled so that no page of it is valid. */
async function readPages(file: File, count: number, first = 0): Promise<Uint8Array> {
  const start = first * STORAGE_PAGE_BYTES
  const bytes = new Uint8Array(count * STORAGE_PAGE_BYTES).fill(0xff)
  try {
    bytes.set(await readFully(file, bytes.length, start))
    return bytes
  } catch (error) {
    if (errorCode(error) !== 'EIO') throw error
  }
  for (let at = 0; at < bytes.length; at += STORAGE_PAGE_BYTES) {
    try {
      bytes.set(await readFully(file, STORAGE_PAGE_BYTES, start + at), at)
    } catch (error) {
      if (errorCode(error) !== 'EIO') throw error
    }
  }
  return bytes
}
