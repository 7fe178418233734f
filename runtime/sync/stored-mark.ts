import { assert } from '../base/errors.ts'
import { pushed } from '../base/mapped.ts'
import type { Batch } from './message.ts'
import { firstOf, lastOf } from './message.ts'

/** Follows which of our records are on the disk. */
export class StoredMark {
  #expected: number
  #through: number
  #stage: number
  readonly #first: number
  #pending: Stored[] = []
  /** The highest stage that was handed over. */
  #highest: number
  /** Pending batches that begin at or below a stage that was handed over before, each below the ones behind it. */
  readonly #late: Stored[] = []

  /** @param last number of the last record that was recovered; @param stage highest stage among what was recovered */
  constructor(last: number, stage: number) {
    this.#expected = last
    this.#through = last
    this.#first = last + 1
    this.#stage = stage
    this.#highest = stage
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

  /** The stage up to which nothing waits for the disk. */
  get wholeStage(): number {
    if (this.isComplete) return Number.MAX_SAFE_INTEGER
    const [late] = this.#late
    return late === undefined ? this.#stage : Math.min(this.#stage, firstOf(late.batch).current.stage - 1)
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
    this.#highest = Math.max(this.#highest, stage)
  }

  /** Numbers the next record, which holds `batch` or something else. */
  expect(batch: Batch | null): number {
    this.#expected += 1
    if (batch !== null) this.#await({ number: this.#expected, batch })
    return this.#expected
  }

  #await(stored: Stored): void {
    this.#pending = pushed(this.#pending, stored)
    const [first, last] = [firstOf(stored.batch).current.stage, lastOf(stored.batch).current.stage]
    if (first <= this.#highest) {
      while (this.#late.length > 0 && firstOf((this.#late.at(-1) as Stored).batch).current.stage >= first)
        this.#late.pop()
      this.#late.push(stored)
    }
    this.#highest = Math.max(this.#highest, last)
  }

  /** @returns the batches that are on the disk now and were not before, in order */
  advance(through: number): readonly Stored[] {
    assert(through >= this.#through && through <= this.#expected, 'the store confirms what it was given, in order')
    this.#through = through
    while (this.#late.length > 0 && (this.#late[0] as Stored).number <= through) this.#late.shift()
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
