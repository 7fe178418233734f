import { assert } from '../base/errors.ts'
import { sameOperationId } from '../base/ids.ts'
import { compareCanonically, type Operation } from '../state/operation.ts'
import type { Entry } from '../state/entry.ts'
import { operationMemoryBytes } from '../state/memory.ts'

/**
 * The journal: every operation above the floor in canonical order, found by its stage. Several operations may claim one
 * stage; they stand by priority. Taking a place costs what stands at that stage, whatever the journal holds, and a stage that
 * nobody has claimed costs nothing: whoever leaves out a million takes no memory.
 */
export class Journal {
  /** Those in which anything stands, in order. */
  readonly #pages: Page[] = []
  #floor: number
  #length = 0
  #memoryBytes = 0
  #last: Entry | undefined = undefined

  constructor(floor: number) {
    this.#floor = floor
  }

  get floor(): number {
    return this.#floor
  }

  get length(): number {
    return this.#length
  }

  /** Bytes of memory that its operations take. */
  get memoryBytes(): number {
    return this.#memoryBytes
  }

  /** The last entry in canonical order. */
  get last(): Entry | undefined {
    return this.#last
  }

  /** The entries of one stage, by priority. */
  at(stage: number): readonly Entry[] {
    const page = this.#pages[this.#indexOf(pageOf(stage))]
    return page?.number === pageOf(stage) ? entriesOf(page.stages[slotOf(stage)]) : NONE
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
    const { stages } = this.#page(pageOf(stage))
    const slot = slotOf(stage)
    stages[slot] = withEntry(stages[slot], entry)
    this.#length += 1
    this.#memoryBytes += operationMemoryBytes(entry.operation)
    if (this.#last === undefined || compareCanonically(this.#last.operation, entry.operation) < 0) this.#last = entry
  }

  remove(entry: Entry): void {
    const { stage } = entry.operation
    const entries = this.at(stage)
    assert(entries.includes(entry), 'only what stands in the journal is removed')
    const index = this.#indexOf(pageOf(stage))
    const { stages } = this.#pages[index] as Page
    stages[slotOf(stage)] = entries.length === 1 ? undefined : entries.filter((other) => other !== entry)
    if (stages.every((one) => one === undefined)) this.#pages.splice(index, 1)
    this.#length -= 1
    this.#memoryBytes -= operationMemoryBytes(entry.operation)
    if (entry === this.#last) this.#last = this.#findLast()
  }

  /** Moves the floor and returns the entries at or below it in canonical order; they leave the journal. */
  fold(stage: number): Entry[] {
    assert(stage >= this.#floor, 'the floor never goes back')
    const folded: Entry[] = []
    for (const entry of this.entries()) {
      if (entry.operation.stage > stage) break
      folded.push(entry)
      this.#memoryBytes -= operationMemoryBytes(entry.operation)
    }
    this.#pages.splice(0, this.#indexOf(pageOf(stage)))
    const [first] = this.#pages
    if (first?.number === pageOf(stage)) {
      first.stages.fill(undefined, 0, slotOf(stage) + 1)
      if (first.stages.every((one) => one === undefined)) this.#pages.shift()
    }
    this.#floor = stage
    this.#length -= folded.length
    if (this.#length === 0) this.#last = undefined
    return folded
  }

  /** All entries in canonical order, from `stage` on. */
  *entries(stage: number = this.#floor + 1): Generator<Entry> {
    for (let index = this.#indexOf(pageOf(stage)); index < this.#pages.length; index++) {
      const { number, stages } = this.#pages[index] as Page
      for (let slot = number === pageOf(stage) ? slotOf(stage) : 0; slot < PAGE_STAGES; slot++) {
        const stageEntries = stages[slot]
        if (stageEntries === undefined) continue
        if (isList(stageEntries)) yield* stageEntries
        else yield stageEntries
      }
    }
  }

  /** The entries behind the place of `operation`: those that its integration undoes. */
  *after(operation: Operation): Generator<Entry> {
    for (const entry of this.entries(operation.stage)) {
      if (compareCanonically(entry.operation, operation) > 0) yield entry
    }
  }

  /** The page of this number, a new one if nothing stands in it. */
  #page(number: number): Page {
    const index = this.#indexOf(number)
    const known = this.#pages[index]
    if (known?.number === number) return known
    const page: Page = { number, stages: Array.from<Stage>({ length: PAGE_STAGES }) }
    this.#pages.splice(index, 0, page)
    return page
  }

  /** Index of the first page of this number or a higher one. */
  #indexOf(number: number): number {
    let high = this.#pages.length
    // Nearly always the last one is looked for.
    if (high > 0 && (this.#pages[high - 1] as Page).number === number) return high - 1
    let low = 0
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#pages[middle] as Page).number < number) low = middle + 1
      else high = middle
    }
    return low
  }

  #findLast(): Entry | undefined {
    return entriesOf(this.#pages.at(-1)?.stages.findLast((one) => one !== undefined)).at(-1)
  }
}

/** Stages of which the first begins a page: one that stands alone takes 600 bytes, as much as what is held of its operation. */
const PAGE_STAGES = 64

interface Page {
  /** Its first stage is so many times PAGE_STAGES. */
  readonly number: number
  readonly stages: Stage[]
}

function pageOf(stage: number): number {
  return Math.floor(stage / PAGE_STAGES)
}

function slotOf(stage: number): number {
  return stage % PAGE_STAGES
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
  entries.splice(placeAmong(entries, entry.operation), 0, entry)
  return entries
}

/** In a fleet whose members work apart as many claim one stage as there are members. */
function placeAmong(entries: readonly Entry[], operation: Operation): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareCanonically((entries[middle] as Entry).operation, operation) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function isList(stage: Entry | Entry[]): stage is Entry[] {
  return Array.isArray(stage)
}
