import { assert } from '../base/errors.ts'
import type { Batch } from './message.ts'
import { lastOf } from './message.ts'

/** Follows which of our records are on the disk. */
export class StoredMark {
  #expected: number
  #through: number
  #stage: number
  readonly #first: number
  readonly #pending: { readonly number: number; readonly batch: Batch }[] = []

  /** @param last number of the last record that was recovered; @param stage highest stage among what was recovered */
  constructor(last: number, stage: number) {
    this.#expected = last
    this.#through = last
    this.#first = last + 1
    this.#stage = stage
  }

  /** Number of the last record on the disk. */
  get through(): number {
    return this.#through
  }

  /** Number of the last record that was handed to the store. */
  get expected(): number {
    return this.#expected
  }

  /** Highest stage on the disk. */
  get stage(): number {
    return this.#stage
  }

  get isComplete(): boolean {
    return this.#through === this.#expected
  }

  /** The record of this start is on the disk: announcements of this run are newer than those of any run before. */
  get hasStarted(): boolean {
    return this.#through >= this.#first
  }

  /** What was adopted reaches up to `stage` and is on the disk; what was held before is not held any more. */
  rebase(stage: number): void {
    this.#stage = stage
  }

  /** Numbers the next record, which holds `batch` or something else. */
  expect(batch: Batch | null): number {
    this.#expected += 1
    if (batch !== null) this.#pending.push({ number: this.#expected, batch })
    return this.#expected
  }

  /** @returns the batches that are on the disk now and were not before, in order */
  advance(through: number): readonly Batch[] {
    assert(through >= this.#through && through <= this.#expected, 'the store confirms what it was given, in order')
    this.#through = through
    let count = 0
    while (count < this.#pending.length && (this.#pending[count]?.number ?? 0) <= through) count += 1
    if (count === 0) return NONE
    const stored: Batch[] = []
    for (const { batch } of this.#pending.splice(0, count)) {
      stored.push(batch)
      this.#stage = Math.max(this.#stage, lastOf(batch).current.stage)
    }
    return stored
  }
}

const NONE: readonly Batch[] = []
