import { EVIDENCE_FILES_MAX } from '../base/limits.ts'
import { isFull, withFile, writeFully } from './file-system.ts'
import type { FileSystem } from './file-system.ts'

/**
 * Damaged files, kept under another name (`damaged-0001-journal-0007`) for whoever wants to know what happened. Storage
 * never reads them again.
 */
export class Evidence {
  readonly #fileSystem: FileSystem
  readonly #directory: string

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  /** Drops the oldest, so that what is set aside now finds room. All of one occasion is kept. */
  async makeRoom(): Promise<void> {
    const kept = (await this.#list()).toSorted((left, right) => left.index - right.index)
    for (const { name } of kept.slice(0, Math.max(0, kept.length - EVIDENCE_FILES_MAX))) {
      await this.#fileSystem.remove(`${this.#directory}/${name}`)
    }
  }

  /** Gives a file another name. Durable after the caller has synced the directory. Returns the new name. */
  async moveAside(name: string): Promise<string> {
    const aside = await this.#nextName(name)
    await this.#fileSystem.rename(`${this.#directory}/${name}`, `${this.#directory}/${aside}`)
    return aside
  }

  /** Writes a copy, durable on return. Null if the disk is full: a running gateway is worth more than the evidence. */
  async copyAside(name: string, bytes: Uint8Array): Promise<string | null> {
    const aside = await this.#nextName(name)
    const draft = `${this.#directory}/damaged.new`
    try {
      await withFile(this.#fileSystem, draft, 'create', async (file) => {
        await writeFully(file, bytes, 0)
        await file.sync()
      })
    } catch (error) {
      if (!isFull(error)) throw error
      await this.#fileSystem.remove(draft).catch(() => undefined)
      return null
    }
    await this.#fileSystem.rename(draft, `${this.#directory}/${aside}`)
    await this.#fileSystem.syncDirectory(this.#directory)
    return aside
  }

  async #nextName(name: string): Promise<string> {
    const last = Math.max(0, ...(await this.#list()).map(({ index }) => index))
    return `damaged-${String(last + 1).padStart(4, '0')}-${name}`
  }

  async #list(): Promise<readonly { readonly name: string; readonly index: number }[]> {
    const found: { name: string; index: number }[] = []
    for (const name of await this.#fileSystem.list(this.#directory)) {
      const match = /^damaged-([0-9]{4,9})-/.exec(name)
      if (match !== null) found.push({ name, index: Number(match[1]) })
    }
    return found
  }
}
