import { assert } from '../base/errors.ts'
import { pushed } from '../base/mapped.ts'
import type { Batch } from './message.ts'
import { lastOf } from './message.ts'

/** Follows which of our records are on the disk. */
export class StoredMark {
  #expected: number
  #through: number
  #stage: number
  readonly #first: number
  #pending: Stored[] = []

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
    if (batch !== null) this.#pending = pushed(this.#pending, { number: this.#expected, batch })
    return this.#expected
  }

  /** @returns the batches that are on the disk now and were not before, in order */
  advance(through: number): readonly Stored[] {
    assert(through >= this.#through && through <= this.#expected, 'the store confirms what it was given, in order')
    this.#through = through
    const pending = this.#pending
    let count = 0
    while (count < pending.length && (pending[count] as Stored).number <= through) {
      this.#stage = Math.max(this.#stage, lastOf((pending[count] as Stored).batch).current.stage)
      count += 1
    }
    if (count === 0) return NONE
    if (count < pending.length) return pending.splice(0, count)
    this.#pending = []
    return pending
  }
}

/** A batch and the number of its record. */
export interface Stored {
  readonly number: number
  readonly batch: Batch
}

const NONE: readonly Stored[] = []
