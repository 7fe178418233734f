import { readFully, withFile, writeFully } from './file-system.ts'
import type { FileSystem } from './file-system.ts'

/** What was written to the card by all openings of a data directory together, and over which time of running. */
export interface WrittenSoFar {
  readonly bytes: number
  readonly ms: number
}

/**
 * The file `wear.json`: `{"bytes":…,"ms":…}`. It is saved with each snapshot and at a clean end. What a kill loses of it is
 * lost of both figures, so the rate stays right. It speaks of this card: an import neither brings nor replaces it.
 */
export class WearFile {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  #before: WrittenSoFar = NOTHING

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  /** A file that is missing or cannot be read counts as nothing: it is an estimate, and no gateway waits for it. */
  async load(): Promise<WrittenSoFar> {
    try {
      const bytes = await withFile(this.#fileSystem, `${this.#directory}/${NAME}`, 'read', (file) =>
        readFully(file, BYTES_MAX, 0),
      )
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
      if (isWritten(value)) this.#before = value
    } catch {
      this.#before = NOTHING
    }
    return this.#before
  }

  /** @param now what this opening has added */
  totalWith(now: WrittenSoFar): WrittenSoFar {
    return { bytes: this.#before.bytes + now.bytes, ms: this.#before.ms + now.ms }
  }

  /** Never fails: on a full disk the figures of before stay. */
  async save(now: WrittenSoFar): Promise<void> {
    const draft = `${this.#directory}/${WEAR_DRAFT}`
    const text = `${JSON.stringify(this.totalWith(now))}\n`
    try {
      await withFile(this.#fileSystem, draft, 'create', async (file) => {
        await writeFully(file, new TextEncoder().encode(text), 0)
        await file.sync()
      })
      await this.#fileSystem.rename(draft, `${this.#directory}/${NAME}`)
    } catch {
      await this.#fileSystem.remove(draft).catch(() => undefined)
    }
  }
}

const WEAR_DRAFT = 'wear.new'
const NAME = 'wear.json'
const BYTES_MAX = 256
const NOTHING: WrittenSoFar = { bytes: 0, ms: 0 }

function isWritten(value: unknown): value is WrittenSoFar {
  if (typeof value !== 'object' || value === null || !('bytes' in value && 'ms' in value)) return false
  return isCount(value.bytes) && isCount(value.ms)
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
