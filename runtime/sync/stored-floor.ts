import type { Digest } from '../base/digest.ts'

/** A floor with the digest of everything at or below it. */
export interface FloorMark {
  readonly stage: number
  readonly digest: Digest
}

/**
 * The floor as the disk knows it. Only this one is announced: once everybody has announced a floor above a tombstone, it is
 * forgotten, so no operation of ours may ever state a lower one again, also not after a restart.
 *
 * A floor is written along with the next batch and costs no commit of its own.
 */
export class StoredFloor {
  #mark: FloorMark
  #written: number
  #pending: { readonly number: number; readonly mark: FloorMark }[] = []

  /** @param recovered the floor that the disk gave back */
  constructor(recovered: FloorMark) {
    this.#mark = recovered
    this.#written = recovered.stage
  }

  get mark(): FloorMark {
    return this.#mark
  }

  /** True if the disk was not given `stage` yet. */
  isBehind(stage: number): boolean {
    return stage > this.#written
  }

  /** @param number of the record that holds it */
  expect(number: number, mark: FloorMark): void {
    this.#written = mark.stage
    this.#pending.push({ number, mark })
  }

  /** A higher floor was adopted together with all that lies below it, and is on the disk. */
  raise(mark: FloorMark): void {
    this.#mark = mark
    this.#written = mark.stage
    this.#pending.length = 0
  }

  advance(through: number): void {
    if (this.#pending.length === 0) return
    const count = this.#pending.filter(({ number }) => number <= through).length
    this.#mark = this.#pending.splice(0, count).at(-1)?.mark ?? this.#mark
  }
}
