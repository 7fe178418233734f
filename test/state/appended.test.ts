import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { appended, settleList } from '../../runtime/state/appended.ts'
import { type Cell, EMPTY_CELL } from '../../runtime/state/cell.ts'
import { entryOf } from '../../runtime/state/entry.ts'
import { executeAlone } from '../../runtime/state/executor.ts'
import type { Path } from '../../runtime/state/path.ts'
import { Register } from '../../runtime/state/register.ts'
import type { Value } from '../../runtime/state/value.ts'
import { operation, write } from './operations.ts'

const ITEMS = 1500

test('a list is what was appended to it, in whatever order the cells are looked at and settled', () => {
  const cells = appendTo(EMPTY_CELL, 6)
  const looked = (indices: readonly number[]) => indices.map((index) => cells[index]?.value)
  const expected = [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]]
  for (const order of [
    [5, 0, 3],
    [2, 1, 4],
    [0, 1, 2, 3, 4, 5],
    [3, 3],
  ]) {
    const [first] = looked(order)
    assert.deepEqual(
      looked(order),
      order.map((index) => expected[index]),
    )
    assert.deepEqual(first, expected[order[0] as number], 'what was handed out stays')
    settleList(cells[order[1] as number] as Cell)
  }
  const branch = appended(cells[2] as Cell, 'other')
  assert.deepEqual(
    [branch?.value, cells[3]?.value],
    [
      [0, 1, 2, 'other'],
      [0, 1, 2, 3],
    ],
  )
})

test('each append holds what it appends, and a settled list nothing but itself', () => {
  const lists = 20
  const registers = Array.from({ length: lists }, () => new Register('l' as Path))
  const bytes = heapBytesOf(() => {
    for (const register of registers) appendOperations(register, ITEMS)
  })
  const count = lists * ITEMS
  assert.ok(bytes < 1200 * count, `${bytes} bytes of ${count} appends`)
  const settledBytes = heapBytesOf(() => {
    for (const register of registers) register.fold(ITEMS)
  })
  assert.ok(bytes + settledBytes < 30 * count, `${bytes} bytes, and ${settledBytes} when settled`)
  for (const { settled, length } of registers) assert.deepEqual([valueLength(settled), length], [ITEMS, 0])
})

/** As the journal holds them. */
function appendOperations(register: Register, count: number): void {
  for (let seq = 1; seq <= count; seq++) {
    const entry = entryOf(operation({ seq, stage: seq, writes: [write('l', 'append', true)] }))
    const execution = executeAlone(entry.operation, [register.cell])
    entry.registers = register.alone
    entry.executed = execution
    register.append(entry, execution.after[0] as Cell)
  }
}

function valueLength({ value }: Cell): number {
  return (value as readonly Value[]).length
}

function appendTo(start: Cell, count: number): Cell[] {
  const cells: Cell[] = []
  for (let item = 0; item < count; item++) {
    const cell = appended(cells.at(-1) ?? start, item)
    assert.ok(cell !== null)
    cells.push(cell)
  }
  return cells
}

/** By which the memory in use grows. */
function heapBytesOf(act: () => void): number {
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  act()
  collectGarbage()
  return process.memoryUsage().heapUsed - before
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
