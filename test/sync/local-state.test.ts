import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Path } from '../../runtime/state/path.ts'
import { type Entry, entryOf } from '../../runtime/state/entry.ts'
import type { Undo } from '../../runtime/sync/last-undo.ts'
import { LocalState } from '../../runtime/sync/local-state.ts'
import { guard, operation, set, write } from '../state/operations.ts'

const X = 'x' as Path

describe('the local state', () => {
  test('executes a new entry at its place and again only what meets another cell', () => {
    const local = newState()
    local.add([entryOf(operation({ by: 'B', stage: 2, writes: [set('other', 1)] }))])
    const yields = entryOf(operation({ by: 'C', stage: 2 }))
    local.add([yields])
    const late = entryOf(operation({ by: 'A', stage: 1, writes: [set('x', 'A')] }))
    const { changed, executed } = local.add([late])
    assert.deepEqual([late, yields].map(outcomeOf), ['applied', 'superseded'])
    assert.deepEqual(
      executed.map(({ entry }) => entry),
      [late, yields],
    )
    assert.deepEqual(
      changed.map(({ path }) => path),
      [X],
    )
    assert.equal(local.reexecutions, 1)
    assert.equal(local.waitingQueueLength, 0)
  })

  test('stops where nothing differs any more', () => {
    const local = newState()
    const entries = [2, 3, 4].map((stage) => entryOf(operation({ by: 'A', seq: stage, stage })))
    for (const entry of entries) local.add([entry])
    local.add([entryOf(operation({ by: 'C', stage: 1, writes: [set('x', 'under all')] }))])
    assert.equal(local.reexecutions, 1, 'the first stands over it, and the others meet what they met before')
  })

  test('an entry of the same batch that changes nothing does not hide a change from those behind it', () => {
    const local = newState()
    const low = entryOf(operation({ by: 'C', seq: 1, stage: 2, writes: [set('x', 5)] }))
    const looks = { writes: [set('ok', 1)], guards: [guard('x', '==', 5)] }
    const witness = entryOf(operation({ by: 'B', seq: 1, stage: 4, ...looks }))
    for (const entry of [low, witness]) local.add([entry])
    assert.equal(outcomeOf(witness), 'applied')
    const first = entryOf(operation({ by: 'A', seq: 1, stage: 1, writes: [set('x', 9)] }))
    const onlyLooks = { writes: [set('seen', 1)], guards: [guard('x', 'exists', true)] }
    const second = entryOf(operation({ by: 'A', seq: 2, stage: 3, ...onlyLooks }))
    local.add([first, second])
    assert.deepEqual([low, witness].map(outcomeOf), ['superseded', 'refused'])
  })

  test('is the same to the last byte in whatever order operations come, also where values differ in the order of keys alone', () => {
    const [one, other] = [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ]
    const operations = [
      operation({ by: 'A', stage: 1, writes: [write('x', 'append', one)] }),
      operation({ by: 'B', stage: 2, writes: [write('x', 'append', other)], guards: [guard('x', 'exists', false)] }),
      operation({ by: 'C', stage: 3, writes: [write('x', 'append', 'last')], guards: [guard('y', 'exists', false)] }),
    ]
    const [inOrder, late] = [newState(), newState()]
    inOrder.add(operations.map(entryOf))
    for (const each of [1, 2, 0]) late.add([entryOf(operations[each]!)])
    assert.equal(JSON.stringify(inOrder.get(X)), JSON.stringify([one, 'last']))
    assert.equal(JSON.stringify(late.get(X)), JSON.stringify([one, 'last']))
  })

  test('takes back several entries of one point at once', () => {
    const local = newState()
    const [a, b, c] = [1, 2, 3].map((stage) => {
      return entryOf(operation({ by: 'A', seq: stage, stage, writes: [write('x', 'add', 10 ** stage)] }))
    }) as [Entry, Entry, Entry]
    for (const entry of [a, b, c]) local.add([entry])
    const { changed } = local.remove([a, b])
    assert.equal(local.get(X), 1000)
    const { reason, by, byCount, undone } = local.lastUndo as Undo
    assert.deepEqual([reason, by, byCount], ['left', [a.operation, b.operation], 2])
    assert.deepEqual(undone, [c.operation])
    assert.deepEqual(
      changed.map(({ path, before }) => [path, before.value]),
      [[X, 1110]],
    )
    local.remove([c])
    assert.equal(local.get(X), undefined)
  })

  test('settles what is folded, and forgets points that nothing was written to', () => {
    const local = newState()
    const entries = [
      entryOf(operation({ by: 'A', stage: 1, writes: [set('x', 1)], guards: [guard('looked/at', 'exists', false)] })),
      entryOf(operation({ by: 'A', seq: 2, stage: 2, writes: [set('y', 1)], guards: [guard('x', '==', 'no')] })),
      entryOf(operation({ by: 'A', seq: 3, stage: 3, writes: [write('x', 'delete')] })),
    ]
    for (const entry of entries) local.add([entry])
    assert.equal(local.size, 3)
    local.fold(entries.slice(0, 2), 2)
    assert.deepEqual([local.settledCell(X).value, local.get(X), local.size], [1, undefined, 1])
    local.fold(entries.slice(2), 3)
    assert.equal(local.settledCell(X).writer, entries[2]?.operation)
    local.forget(X)
    assert.equal(local.size, 0)
  })
})

function newState(): LocalState {
  return new LocalState()
}

function outcomeOf(entry: Entry): string | undefined {
  return entry.execution?.outcome
}
