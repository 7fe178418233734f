import { isFull } from './file-system.ts'
import type { FileSystem } from './file-system.ts'

/**
 * What an opening has found to be missing, until somebody was told: once the damaged files are set aside nothing else shows it, and
 * that opening may end before it has said so.
 */
export class DamageMark {
  readonly #fileSystem: FileSystem
  readonly #directory: string

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  /** Durable on return, but for a full disk. One that nobody was told of stays. */
  async put(finding: string): Promise<void> {
    try {
      await this.#fileSystem.createMark(this.#path, finding.slice(0, TEXT_LENGTH_MAX))
      await this.#fileSystem.syncDirectory(this.#directory)
    } catch (error) {
      if (!isFull(error)) throw error
    }
  }

  read(): Promise<string | null> {
    return this.#fileSystem.readMark(this.#path)
  }

  /** Never fails: where it stays people are told once more. */
  async remove(): Promise<void> {
    try {
      await this.#fileSystem.remove(this.#path)
      await this.#fileSystem.syncDirectory(this.#directory)
    } catch {
      // The next opening reads it, or finds that it is gone.
    }
  }

  get #path(): string {
    return `${this.#directory}/damage-found`
  }
}

/** A symbolic link holds 4095 bytes, and a character takes up to three of them. */
const TEXT_LENGTH_MAX = 1000
