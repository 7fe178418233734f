import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { CONFLICTS_MAX } from '../../runtime/base/limits.ts'
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import { compareCanonically, type Operation, pathsMet } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { type Entry, entryOf } from '../../runtime/state/entry.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import type { Value } from '../../runtime/state/value.ts'
import { TAIL_MIN } from '../../runtime/state/yielding-tail.ts'
import { ConflictList } from '../../runtime/sync/conflict.ts'
import type { Effects } from '../../runtime/sync/effects.ts'
import { LocalState } from '../../runtime/sync/local-state.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { rulesRequest } from '../../runtime/sync/standing-rules.ts'
import { guard, idOf, type Name, operation, set, write } from '../state/operations.ts'
import { heap } from '../support/heap.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const X = 'x' as Path
const LENGTH = 6 * TAIL_MIN
const JOINED = ['e', 'f'].map((digit) => memberIdOf(`${digit}000000000000000` as NodeId, 1))
const NODE = 'd000000000000000' as NodeId

describe('many writes of one point that yield', () => {
  test('come to stand under another writer without being executed again', () => {
    const { local, add } = newState()
    for (let seq = 1; seq <= LENGTH; seq++) add(operation({ by: 'C', seq, stage: 10 + seq, writes: [set('x', seq)] }))
    add(operation({ by: 'B', seq: 1, stage: 1, writes: [set('x', 'first')] }))
    const before = local.reexecutions
    const { effects } = add(operation({ by: 'B', seq: 2, stage: 2, writes: [set('x', 'second', idOf('B', 1))] }))
    assert.deepEqual([local.reexecutions - before, effects.executed.length, local.get(X)], [0, 1, 'second'])
  })

  test('are each judged where one of them has seen the writer, or is of its priority', () => {
    const late = operation({ by: 'A', seq: 1, stage: 2, writes: [set('x', 'late')] })
    const follows = operation({ by: 'B', seq: 99, stage: 6, writes: [set('x', 'follows', idOf('A', 1))] })
    for (const [special, writer] of [
      [{ floor: 3 }, late],
      [{ writes: [set('x', 0, late.id)] }, late],
      [{ by: 'B' as const }, follows],
    ] as const) {
      const { local, add } = newState()
      const first = operation({ by: writer === late ? 'B' : 'A', seq: 1, stage: 5, writes: [set('x', 'first')] })
      const entries = Array.from({ length: LENGTH }, (_, index) => {
        const parts = { by: 'C', seq: index + 1, stage: 10 + index, writes: [set('x', index)] } as const
        return add(operation(index === LENGTH / 2 ? { ...parts, ...special } : parts)).entries[0] as Entry
      })
      const before = [first, writer].flatMap((one) => add(one).entries)
      before.sort((left, right) => compareCanonically(left.operation, right.operation))
      assertSameAsAnew(local, [...before, ...entries])
    }
  })

  test('are each judged where rules come to stand over them', () => {
    const { local, add } = newState()
    const at = (stage: number, by: Name, value: Value): Entry =>
      add(operation({ by, seq: stage, stage, writes: [set('d/p', value)] })).entries[0] as Entry
    const entries = Array.from({ length: LENGTH }, (_, index) => at(10 + index, 'C', index === 0 ? 'text' : index))
    const first = at(5, 'B', 1)
    const points = [{ path: 'p', valueType: 'Int8', access: 'RW' } as const]
    const rules = { node: NODE, profile: { name: 'p', digest: EMPTY_DIGEST }, points }
    const [{ path, argument } = set('', 0)] = rulesRequest('d', rules).writes
    const [law] = add(operation({ by: 'A', seq: 1, stage: 2, writes: [set(path, argument)] })).entries
    assert.equal(entries[0]?.execution?.outcome, 'void')
    assertSameAsAnew(local, [law as Entry, first, ...entries])
  })

  test('leave what stands behind them to itself', () => {
    const { local, add } = newState()
    for (let seq = 1; seq <= LENGTH; seq++) add(operation({ by: 'C', seq, stage: 10 + seq }))
    add(operation({ by: 'B', seq: 1, stage: 1, writes: [set('x', 'first')] }))
    add(operation({ by: 'A', seq: 1, stage: 100, writes: [set('x', 'last')] }))
    add(operation({ by: 'B', seq: 2, stage: 2, writes: [set('x', 'second')] }))
    assert.equal(local.get(X), 'last')
  })

  test('are told as they were when they are settled, whatever comes later', () => {
    const { local, conflicts, add } = newState()
    const entries: Entry[] = []
    for (let seq = 1; seq <= LENGTH; seq++) entries.push(...add(operation({ by: 'C', seq, stage: 10 + seq })).entries)
    const winner = add(operation({ by: 'B', seq: 1, stage: 1 })).entries
    const before = conflicts.list()
    local.fold([...winner, ...entries.slice(0, LENGTH / 2)], 10 + LENGTH / 2)
    add(operation({ by: 'A', seq: 1, stage: 11 + LENGTH / 2 }))
    const winners = conflicts.list().map((conflict) => conflict.winner.operation.member)
    assert.deepEqual(
      winners.slice(0, LENGTH / 2),
      before.slice(0, LENGTH / 2).map((conflict) => conflict.winner.operation.member),
    )
    assert.ok(winners.slice(LENGTH / 2).every((member) => member === idOf('A', 1).member))
  })

  test('do so at the cost of one too where their issuers have joined, once that is settled', () => {
    const costs = [false, true].map((isSettled) => {
      const local = new LocalState()
      const joins = JOINED.map((member, index) => entryOf(joining(member, index + 1)))
      local.add(joins)
      if (isSettled) local.fold(joins, JOINED.length)
      const entries = Array.from({ length: LENGTH }, (_, index) => {
        const parts = { seq: index + 1, stage: 20 + index, writes: [set('x', index)] }
        return entryOf(ofJoined(JOINED[0] as MemberId, operation({ ...parts, by: 'C' })))
      })
      for (const entry of entries) local.append([entry])
      const late = [10, 11].map((stage, index) => {
        const writes = [set('x', `late ${index}`)]
        return entryOf(ofJoined(JOINED[1] as MemberId, operation({ by: 'A', seq: index + 1, stage, writes })))
      })
      for (const entry of late) local.add([entry])
      assert.deepEqual([...late, ...entries].map(outcomeOf), [
        ...late.map(() => 'applied'),
        ...entries.map(() => 'superseded'),
      ])
      assert.equal(local.get(X), 'late 1')
      return local.reexecutions
    })
    assert.deepEqual(costs, [2 * LENGTH, 0])
  })

  test('that had all been applied are not looked at when a late one stands over them', () => {
    const { local, conflicts, add } = newState()
    const entries = Array.from({ length: LENGTH }, (_, index) => {
      return add(operation({ by: 'C', seq: index + 1, stage: 10 + index, writes: [set('x', index)] }))
        .entries[0] as Entry
    })
    const { effects } = add(operation({ by: 'B', seq: 1, stage: 1, writes: [set('x', 'late')] }))
    assert.deepEqual([effects.executed.length, local.reexecutions, local.get(X)], [1, 0, 'late'])
    assert.deepEqual(
      effects.yielded.map((yielded) => yielded.entries),
      [entries],
    )
    assert.equal(conflicts.size, LENGTH)
    local.fold(entries, 10 + LENGTH)
    assert.ok(entries.every(({ execution }) => execution?.outcome === 'superseded'))
    assert.equal(conflicts.list().length, LENGTH)
  })

  test('that had been applied are what they are when all is executed anew, and all of it is told', () => {
    let together = 0
    for (let seed = 1; seed <= 400; seed++) together += playLate(seededRandom(seed))
    assert.ok(together > 100, `${together} times have many come to yield together`)
  })

  test('are what they are when all is executed anew, in whatever order they came, left and were settled', () => {
    for (let seed = 1; seed <= 400; seed++) playAtRandom(seededRandom(seed))
  })
})

function playAtRandom(random: Random): void {
  const { local, conflicts, add, remove } = newState()
  const waiting = shuffled(drawOperations(random), random)
  const held: Entry[] = []
  let floor = 0
  while (waiting.length > 0) {
    const batch = waiting.splice(0, 1 + (random.uint32() % 3)).filter(({ stage }) => stage > floor)
    held.push(...add(...batch.sort(compareCanonically)).entries)
    if (random.uint32() % 6 === 0) remove(...held.splice(random.uint32() % held.length, 2))
    held.sort((left, right) => compareCanonically(left.operation, right.operation))
    assertSameAsAnew(local, held, conflicts)
    if (random.uint32() % 10 > 0 || held.length < LENGTH / 2) continue
    floor = held[random.uint32() % (held.length / 2)]?.operation.stage ?? 0
    const settled = held.filter(({ operation: { stage } }) => stage <= floor)
    const kept = conflicts.list().filter(({ winner, loser }) => winner.stage <= floor && loser.stage <= floor)
    local.fold(settled, floor)
    held.splice(0, settled.length)
    // What is settled is told as it was, whatever comes later; the rest is only looked at from here on.
    add(operation({ by: 'A', seq: 1000 + floor, stage: floor + 1, writes: [set('x', 'late')] }))
    const now = new Map(conflicts.list().map((conflict) => [conflict.id, conflict]))
    for (const conflict of kept) assert.deepEqual(now.get(conflict.id), conflict)
    return
  }
}

/**
 * Most come in order, the others late; whoever listens knows the outcome of each at any time.
 * @returns how often many have come to yield together
 */
function playLate(random: Random): number {
  let together = 0
  const { local, conflicts, add, remove } = newState()
  const operations = drawOperations(random, 'C', 60)
  const isLate = new Set(operations.filter(({ id }) => id.member !== idOf('C', 1).member))
  const inOrder = operations.filter((one) => !isLate.has(one))
  const held: Entry[] = []
  const told = new Map<Entry, string>()
  const listen = ({ executed, yielded }: Effects): void => {
    together += yielded.length
    for (const { entry, after } of executed) told.set(entry, after.outcome)
    for (const { entries } of yielded) for (const entry of entries) told.set(entry, 'superseded')
  }
  const first = inOrder.splice(0, inOrder.length / 2)
  const waiting = [...first, ...interleaved(inOrder, shuffled([...isLate], random), random)]
  for (let done = 0; done < waiting.length;) {
    const batch = waiting.slice(done, done + (done < first.length ? 1 : 1 + (random.uint32() % 3)))
    done += batch.length
    const { entries, effects } = add(...batch.sort(compareCanonically))
    held.push(...entries)
    listen(effects)
    if (random.uint32() % 20 === 0) listen(remove(...held.splice(random.uint32() % held.length, 1)))
    held.sort((left, right) => compareCanonically(left.operation, right.operation))
    if (random.uint32() % 4 > 0 && done < waiting.length) continue
    assert.equal(conflicts.size, conflicts.list().length)
    for (const entry of held) assert.equal(told.get(entry), entry.execution?.outcome)
    assertSameAsAnew(local, held, conflicts)
  }
  return together
}

function interleaved<Item>(left: readonly Item[], right: readonly Item[], random: Random): Item[] {
  const [lefts, rights] = [[...left], [...right]]
  const items: Item[] = []
  while (lefts.length + rights.length > 0) {
    const [one] =
      (random.uint32() % 2 === 0 && lefts.length > 0) || rights.length === 0 ? lefts.splice(0, 1) : rights.splice(0, 1)
    if (one !== undefined) items.push(one)
  }
  return items
}

/** Mostly plain writes of C, or of B, under writes of B and A, and now and then something else. */
function drawOperations(random: Random, most?: Name, oneIn = 12): Operation[] {
  const seqs: Record<Name, number> = { A: 0, B: 0, C: 0 }
  const pick = (one: number): number => random.uint32() % one
  const isOfC = most === 'C' || pick(2) === 0
  const [many, ...others] = (isOfC ? ['C', 'B', 'A'] : ['B', 'C', 'A']) as [Name, Name, Name]
  const length = most === undefined ? LENGTH + pick(LENGTH) : 3 * LENGTH
  return Array.from({ length }, (_, index) => {
    const by: Name = pick(10) < 7 ? many : (others[pick(2)] as Name)
    const seq = (seqs[by] += 1)
    const other = (['A', 'B', 'C'] as const)[pick(3)] as Name
    const replaces = pick(oneIn / 2) === 0 && seqs[other] > 0 ? idOf(other, 1 + pick(seqs[other])) : null
    const floor = pick(oneIn) === 0 ? pick(index + 1) : 0
    const kind = pick(2 * oneIn)
    const guards = kind === 0 ? [guard('x', 'exists', true)] : []
    const writes = kind === 1 ? [write('x', 'delete')] : kind === 2 ? [set('y', 1)] : [set('x', index, replaces)]
    const more = kind === 3 ? [set('y', index)] : []
    return operation({ by, seq, stage: index + 1, floor, guards, writes: [...writes, ...more] })
  })
}

function newState(): {
  local: LocalState
  conflicts: ConflictList
  add: (...operations: Operation[]) => { entries: Entry[]; effects: Effects }
  remove: (...entries: Entry[]) => Effects
} {
  const [local, conflicts] = [new LocalState(), new ConflictList()]
  /** As the journal does: what stands behind everything is appended. */
  let last: Operation | null = null
  return {
    local,
    conflicts,
    add(...operations) {
      const entries = operations.map(entryOf)
      const [first] = operations
      const isBehind = first !== undefined && (last === null || compareCanonically(last, first) < 0)
      for (const one of operations) if (last === null || compareCanonically(last, one) < 0) last = one
      const effects = isBehind ? local.append(entries) : local.add(entries)
      conflicts.follow(effects)
      return { entries, effects }
    },
    remove(...entries) {
      for (const entry of entries) conflicts.leave(entry)
      const effects = local.remove(entries)
      conflicts.follow(effects)
      return effects
    },
  }
}

function assertSameAsAnew(local: LocalState, entries: readonly Entry[], conflicts?: ConflictList): void {
  const [anew, listed] = [new LocalState(), new ConflictList()]
  const again = entries.map(({ operation: one }) => entryOf(one))
  listed.follow(anew.append(again))
  assert.deepEqual(entries.map(summary), again.map(summary))
  assert.deepEqual(local.cell(X), anew.cell(X))
  if (conflicts !== undefined) assert.deepEqual(byId(conflicts), byId(listed))
}

function summary({ execution }: Entry): unknown {
  return [execution?.outcome, execution?.after]
}

function byId(conflicts: ConflictList): unknown[] {
  return conflicts.list().toSorted((left, right) => (left.id < right.id ? -1 : 1))
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const shuffle = [...items]
  for (let index = shuffle.length - 1; index > 0; index--) {
    const other = random.uint32() % (index + 1)
    ;[shuffle[index], shuffle[other]] = [shuffle[other] as Item, shuffle[index] as Item]
  }
  return shuffle
}

/** A founder admits a member. */
function joining(member: MemberId, stage: number): Operation {
  const join = { member, tier: stage, key: new Uint8Array() }
  const one = operation({ by: 'B', seq: stage, stage, writes: [] })
  return { ...one, join, paths: pathsMet([], one.id.member, join, null) }
}

/** The same as issued by a member that has joined with its place in the list as its tier. */
function ofJoined(member: MemberId, one: Operation): Operation {
  const id = { ...one.id, member }
  const priority = priorityOf(member, JOINED.indexOf(member) + 1)
  return { ...one, id, priority, paths: pathsMet(one.paths, member, null, null) }
}

function outcomeOf({ execution }: Entry): string {
  return execution?.outcome ?? 'none'
}

test('what has come to yield together and is folded leaves the memory, but for the conflicts that are kept', () => {
  const fleet = genesisOf(3)
  const [a, b] = [founder(fleet, 0), founder(fleet, 1)]
  const node = new DrivenReplica(fleet, 2)
  node.store()
  const [high, low] = [new HandIssuer(a, 3), new HandIssuer(b, 2)]
  const before = heap()
  const count = 8000
  for (let after: Operation | null = null, value = 1; value <= count; value++) {
    after = low.issue({ after, set: ['x', value, after?.id ?? null] })
    node.giveFrame(encodeFrame(node.replica.fleet, { kind: 'batch', batch: low.batches.at(-1)! }))
    if (value % 500 === 0) letGo(node)
  }
  high.issue({ set: ['x', 'late'] })
  node.giveMessage({ kind: 'batch', batch: high.batches[0]! })
  letGo(node)
  const { vector } = node.inspect()
  for (const member of [a, b])
    node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, member, { stage: count, vector }) })
  letGo(node)
  low.batches.length = 0
  const { journalLength, floor } = node.inspect()
  assert.deepEqual([journalLength, floor, node.replica.conflicts().length], [0, count, CONFLICTS_MAX])
  const keptBytes = heap() - before
  assert.ok(keptBytes < 2 * 1024 * 1024, `${keptBytes} bytes are kept of ${count} operations`)
})

/** What it was told is on the disk, and nobody looks at it any more. */
function letGo(node: DrivenReplica): void {
  node.store()
  node.outputs.length = 0
  node.records.length = 0
}
