import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Cell } from '../../runtime/state/cell.ts'
import { execute } from '../../runtime/state/executor.ts'
import { compareCanonically, type Operation } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { operationMemoryBytes } from '../../runtime/state/memory.ts'
import { type Entry, entryOf } from '../../runtime/state/entry.ts'
import { Register } from '../../runtime/state/register.ts'
import { Journal } from '../../runtime/sync/journal.ts'
import { WaitingQueue } from '../../runtime/sync/waiting-queue.ts'
import { operation, set, write, written } from '../state/operations.ts'

const C1 = operation({ by: 'C', seq: 1, stage: 1 })
const B1 = operation({ by: 'B', seq: 1, stage: 1 })
const A2 = operation({ by: 'A', seq: 1, stage: 2 })
const C4 = operation({ by: 'C', seq: 2, stage: 4 })
const INSERTED = [C4, C1, A2, B1]
const IN_ORDER = [B1, C1, A2, C4]

describe('the journal', () => {
  test('keeps canonical order, however its entries come', () => {
    const journal = journalOf(INSERTED)
    assert.deepEqual(operationsIn(journal.entries()), IN_ORDER)
    assert.deepEqual(operationsIn(journal.entries(2)), [A2, C4])
    assert.deepEqual(operationsIn(journal.at(1)), [B1, C1])
    assert.deepEqual(operationsIn(journal.at(3)), [])
    assert.equal(journal.last?.operation, C4)
  })

  test('tells what the integration of an operation undoes: all behind its place', () => {
    const journal = journalOf(INSERTED)
    assert.deepEqual(operationsIn(journal.after(operation({ by: 'A', stage: 1 }))), IN_ORDER)
    assert.deepEqual(operationsIn(journal.after(B1)), [C1, A2, C4])
    assert.deepEqual(operationsIn(journal.after(operation({ by: 'C', stage: 5 }))), [])
  })

  test('lets go of what is folded, in order, and never takes it again', () => {
    const journal = journalOf(INSERTED)
    assert.deepEqual(operationsIn(journal.fold(2)), [B1, C1, A2])
    assert.deepEqual([journal.floor, journal.length, journal.last?.operation], [2, 1, C4])
    assert.throws(() => journal.insert(entryOf(A2)), /at or below the floor/)
    assert.throws(() => journal.fold(1), /never goes back/)
    assert.deepEqual(operationsIn(journal.fold(9)), [C4])
    assert.deepEqual([journal.last, journal.memoryBytes], [undefined, 0])
  })

  test('forgets an entry that is removed, and the stages behind the last', () => {
    const journal = new Journal(0)
    const entries = IN_ORDER.map(entryOf)
    for (const entry of entries) journal.insert(entry)
    journal.remove(entries[3] as Entry)
    assert.deepEqual([journal.last?.operation, journal.length], [A2, 3])
    const bytes = [entries[0], entries[1], entries[2]].map((entry) => operationMemoryBytes(entry!.operation))
    assert.equal(
      journal.memoryBytes,
      bytes.reduce((sum, one) => sum + one, 0),
    )
    assert.throws(() => journal.remove(entries[3] as Entry), /only what stands/)
  })
})

describe('the waiting queue', () => {
  test('gives canonical order, and each entry once', () => {
    const queue = new WaitingQueue()
    const entries = INSERTED.map(entryOf)
    for (const entry of [...entries, ...entries]) queue.add(entry)
    assert.equal(queue.length, 4)
    const taken: Operation[] = []
    for (let entry = queue.take(); entry !== undefined; entry = queue.take()) taken.push(entry.operation)
    assert.deepEqual(taken, IN_ORDER)
  })

  test('takes an entry again once it was taken', () => {
    const queue = new WaitingQueue()
    const entry = entryOf(C1)
    queue.add(entry)
    queue.take()
    queue.add(entry)
    assert.equal(queue.take(), entry)
    assert.equal(queue.take(), undefined)
  })

  test('is right for any number of entries in any order', () => {
    const queue = new WaitingQueue()
    const many = Array.from({ length: 500 }, (_, index) => operation({ by: 'B', seq: index + 1, stage: index + 1 }))
    const mixed = many.map((_, index) => many[(index * 211) % 500] as Operation)
    for (const one of mixed) queue.add(entryOf(one))
    assert.deepEqual(
      many.map(() => queue.take()?.operation),
      mixed.toSorted(compareCanonically),
    )
  })
})

describe('a register', () => {
  test('chains its entries in canonical order and holds the cell after the last', () => {
    const register = new Register('x' as Path)
    const [first, second] = [executed(register, B1), executed(register, A2)]
    assert.deepEqual(register.cell, written(1, A2))
    assert.deepEqual([register.before(first).writer, register.before(second).writer], [null, B1])
    assert.equal(register.next(first), second)
    assert.equal(register.next(second), undefined)
  })

  test('leads from a removed entry to the one that may now meet another cell', () => {
    const register = new Register('x' as Path)
    const [first, second] = [executed(register, B1), executed(register, A2)]
    assert.equal(register.remove(first), second)
    assert.equal(register.remove(second), undefined)
    assert.deepEqual(register.cell, { value: undefined, writer: null })
  })

  test('settles the cell of the last entry at or below a stage', () => {
    const register = new Register('x' as Path)
    for (const one of [B1, A2, operation({ by: 'A', seq: 2, stage: 4, writes: [write('x', 'delete')] })])
      executed(register, one)
    register.fold(3)
    assert.deepEqual([register.settled.writer, register.length, register.cell.value], [A2, 1, undefined])
    register.fold(3)
    assert.equal(register.length, 1)
  })
})

function journalOf(operations: readonly Operation[]): Journal {
  const journal = new Journal(0)
  for (const one of operations) journal.insert(entryOf(one))
  return journal
}

function executed(register: Register, one: Operation = operation({ writes: [set('x', 1)] })): Entry {
  const entry = entryOf(one)
  register.insert(entry)
  entry.executed = execute(one, [register.before(entry)])
  register.follow(entry, entry.executed.after[0] as Cell)
  return entry
}

function operationsIn(entries: Iterable<Entry>): Operation[] {
  return [...entries].map((entry) => entry.operation)
}
