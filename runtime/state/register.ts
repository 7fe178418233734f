import { assert } from '../base/errors.ts'
import { settleList } from './appended.ts'
import { type Cell, EMPTY_CELL, sameCell } from './cell.ts'
import type { Entry } from './entry.ts'
import { type Execution, yielding, yieldTo } from './executor.ts'
import { compareCanonically, type Operation } from './operation.ts'
import type { Path } from './path.ts'
import { Yielded, type YieldedTogether } from './yielded.ts'
import { TAIL_MIN, YieldingTail } from './yielding-tail.ts'

/**
 * One point of the device-state object: the settled cell, and the chain of the journal's entries that write or guard it,
 * in canonical order. The chain is what makes undo cost only what it affects: from an entry it leads to the next one that
 * could notice a difference.
 */
export class Register {
  readonly path: Path
  #settled: Cell
  #cell: Cell
  /** Where the entry stood that was looked for last. */
  #found = 0
  readonly #chain: Entry[] = []
  #tail: YieldingTail | null = null
  /** The list of this register alone, which all entries of one path share. */
  readonly alone: readonly Register[] = [this]
  /** The rules of the point's device, from when anybody has named them. */
  governor: Register | null = null
  /** Digest of the settled cell, for whoever digests the settled state; null until then. */
  settledMark: bigint | null = null
  /** While an input is carried out that may change it: the cell at its start. Null at any other time. */
  atStart: Cell | null = null

  constructor(path: Path, settled: Cell = EMPTY_CELL) {
    this.path = path
    this.#settled = settled
    this.#cell = settled
  }

  /** The cell after everything that was executed. */
  get cell(): Cell {
    return this.#cell
  }

  /** The cell at the floor. */
  get settled(): Cell {
    return this.#settled
  }

  get length(): number {
    return this.#chain.length
  }

  get entries(): readonly Entry[] {
    return this.#chain
  }

  get last(): Entry | undefined {
    return this.#chain[this.#chain.length - 1]
  }

  insert(entry: Entry): void {
    const last = this.last
    if (last === undefined || compareCanonically(last.operation, entry.operation) < 0) {
      this.#chain.push(entry)
      return
    }
    const position = this.#position(entry)
    this.#found = position
    insertAt(this.#chain, position, entry)
    this.#makeRoomInTail(position)
  }

  /** Takes an entry that stands behind all others and was just executed on {@link cell}. @param after what it made of it */
  append(entry: Entry, after: Cell): void {
    this.#chain.push(entry)
    this.#cell = after
    const tail = this.#tail
    if (tail === null) {
      if (this.#chain.length % APPLIED_LOOK === 0) this.#tail = this.#newAppliedTail()
    } else if (tail.after === null) {
      const isNext = tail.to === this.#chain.length - 1
      if (isNext && entry.isPlainlyApplied) tail.take(entry.operation)
      else this.#tail = null
    }
  }

  /** What became of an entry of this register alone. */
  executionOf(entry: Entry): Execution | null {
    const tail = this.#tail
    const { executed } = entry
    if (tail === null || tail.together === null || executed === null || executed.after === tail.after) return executed
    if (this.#isWithin(tail, entry.operation)) this.#yieldTo(entry, tail.after as [Cell])
    return entry.executed
  }

  /** `entry` was executed (again). @param after what it made of the cell that it met */
  follow(entry: Entry, after: Cell): void {
    if (entry === this.last) this.#cell = after
  }

  /** @returns the entry that followed it, which may now meet another cell */
  remove(entry: Entry): Entry | undefined {
    const position = this.#positionOf(entry)
    this.#chain.splice(position, 1)
    this.#shrinkTail(position)
    const next = this.#chain[position]
    if (next === undefined) this.#cell = this.#before(position)
    return next
  }

  /** The cell that `entry` meets. All entries before it in the chain are executed. */
  before(entry: Entry): Cell {
    return this.#before(this.#positionOf(entry))
  }

  /** The cell at the place of an operation that is not in the chain. All entries before it are executed. */
  at(operation: Operation): Cell {
    return this.#chain.length === 0 ? this.#settled : this.#before(this.#placeOf(operation))
  }

  /** The first entry behind the place of an operation. */
  firstBehind(operation: Operation): Entry | undefined {
    const entry = this.#chain[this.#placeOf(operation)]
    return entry?.operation === operation ? this.#chain[this.#placeOf(operation) + 1] : entry
  }

  /** The entries behind the place of one operation and before that of another, or up to the end. */
  between(from: Operation, until: Operation | null): readonly Entry[] {
    return this.#chain.slice(this.#placeOf(from), until === null ? this.#chain.length : this.#placeOf(until))
  }

  next(entry: Entry): Entry | undefined {
    return this.#chain[this.#positionOf(entry) + 1]
  }

  /**
   * Executes entries one after the other from `entry` on, each on what the one before has left, as long as `step` says so:
   * it gets an entry and the cell that this meets, and returns the cell behind it, or null to end there. Those that leave the
   * cell as it is get one list and may keep it.
   * @param mayTogether whether all that yields at the end may do so at once: nothing but who stands there decides over it
   * @param noteYielded gets those that do so for the first time
   */
  walk(
    entry: Entry,
    mayTogether: boolean,
    step: (entry: Entry, met: readonly [Cell]) => Cell | null,
    noteYielded: (together: YieldedTogether) => void,
  ): void {
    let position = this.#positionOf(entry)
    let met = this.#meets(position)
    while (position < this.#chain.length) {
      const tail = this.#tail
      if (tail !== null && position >= tail.from && position < tail.to) {
        const isTogether = mayTogether && position === tail.from && this.#tailYieldsTo(tail, met[0], noteYielded)
        if (isTogether && tail.after !== null) {
          if (tail.to === this.#chain.length) return
          met = tail.after
          position = tail.to
          continue
        }
        this.#standAlone(tail, position)
      }
      const one = this.#chain[position] as Entry
      const after = step(one, met)
      if (after === null) return
      const joined = this.#tail?.after ?? null
      if (joined !== null && one.executed?.after === joined) this.#tail?.take(one.operation)
      else if (after !== met[0] || met === joined) met = [after]
      position += 1
    }
    this.#cell = met[0]
    const tail = this.#tail
    if (tail !== null && tail.length > 0 && tail.to === this.#chain.length) return
    if (tail !== null) this.#dissolve(tail)
    this.#tail = mayTogether ? this.#newTail() : null
  }

  /**
   * Settles the entries up to `stage`: the last one's cell becomes the settled cell and they leave the chain.
   * @returns false if there was none
   */
  fold(stage: number): boolean {
    let count = 0
    while (count < this.#chain.length && (this.#chain[count] as Entry).operation.stage <= stage) count += 1
    const last = this.#chain[count - 1]
    if (last === undefined) return false
    this.#settled = this.#after(last)
    settleList(this.#settled)
    this.settledMark = null
    if (this.#tail !== null) this.#foldTail(this.#tail, count)
    this.#chain.splice(0, count)
    return true
  }

  /** Forgets a settled tombstone; the membership rules say when nobody can need it any more. */
  forget(): void {
    assert(this.#chain.length === 0, 'a point with a journal is not forgotten')
    this.#settled = EMPTY_CELL
    this.settledMark = null
    this.#cell = EMPTY_CELL
  }

  /** The list of the tail behind it, so that what yields there too is one of it. */
  #meets(position: number): readonly [Cell] {
    const tail = this.#tail
    return tail !== null && tail.to === position && tail.after !== null ? tail.after : [this.#before(position)]
  }

  /** The tail comes to stand behind `cell`, if all of it yields to that. */
  #tailYieldsTo(tail: YieldingTail, cell: Cell, noteYielded: (together: YieldedTogether) => void): boolean {
    if (tail.after !== null && sameCell(tail.after[0], cell)) return true
    if (tail.length < TAIL_MIN || cell.writer === null || !tail.yieldsTo(cell.writer)) return false
    if (tail.after === null) {
      tail.after = [cell]
      const entries = this.#chain.slice(tail.from, tail.to)
      tail.together = new Yielded(entries, cell)
      noteYielded({ entries, yielded: tail.together })
    } else tail.after[0] = cell
    if (tail.to === this.#chain.length) this.#cell = cell
    return true
  }

  /** The entry at `position` of the tail is to be executed by itself. */
  #standAlone(tail: YieldingTail, position: number): void {
    if (tail.after === null) tail.from = position + 1
    else {
      this.#dissolve(tail)
      this.#tail = null
    }
  }

  /** Of the last entries, if enough of them are plain, applied, and stand over nobody. */
  #newAppliedTail(): YieldingTail | null {
    const end = this.#chain.length
    let from = end
    while (from > 0 && (this.#chain[from - 1] as Entry).isPlainlyApplied) from -= 1
    if (end - from < TAIL_MIN) return null
    const tail = new YieldingTail(from, null)
    for (let position = from; position < end; position++) tail.take((this.#chain[position] as Entry).operation)
    return tail
  }

  /** Of the last entries, if enough of them have met one list. */
  #newTail(): YieldingTail | null {
    const end = this.#chain.length
    const execution = this.last?.executed
    if (execution === undefined || execution === null || execution.outcome !== 'superseded') return null
    let from = end
    while (from > 0 && this.#chain[from - 1]?.executed?.after === execution.after) from -= 1
    if (end - from < TAIL_MIN) return null
    const tail = new YieldingTail(from, [execution.after[0] as Cell])
    for (let position = from; position < end; position++) {
      const entry = this.#chain[position] as Entry
      this.#yieldTo(entry, tail.after as [Cell])
      tail.take(entry.operation)
    }
    return tail
  }

  /** Something has taken `position`, and may change what stands behind it: those before it keep what they met. */
  #makeRoomInTail(position: number): void {
    const tail = this.#tail
    if (tail === null || position >= tail.to) return
    tail.to += 1
    if (position <= tail.from) {
      tail.from += 1
      return
    }
    // Whatever costs less: the shorter part gets a list of its own, or all of it is looked at when it executes again.
    if (tail.after !== null && position - tail.from > tail.to - position) {
      this.#dissolve(tail)
      this.#tail = null
      return
    }
    this.#leaveTail(tail, position)
    tail.from = position + 1
  }

  /** Those before `position` keep what they met, whatever becomes of the others. */
  #leaveTail(tail: YieldingTail, position: number): void {
    if (tail.after === null) return
    const own: [Cell] = [tail.after[0]]
    for (let index = tail.from; index < position; index++) this.#yieldTo(this.#chain[index] as Entry, own)
  }

  /** Each of the tail keeps what it met. */
  #dissolve(tail: YieldingTail): void {
    if (tail.together === null || tail.after === null) return
    for (let index = tail.from; index < tail.to; index++) {
      const entry = this.#chain[index] as Entry
      if (entry.executed !== null && entry.executed.after !== tail.after) this.#yieldTo(entry, tail.after)
    }
  }

  #yieldTo(entry: Entry, standing: readonly [Cell]): void {
    const { executed } = entry
    assert(executed !== null, 'only what was executed yields')
    if (executed.outcome === 'superseded') yieldTo(executed, standing)
    else entry.executed = yielding(entry.operation, standing, this.#tail?.together ?? null)
  }

  #isWithin({ from, to }: YieldingTail, operation: Operation): boolean {
    const [first, last] = [this.#chain[from], this.#chain[to - 1]]
    if (first === undefined || last === undefined || compareCanonically(operation, first.operation) < 0) return false
    return compareCanonically(operation, last.operation) <= 0
  }

  #shrinkTail(position: number): void {
    const tail = this.#tail
    if (tail === null || position >= tail.to) return
    tail.to -= 1
    if (position < tail.from) tail.from -= 1
    if (tail.length === 0) this.#tail = null
  }

  #foldTail(tail: YieldingTail, count: number): void {
    if (count >= tail.to) {
      this.#dissolve(tail)
      this.#tail = null
      return
    }
    if (count > tail.from) this.#leaveTail(tail, count)
    tail.from = Math.max(0, tail.from - count)
    tail.to -= count
  }

  #before(position: number): Cell {
    const previous = this.#chain[position - 1]
    return previous === undefined ? this.#settled : this.#after(previous)
  }

  #after(entry: Entry): Cell {
    const { execution } = entry
    assert(execution !== null, 'entries are executed in canonical order')
    const { paths } = entry.operation
    return execution.after[paths.length === 1 ? 0 : paths.indexOf(this.path)] as Cell
  }

  #positionOf(entry: Entry): number {
    if (this.last === entry) return this.#chain.length - 1
    // What executes again is asked for twice, and then the entry behind it: a search would touch a dozen others each time.
    if (this.#chain[this.#found] === entry) return this.#found
    const isNext = this.#chain[this.#found + 1] === entry
    this.#found = isNext ? this.#found + 1 : this.#position(entry)
    assert(this.#chain[this.#found] === entry, 'the entry stands in the chains of its paths')
    return this.#found
  }

  /** Where `entry` stands or belongs: the first position whose entry is not before it. */
  #position(entry: Entry): number {
    return this.#placeOf(entry.operation)
  }

  #placeOf(operation: Operation): number {
    let low = 0
    let high = this.#chain.length
    // What comes in order belongs a little behind what came before.
    for (let at = this.#found, step = 1; at < high; at += step, step *= 2) {
      if (this.#isBefore(at, operation)) low = at + 1
      else high = at
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBefore(middle, operation)) low = middle + 1
      else high = middle
    }
    return low
  }

  #isBefore(position: number, operation: Operation): boolean {
    return compareCanonically((this.#chain[position] as Entry).operation, operation) < 0
  }
}

/** So often a chain is looked at for a tail of applied writes. */
const APPLIED_LOOK: number = 2 * TAIL_MIN

/** As `splice`, which makes a list of what it takes out: few stand behind most places. */
function insertAt(chain: Entry[], position: number, entry: Entry): void {
  if (chain.length - position > MOVED_ONE_BY_ONE_MAX) {
    chain.splice(position, 0, entry)
    return
  }
  chain.push(entry)
  for (let index = chain.length - 1; index > position; index--) chain[index] = chain[index - 1] as Entry
  chain[position] = entry
}

const MOVED_ONE_BY_ONE_MAX = 64
