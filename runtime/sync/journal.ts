import { assert } from '../base/errors.ts'
import { sameOperationId } from '../base/ids.ts'
import { compareCanonically, type Operation } from '../state/operation.ts'
import type { Entry } from '../state/entry.ts'

/**
 * The journal: every operation above the floor in canonical order, found by its stage. Several operations may claim one
 * stage; they stand by priority. Taking a place costs what stands at that stage, whatever the journal holds.
 */
export class Journal {
  /** `#stages[i]` holds the entries of stage `#floor + 1 + i`. */
  readonly #stages: Stage[] = []
  #floor: number
  #length = 0

  constructor(floor: number) {
    this.#floor = floor
  }

  get floor(): number {
    return this.#floor
  }

  get length(): number {
    return this.#length
  }

  /** The last entry in canonical order. */
  get last(): Entry | undefined {
    const stage = this.#stages[this.#stages.length - 1]
    return stage === undefined || !isList(stage) ? stage : stage[stage.length - 1]
  }

  /** The entries of one stage, by priority. */
  at(stage: number): readonly Entry[] {
    return entriesOf(this.#stages[stage - this.#floor - 1])
  }

  /** The entry of `operation`, which stands in the journal. */
  entryOf(operation: Operation): Entry {
    const entry = this.at(operation.stage).find((candidate) => sameOperationId(candidate.operation.id, operation.id))
    assert(entry !== undefined, 'what is held above the floor stands in the journal')
    return entry
  }

  insert(entry: Entry): void {
    const { stage } = entry.operation
    assert(stage > this.#floor, 'nothing enters the journal at or below the floor')
    const index = stage - this.#floor - 1
    while (this.#stages.length <= index) this.#stages.push(undefined)
    this.#stages[index] = withEntry(this.#stages[index], entry)
    this.#length += 1
  }

  remove(entry: Entry): void {
    const index = entry.operation.stage - this.#floor - 1
    const entries = entriesOf(this.#stages[index])
    assert(entries.includes(entry), 'only what stands in the journal is removed')
    this.#stages[index] = entries.length === 1 ? undefined : entries.filter((other) => other !== entry)
    this.#length -= 1
    this.#trim()
  }

  /** Moves the floor and returns the entries at or below it in canonical order; they leave the journal. */
  fold(stage: number): Entry[] {
    assert(stage >= this.#floor, 'the floor never goes back')
    const folded: Entry[] = []
    for (const one of this.#stages.splice(0, stage - this.#floor)) {
      if (one === undefined) continue
      if (isList(one)) folded.push(...one)
      else folded.push(one)
    }
    this.#floor = stage
    this.#length -= folded.length
    return folded
  }

  /** All entries in canonical order, from `stage` on. */
  *entries(stage: number = this.#floor + 1): Generator<Entry> {
    for (let index = Math.max(0, stage - this.#floor - 1); index < this.#stages.length; index++) {
      const stageEntries = this.#stages[index]
      if (stageEntries === undefined) continue
      if (isList(stageEntries)) yield* stageEntries
      else yield stageEntries
    }
  }

  /** The entries behind the place of `operation`: those that its integration undoes. */
  *after(operation: Operation): Generator<Entry> {
    for (const entry of this.entries(operation.stage)) {
      if (compareCanonically(entry.operation, operation) > 0) yield entry
    }
  }

  #trim(): void {
    while (this.#stages.length > 0 && this.#stages.at(-1) === undefined) this.#stages.pop()
  }
}

/** Nearly every stage has one entry, and then no list: a list of one takes 56 bytes more. */
type Stage = Entry | Entry[] | undefined

function entriesOf(stage: Stage): readonly Entry[] {
  if (stage === undefined) return NONE
  return isList(stage) ? stage : [stage]
}

const NONE: readonly Entry[] = []

function withEntry(stage: Stage, entry: Entry): Stage {
  if (stage === undefined) return entry
  const entries = isList(stage) ? stage : [stage]
  let position = entries.length
  while (position > 0 && compareCanonically((entries[position - 1] as Entry).operation, entry.operation) > 0)
    position -= 1
  entries.splice(position, 0, entry)
  return entries
}

function isList(stage: Entry | Entry[]): stage is Entry[] {
  return Array.isArray(stage)
}
