import { APPENDED_BYTES_MAX, APPENDED_ITEMS_MAX } from '../base/limits.ts'
import type { Cell } from './cell.ts'
import type { Positioned } from './operation.ts'
import { bytesAppended, isList, type Value, valueBytes } from './value.ts'

/** The cell behind an `append`, or null if that does not fit what it met. */
export function appended(met: Cell, item: Value): Cell | null {
  const length = lengthOf(met)
  if (length === null || length >= APPENDED_ITEMS_MAX) return null
  const bytes = bytesOf(met) + bytesAppended(item)
  return bytes > APPENDED_BYTES_MAX ? null : new AppendedCell(met, item, length + 1, bytes)
}

/** Nothing before a settled cell can change any more: it need not hold what it came from. */
export function settleList(cell: Cell): void {
  if (cell instanceof AppendedCell) cell.settle()
}

/**
 * What it met and one item more. The list is made when somebody looks at it, and only the last ones are kept: the journal holds such
 * a cell for each `append`, and with a list in each of them a thousand short changes of a long list took 16 MB.
 */
class AppendedCell implements Cell {
  readonly writer: Positioned | null
  readonly length: number
  /** Of the list, as {@link valueBytes} has it. */
  readonly bytes: number
  #met: Cell
  /** Undefined once it is settled, and is all that it has met. */
  #item: Value | undefined

  constructor(met: Cell, item: Value, length: number, bytes: number) {
    this.writer = met.writer
    this.length = length
    this.bytes = bytes
    this.#met = met
    this.#item = item
  }

  get value(): readonly Value[] {
    const known = madeOf(this)
    if (known !== null) return known
    before = last
    last = { cell: this, list: this.#list() }
    return last.list
  }

  settle(): void {
    if (this.#item === undefined) return
    this.#met = { value: this.value, writer: this.writer }
    this.#item = undefined
  }

  #list(): readonly Value[] {
    if (this.#item === undefined) return listOf(this.#met)
    const behind = [this.#item]
    let cell = this.#met
    while (cell instanceof AppendedCell && cell.#item !== undefined && madeOf(cell) === null) {
      behind.push(cell.#item)
      cell = cell.#met
    }
    return [...listOf(cell), ...behind.toReversed()]
  }
}

interface Made {
  readonly cell: Cell
  readonly list: readonly Value[]
}

/** The two lists that were made last: whoever is told of an `append` looks at what it met and what it made of that. */
let last: Made | null = null
let before: Made | null = null

function madeOf(cell: Cell): readonly Value[] | null {
  if (last?.cell === cell) return last.list
  return before?.cell === cell ? before.list : null
}

function listOf({ value }: Cell): readonly Value[] {
  return isList(value) ? value : []
}

/** Null where there is something else than a list. A tombstone is an empty one. */
function lengthOf(cell: Cell): number | null {
  if (cell instanceof AppendedCell) return cell.length
  const { value } = cell
  if (value === undefined) return 0
  return isList(value) ? value.length : null
}

function bytesOf(cell: Cell): number {
  return cell instanceof AppendedCell ? cell.bytes : valueBytes(listOf(cell))
}
