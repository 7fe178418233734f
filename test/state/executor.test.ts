import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { APPENDED_BYTES_MAX, APPENDED_ITEMS_MAX, VALUE_DEPTH_MAX } from '../../runtime/base/limits.ts'
import { type Cell, EMPTY_CELL } from '../../runtime/state/cell.ts'
import { execute, type Execution } from '../../runtime/state/executor.ts'
import { memberIdOf, nodeOf } from '../../runtime/base/ids.ts'
import { type Operation, pathsMet } from '../../runtime/state/operation.ts'
import { type Value, valueBytes } from '../../runtime/state/value.ts'
import { accumulated, guard, idOf, type OperationParts, operation, set, write, written } from './operations.ts'

const BY_A = operation({ by: 'A', seq: 4, stage: 5 })
const BY_C = operation({ by: 'C', seq: 4, stage: 5 })

describe('executing one operation (PROTOCOL section 3)', () => {
  test('1. one whose issuer was no member at its place is void and changes nothing', () => {
    const joined = operation({ by: 'A' })
    const id = { member: memberIdOf(nodeOf(joined.id.member), 7), seq: 1 }
    const stranger: Operation = { ...joined, id, paths: pathsMet(joined.paths, id.member, null, null) }
    const before = [written(1), EMPTY_CELL]
    const execution = execute(stranger, before)
    assert.deepEqual([execution.outcome, execution.after, execution.clashes], ['void', before, []])
    const admitted = { value: [stranger.priority.tier, new Uint8Array()], writer: BY_A }
    assert.equal(execute(stranger, [EMPTY_CELL, admitted]).outcome, 'applied')
    const ofOtherTier = { ...admitted, value: [stranger.priority.tier + 1, new Uint8Array()] }
    assert.equal(execute(stranger, [EMPTY_CELL, ofOtherTier]).outcome, 'void')
  })

  test('2. one with a false guard is refused, whichever guard it is', () => {
    const guards = [guard('x', '==', 1), guard('y', '==', 2)]
    const writes = [set('z', 1)]
    assert.equal(run({ writes, guards }, { x: written(1), y: written(2) }).outcome, 'applied')
    assert.equal(run({ writes, guards }, { x: written(1), y: written(3) }).outcome, 'refused')
    assert.equal(run({ writes, guards }, { x: written(0), y: written(2) }).outcome, 'refused')
  })

  test('a false guard says what was wanted of which point, and what it is', () => {
    const reasonOf = (...guards: readonly ReturnType<typeof guard>[]): string | null =>
      run({ writes: [set('z', 1)], guards }, { x: written('a'.repeat(60)), y: written(2) }).reason
    assert.equal(reasonOf(guard('y', '==', 3)), 'the guard y == 3 does not hold: it is 2')
    assert.equal(reasonOf(guard('y', '==', 2), guard('w', '>=', 3)), 'the guard w >= 3 does not hold: it is not there')
    assert.equal(
      reasonOf(guard('x', '!=', 'a'.repeat(60))),
      `the guard x != "${'a'.repeat(40)}…" does not hold: it is "${'a'.repeat(40)}…"`,
    )
    assert.equal(reasonOf(guard('w', 'exists', true)), 'the guard that w is there does not hold: it is not there')
    assert.equal(reasonOf(guard('y', 'exists', false)), 'the guard that y is not there does not hold: it is 2')
  })

  test('a guard looks at the state before the operation, not at its own writes', () => {
    const parts = { writes: [set('x', 2, BY_A.id)], guards: [guard('x', '==', 1)] }
    assert.equal(run(parts, { x: written(1, BY_A) }).outcome, 'applied')
  })

  test('a guard is judged before any write: what is refused has no conflict', () => {
    const parts: OperationParts = { by: 'C', writes: [set('x', 2)], guards: [guard('x', '==', 0)] }
    assert.deepEqual(summary(run(parts, { x: written(1, BY_A) })), ['refused', []])
  })

  test('3. add counts an absent point as 0 and append as an empty list', () => {
    const { cells } = run({ writes: [write('n', 'add', 5), write('l', 'append', 'a')] }, {})
    assert.deepEqual(cells, { n: accumulated(5), l: accumulated(['a']) })
  })

  test('add and append of the wrong type refuse the whole operation', () => {
    for (const [wrong, value] of [
      [write('x', 'add', 1), true],
      [write('x', 'add', 1), ['1']],
      [write('x', 'append', 1), 7],
      [write('x', 'append', 1), { 0: 1 }],
    ] as const) {
      const { outcome, cells } = run({ writes: [set('y', 1), wrong] }, { x: accumulated(value) })
      assert.deepEqual([outcome, cells['y']], ['refused', EMPTY_CELL], `${wrong.kind} to ${JSON.stringify(value)}`)
    }
  })

  test('add and append never yield and do not become the writer', () => {
    const { outcome, cells } = run({ by: 'C', writes: [write('n', 'add', 5)] }, { n: written(10, BY_A) })
    assert.deepEqual([outcome, cells['n']], ['applied', written(15, BY_A)])
  })

  test('set, delete and toggle become the writer; delete leaves a tombstone', () => {
    const writes = [set('s', 1), write('d', 'delete'), write('t', 'toggle')]
    const { cells, by } = run({ writes }, {})
    assert.deepEqual(cells, { s: written(1, by), d: written(undefined, by), t: written(true, by) })
  })

  test('toggle turns a boolean, and an absent point on; anything else refuses it', () => {
    assert.equal(run({ writes: [write('x', 'toggle')] }, { x: accumulated(true) }).cells['x']?.value, false)
    assert.equal(run({ writes: [write('x', 'toggle')] }, { x: accumulated(false) }).cells['x']?.value, true)
    assert.equal(run({ writes: [write('x', 'toggle')] }, { x: accumulated(1) }).outcome, 'refused')
  })

  test('where nobody has written there is nothing to yield to', () => {
    assert.deepEqual(summary(run({ by: 'C' }, { x: accumulated(9) })), ['applied', []])
  })

  test('the writer that it replaces was seen, whatever the priorities', () => {
    assert.deepEqual(summary(run({ by: 'C', writes: [set('x', 1, BY_A.id)] }, { x: written(0, BY_A) })), [
      'applied',
      [],
    ])
  })

  test('an earlier operation of the same member was seen', () => {
    assert.deepEqual(summary(run({ by: 'A', seq: 5, stage: 9 }, { x: written(0, BY_A) })), ['applied', []])
  })

  test('what its issuer had settled was seen', () => {
    assert.equal(run({ by: 'C', stage: 9, floor: 5 }, { x: written(0, BY_A) }).outcome, 'applied')
    assert.equal(run({ by: 'C', stage: 9, floor: 4 }, { x: written(0, BY_A) }).outcome, 'superseded')
  })

  test('an unseen writer of higher priority supersedes the whole operation', () => {
    const { outcome, cells, clashes } = run({ by: 'C', writes: [set('y', 1), set('x', 2)] }, { x: written(0, BY_A) })
    assert.deepEqual([outcome, cells['x'], cells['y']], ['superseded', written(0, BY_A), EMPTY_CELL])
    assert.deepEqual(clashes.map(sides), [['x', BY_A.id, 0, idOf('C', 1), 2]])
  })

  test('over an unseen writer of lower priority it stands, and the conflict is recorded', () => {
    const { outcome, cells, clashes, by } = run({ by: 'B', writes: [set('x', 2)] }, { x: written(0, BY_C) })
    assert.deepEqual([outcome, cells['x']], ['applied', written(2, by)])
    assert.deepEqual(clashes.map(sides), [['x', idOf('B', 1), 2, BY_C.id, 0]])
  })

  test('a tombstone counts as a writer: an unseen deletion of higher priority supersedes', () => {
    assert.equal(run({ by: 'C' }, { x: written(undefined, BY_A) }).outcome, 'superseded')
    assert.deepEqual(run({ by: 'A' }, { x: written(undefined, BY_C) }).clashes.map(sides), [
      ['x', idOf('A', 1), 1, BY_C.id, undefined],
    ])
  })

  test('knowledge of an older writer is no knowledge of the one that stands', () => {
    assert.equal(run({ by: 'C', writes: [set('x', 1, idOf('B', 9))] }, { x: written(0, BY_A) }).outcome, 'superseded')
  })

  test('its own writes are seen: a point may be written twice', () => {
    const { outcome, cells, by } = run({ writes: [set('x', 1), write('x', 'add', 2), set('x', 7)] }, {})
    assert.deepEqual([outcome, cells['x']], ['applied', written(7, by)])
  })

  test('a conflict of an operation that falls in a later write is none', () => {
    const parts: OperationParts = { by: 'B', writes: [set('x', 1), write('y', 'add', 1)] }
    assert.deepEqual(summary(run(parts, { x: written(0, BY_C), y: accumulated('text') })), ['refused', []])
  })
})

describe('sums', () => {
  const sum = (value: Value, amount: Value): Value | null => {
    const { outcome, cells } = run({ writes: [write('n', 'add', amount)] }, { n: accumulated(value) })
    return outcome === 'refused' ? null : (cells['n']?.value ?? null)
  }

  test('of whole numbers stay exact beyond 2^53, up to 64 bits, and become numbers again below', () => {
    assert.equal(sum(Number.MAX_SAFE_INTEGER, 1), 2n ** 53n)
    assert.equal(sum(2n ** 53n, -1), Number.MAX_SAFE_INTEGER)
    assert.equal(sum(2n ** 64n - 2n, 1), 2n ** 64n - 1n)
    assert.equal(sum(2n ** 64n - 1n, 1), null)
    assert.equal(sum(-(2n ** 63n), -1), null)
  })

  test('of fractions are fractions; what is not finite or not exact is refused', () => {
    assert.equal(sum(0.5, 1), 1.5)
    assert.equal(sum(1.7e308, 1.7e308), null)
    assert.equal(sum(2n ** 60n, 0.5), null)
    assert.equal(sum('1', 1), null)
  })
})

test('a list that would grow beyond the limits of a value refuses the operation', () => {
  const append = (value: Value, item: Value) =>
    run({ writes: [write('l', 'append', item)] }, { l: accumulated(value) }).outcome
  assert.equal(append(['x'.repeat(8000)], 'y'.repeat(8000)), 'applied')
  assert.equal(append(['x'.repeat(8000)], 'y'.repeat(9000)), 'refused')
  assert.equal(append([], nested(VALUE_DEPTH_MAX - 1)), 'applied')
  assert.equal(append([], nested(VALUE_DEPTH_MAX)), 'refused')
})

interface Ran extends Execution {
  readonly by: Operation
  readonly cells: Readonly<Record<string, Cell>>
}

function run(parts: OperationParts, cells: Readonly<Record<string, Cell>>): Ran {
  const by = operation(parts)
  const execution = execute(
    by,
    by.paths.map((path) => cells[path] ?? EMPTY_CELL),
  )
  const { outcome, after, clashes, reason, code } = execution
  return {
    outcome,
    after,
    clashes,
    reason,
    code,
    by,
    cells: Object.fromEntries(by.paths.map((path, at) => [path, shown(execution.after[at] as Cell)])),
  }
}

/** Whatever form it has. */
function shown({ value, writer }: Cell): Cell {
  return { value, writer }
}

function summary({ outcome, clashes }: Execution): unknown[] {
  return [outcome, clashes]
}

function sides({ path, winner, winnerValue, loser, loserValue }: Execution['clashes'][number]): unknown[] {
  return [path, winner.id, winnerValue, loser.id, loserValue]
}

function nested(levels: number): Value {
  return levels === 0 ? 0 : [nested(levels - 1)]
}

test('an append is refused where the list would have too many items, however small they are', () => {
  const append = (length: number) =>
    run({ writes: [write('l', 'append', true)] }, { l: accumulated(Array.from({ length }, () => true)) }).outcome
  assert.equal(append(APPENDED_ITEMS_MAX - 1), 'applied')
  assert.equal(append(APPENDED_ITEMS_MAX), 'refused')
})

test('an append is refused where the longer list would be too large, whatever was appended to before', () => {
  const lists: Value[] = [[], ['x'.repeat(100)], [[[]], 'é']]
  const items: readonly Value[] = [1, 'text', { key: [1, 2, 3] }, new Uint8Array(40), 2n ** 60n, null]
  const outcomes = new Set<string>()
  for (let turn = 0; turn < 6000; turn++) {
    const [which, item] = [
      turn % 7 === 0 ? 0 : turn % lists.length,
      items[(turn + Math.floor(turn / 6)) % items.length] as Value,
    ]
    const list = lists[which] as readonly Value[]
    const { outcome, cells } = run({ writes: [write('l', 'append', item)] }, { l: accumulated(list) })
    assert.equal(outcome, valueBytes([...list, item]) > APPENDED_BYTES_MAX ? 'refused' : 'applied', `turn ${turn}`)
    lists[which] = cells['l']?.value as Value
    outcomes.add(`${which} ${outcome}`)
  }
  assert.equal(outcomes.size, 6, 'each list is filled')
})
