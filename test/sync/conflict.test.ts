import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { CONFLICTS_MAX } from '../../runtime/base/limits.ts'
import { formatOperationId, nodeOf } from '../../runtime/base/ids.ts'
import type { Value } from '../../runtime/state/value.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { ConflictList } from '../../runtime/sync/conflict.ts'
import { conflictOf } from '../../runtime/sync/settlement.ts'
import { idOf, type Name, operation, set, write } from '../state/operations.ts'
import { batchOf } from './batches.ts'

const NAMES = ['A', 'B', 'C'] as const

describe('conflicts', () => {
  test('the loser, the winner, the path and both values are kept', () => {
    const history = newHistory()
    const { integrations } = history.receive(sets('A', 1, 'a'))
    assert.deepEqual(integrations[0]?.conflicts, [])
    const [conflict] = history.receive(sets('B', 1, 'b')).integrations[0]?.conflicts ?? []
    assert.deepEqual(conflict, {
      id: `${formatOperationId(idOf('B', 1))}@x`,
      path: 'x',
      winner: { operation: idOf('A', 1), stage: 1, value: 'a' },
      loser: { operation: idOf('B', 1), stage: 1, value: 'b' },
    })
    assert.deepEqual(history.conflicts.list(), [conflict])
  })

  test('a write that yields to another one than before is listed with the one that it yields to now', () => {
    const [c, b, a] = [sets('C', 1, 'c'), sets('B', 2, 'b', [write('q', 'add', 1)]), sets('A', 1, 'a')]
    const before = batchOf({ by: 'B', seq: 1, stage: 1, writes: [set('q', 0)] })
    const followed = batchOf({
      by: 'B',
      seq: 2,
      stage: 2,
      previous: idOf('B', 1),
      link: before.digest,
      writes: b.messages[0]!.current.writes,
    })
    for (const order of [
      [c, before, followed, a],
      [a, before, followed, c],
    ]) {
      const history = newHistory()
      for (const batch of order) history.receive(batch)
      assert.deepEqual(pairs(history), ['B:2 under A:1', 'C:1 under A:1'])
    }
  })

  test('one that yields at another of its points than before, to the same writer, is listed there', () => {
    const history = newHistory()
    history.receive(batchOf({ by: 'A', writes: [set('x', true), set('y', true)] }))
    const before = batchOf({ by: 'C', writes: [set('z', 1)] })
    history.receive(before)
    const writes = [set('x', 'c', idOf('B', 1)), set('y', 'c')]
    history.receive(batchOf({ by: 'C', seq: 2, stage: 2, previous: idOf('C', 1), link: before.digest, writes }))
    assert.deepEqual(ids(history), [`${formatOperationId(idOf('C', 2))}@x`])
    history.receive(batchOf({ by: 'B', stage: 2, previous: idOf('A', 1), writes: [set('x', 'b', idOf('A', 1))] }))
    assert.deepEqual(ids(history), [`${formatOperationId(idOf('C', 2))}@y`])
  })

  test('a conflict that is none any more leaves the list', () => {
    const history = newHistory()
    history.receive(sets('C', 1, 'c'))
    history.receive(batchOf({ by: 'B', stage: 2, previous: idOf('C', 1), writes: [set('x', 'b')] }))
    assert.deepEqual(pairs(history), ['C:1 under B:1'])
    history.receive(batchOf({ by: 'A', stage: 2, previous: idOf('C', 1), writes: [set('x', 'a', idOf('C', 1))] }))
    assert.deepEqual(pairs(history), ['B:1 under A:1'])
  })

  test('one that is dealt with does not come back when its operations execute again', () => {
    const history = newHistory()
    for (const batch of [sets('B', 1, 'b'), sets('C', 1, 'c')]) history.receive(batch)
    const [conflict] = history.conflicts.list()
    assert.ok(conflict)
    history.conflicts.resolve(conflict.id)
    history.receive(sets('A', 1, 'a'))
    assert.deepEqual(pairs(history), ['B:1 under A:1'])
  })

  test('the value that yielded is the one that stood there, an add in between included', () => {
    const base = batchOf({ by: 'C', writes: [set('x', 10)] })
    const over = batchOf({ by: 'A', stage: 3, previous: idOf('B', 2), writes: [set('x', 1)] })
    const one = batchOf({ by: 'B', writes: [set('y', 1)] })
    const two = batchOf({
      by: 'B',
      seq: 2,
      stage: 2,
      previous: idOf('B', 1),
      link: one.digest,
      writes: [write('x', 'add', 5)],
    })
    for (const order of [
      [base, one, two, over],
      [one, two, over, base],
    ]) {
      const history = newHistory()
      for (const batch of order) history.receive(batch)
      assert.deepEqual(
        history.conflicts.list().map(({ loser }) => loser.value),
        [15],
      )
    }
  })

  test('the list is bounded: the oldest goes first, and how many went is shown', () => {
    const history = newHistory()
    const count = CONFLICTS_MAX / 40 + 1
    const first: Record<'B' | 'C', number> = { C: 1, B: count + 1 }
    for (const name of ['C', 'B'] as const) {
      let link = EMPTY_DIGEST
      for (let seq = 1; seq <= count; seq++) {
        const writes = Array.from({ length: 40 }, (_, index) => set(`${seq}/${index}`, name))
        const stage = first[name] + seq - 1
        const previous = stage === 1 ? null : seq === 1 ? idOf('C', count) : idOf(name, seq - 1)
        const batch = batchOf({ by: name, seq, stage, previous, link, writes })
        link = batch.digest
        history.receive(batch)
      }
    }
    assert.equal(history.conflicts.list().length, CONFLICTS_MAX)
    assert.equal(history.conflicts.forgotten, 40)
    assert.equal(history.conflicts.list()[0]?.path, '2/0')
  })
})

test('conflicts that no operation carries are known as such also after a snapshot: the next welcome keeps them', () => {
  const writer = { operation: idOf('A', 1), stage: 1, value: 1 }
  const loser = { operation: idOf('B', 1), stage: 1, value: 2 }
  const list = new ConflictList()
  for (const kind of ['draft', 'operation'] as const) {
    const draft = { ...operation({ by: 'B', seq: 1, stage: 1 }), original: { kind, id: idOf('B', 1) } }
    const conflict = conflictOf({ current: draft, previous: { id: null, stage: 0 } }, set('x', 2), {
      value: 1,
      writer: null,
    })
    assert.ok(list.keep(conflict))
  }
  const again = new ConflictList()
  again.restore([...list.list(), { id: 'of an operation@x', path: 'x' as never, winner: writer, loser }], 0, [])
  assert.deepEqual(again.kept(), list.kept())
  assert.equal(again.kept().length, 2)
})

function sets(by: Name, stage: number, value: Value, more: Parameters<typeof batchOf>[0]['writes'] = []): Batch {
  return batchOf({ by, seq: 1, stage, writes: [set('x', value), ...more] })
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : 1
}

function pairs(history: History): string[] {
  const nameOf = (id: { readonly member: string; readonly seq: number }): string =>
    `${NAMES.find((name) => idOf(name, 1).member === id.member)}:${id.seq}`
  return history.conflicts
    .list()
    .map(({ loser, winner }) => `${nameOf(loser.operation)} under ${nameOf(winner.operation)}`)
    .toSorted(compareText)
}

function newHistory(): History {
  const founders = NAMES.map((name, index) => ({ node: nodeOf(idOf(name, 1).member), tier: 3 - index }))
  return new History(new Membership({ name: 'conflicts', founders }), 0, EMPTY_DIGEST)
}

function ids(history: History): string[] {
  return history.conflicts.list().map(({ id }) => id)
}
