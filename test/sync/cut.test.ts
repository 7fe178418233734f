import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { type VersionVector, versionVector } from '../../runtime/sync/version-vector.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'

const GENESIS = { name: 'test', founders: ['a', 'b', 'r'].map((letter, index) => founder(letter, 9 - index)) }

test('what was executed beyond the cut is undone: others stand as if it had never been', () => {
  const history = founded()
  const [a, r] = [new HandIssuer(life('a'), 9), new HandIssuer(life('r'), 7)]
  const first = r.issue({ set: ['x', 'r'] })
  const second = r.issue({ after: first, set: ['x', 'r again', first.id] })
  a.issue({ after: first, add: ['n', 1] })
  r.issue({ after: second, add: ['n', 10] })
  receive(history, r.batches, a.batches)
  assert.equal(history.local.get('n' as never), 11)
  const removal = cut(history, r, 1)
  assert.deepEqual(
    removal.entries.map(({ operation }) => operation.id.seq).toSorted((left, right) => left - right),
    [2, 3],
  )
  assert.equal(history.local.get('x' as never), 'r')
  assert.equal(history.local.get('n' as never), 1)
  assert.equal(history.log(r.member).held.seq, 1)
})

test('operations beyond the cut are refused when they come later', () => {
  const history = founded()
  const r = new HandIssuer(life('r'), 7)
  const first = r.issue({ set: ['x', 1] })
  r.issue({ after: first, set: ['x', 2, first.id] })
  cut(history, r, 1)
  receive(history, r.batches)
  assert.equal(history.local.get('x' as never), 1)
  assert.equal(history.receive(r.batches[1]!).verdict.kind, 'cut')
})

test('members that hung on a cut join are cut at 0, with all that they sponsored', () => {
  const { r, m, k } = chainOfJoins()
  const history = founded()
  receive(history, r.batches, m.batches, k.batches)
  assert.equal(history.local.get('k' as never), 1)
  cut(history, r, 1)
  for (const member of [m.member, k.member]) {
    assert.equal(history.membership.get(member), undefined)
    assert.equal(history.log(member).held.seq, 0)
  }
  assert.deepEqual(
    [...history.journal.entries()].map(({ operation }) => operation.id),
    [{ member: r.member, seq: 1 }],
  )
  assert.equal(history.receive(k.batches[0]!).verdict.kind, 'cut', 'and they do not come back')
})

test('a member with another join stays when one of its joins is cut', () => {
  const { r, m, k } = chainOfJoins()
  const b = new HandIssuer(life('b'), 8)
  b.issue({ join: admit(m.member, 5) })
  for (const late of [true, false]) {
    const history = founded()
    if (!late) receive(history, b.batches)
    receive(history, r.batches, m.batches, k.batches)
    cut(history, r, 1)
    if (late) receive(history, b.batches, m.batches, k.batches)
    assert.deepEqual(history.membership.get(m.member)?.join, { member: b.member, seq: 1 })
    assert.equal(history.local.get('m' as never), 1)
    assert.equal(history.local.get('k' as never), 1)
  }
})

test('an operation that follows one of a cut member waits for evidence, and no longer', () => {
  const { r, m, k } = chainOfJoins()
  const a = new HandIssuer(life('a'), 9)
  a.issue({ after: k.last, set: ['a', 1] })
  const history = founded()
  receive(history, [r.batches[0]!])
  cut(history, r, 1)
  receive(history, a.batches)
  assert.equal(history.local.get('a' as never), undefined)
  assert.equal(history.waitingList.length, 1)
  receive(history, [r.batches[1]!], m.batches)
  assert.equal(history.local.get('a' as never), 1)
  assert.equal(history.waitingList.length, 0)
})

test('replicas that learn the cut before or after the operations come to the same', () => {
  const { r, m, k } = chainOfJoins()
  const a = new HandIssuer(life('a'), 9)
  a.issue({ after: k.last, set: ['k', 'a', k.last.id] })
  const before = founded()
  cut(before, r, 1)
  receive(before, r.batches, m.batches, k.batches, a.batches)
  const after = founded()
  receive(after, a.batches, k.batches, m.batches, r.batches)
  cut(after, r, 1)
  for (const history of [before, after]) {
    assert.deepEqual(
      [...history.journal.entries()].map((entry) => [entry.operation.id.member, entry.execution?.outcome]),
      [
        [r.member, 'applied'],
        [a.member, 'applied'],
      ],
    )
    assert.equal(history.waitingList.length, 0)
  }
})

/** r admits m beyond its cut, and m admits k. */
function chainOfJoins(): { r: HandIssuer; m: HandIssuer; k: HandIssuer & { last: ReturnType<HandIssuer['issue']> } } {
  const [r, m, k] = [new HandIssuer(life('r'), 7), new HandIssuer(life('m', 1), 5), new HandIssuer(life('k', 1), 4)]
  const first = r.issue({ set: ['r', 1] })
  const join = r.issue({ after: first, join: admit(m.member, 5) })
  const work = m.issue({ after: join, set: ['m', 1] })
  const admitted = m.issue({ after: work, join: admit(k.member, 4) })
  const last = k.issue({ after: admitted, set: ['k', 1] })
  return { r, m, k: Object.assign(k, { last }) }
}

function cut(history: History, r: HandIssuer, seq: number): ReturnType<History['cut']> {
  const cuts = cutsAt(r, seq)
  const epoch = { number: 1, counting: [life('a')], retired: [r.member], signature: new Uint8Array() }
  history.retirement.restore({ epoch, before: 0, frozen: new Map(), cuts: null })
  return history.cut(cuts)
}

function cutsAt(r: HandIssuer, seq: number): VersionVector {
  const batch = r.batches[seq - 1]
  return versionVector([{ member: r.member, seq, digest: batch?.digest ?? EMPTY_DIGEST }])
}

function receive(history: History, ...groups: readonly (readonly Batch[])[]): void {
  for (const batch of groups.flat()) history.receive(batch)
}

function founder(letter: string, tier: number): { node: NodeId; tier: number } {
  return { node: life(letter).slice(0, 16) as NodeId, tier }
}

function founded(): History {
  return new History(new Membership(GENESIS), 0, EMPTY_DIGEST)
}
