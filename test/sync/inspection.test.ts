import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatOperationId, memberIdOf, type NodeId, type OperationId } from '../../runtime/base/ids.ts'
import { UNDONE_SHOWN_MAX } from '../../runtime/base/limits.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'

const FLEET = genesisOf(3)

describe('what a person sees of a replica', () => {
  test('of what waits: each operation, what is missing of it, and what has its place', () => {
    const node = new DrivenReplica(FLEET, 2)
    const [a, b] = [issuer(0), issuer(1)]
    const stranger = new HandIssuer(memberIdOf('ee00000000000001' as NodeId, 7), 1)
    const first = a.issue({ set: ['x', 1] })
    const second = a.issue({ set: ['x', 2], after: first })
    const better = a.issue({ set: ['y', 3], after: second })
    b.issue({ set: ['x', 9] })
    const beaten = b.issue({ set: ['y', 4], after: second })
    const unknown = stranger.issue({ set: ['z', 5] })
    give(node, [a.batches[1], b.batches[0], a.batches[2], b.batches[1], stranger.batches[0]])

    const { waitingList, deferredQueue } = node.inspect()
    assert.deepEqual(
      waitingList.map(({ operations, reason, waitsFor, behind }) => [operations, reason, waitsFor, behind]),
      [
        [[name(unknown.id)], 'join', name({ member: stranger.member, seq: 1 }), null],
        [[name(second.id)], 'earlier', name(first.id), null],
        [[name(better.id)], 'earlier', name(second.id), null],
      ],
    )
    assert.deepEqual(deferredQueue, [
      {
        operations: [name(beaten.id)],
        stage: beaten.stage,
        reason: 'previous',
        waitsFor: name(second.id),
        behind: name(better.id),
      },
    ])

    give(node, [a.batches[0]])
    const after = node.inspect()
    assert.deepEqual([after.waitingList.length, after.deferredQueue], [1, []], 'who has no join waits on')
  })

  test('of the waiting queue: what went through it last, and because of what', () => {
    const node = new DrivenReplica(FLEET, 2)
    const [a, b] = [issuer(0), issuer(1)]
    const counts = b.issue({ add: ['n', 1] })
    const looks = b.issue({ add: ['n', 2], after: counts })
    b.issue({ set: ['elsewhere', 1], after: looks })
    give(node, b.batches)
    assert.equal(node.inspect().lastUndo, null)

    const late = a.issue({ set: ['n', 10] })
    give(node, a.batches)
    assert.deepEqual(node.inspect().lastUndo, {
      reason: 'late',
      by: [name(late.id)],
      byCount: 1,
      undone: [counts, looks].map(({ id, stage }) => ({ operation: name(id), stage, points: ['n'] })),
      undoneCount: 2,
      togetherCount: 0,
    })

    assert.equal(node.inspect().reexecutions, 2)
  })

  test('of many that were undone the first by name, and all by number', () => {
    const node = new DrivenReplica(FLEET, 2)
    const [a, b] = [issuer(0), issuer(1)]
    let before = b.issue({ add: ['n', 1] })
    for (let turn = 0; turn < 2 * UNDONE_SHOWN_MAX; turn++) before = b.issue({ add: ['n', 1], after: before })
    give(node, b.batches)
    a.issue({ set: ['n', 10] })
    give(node, a.batches)
    const { lastUndo, reexecutions } = node.inspect()
    assert.deepEqual([lastUndo?.undone.length, lastUndo?.undoneCount], [UNDONE_SHOWN_MAX, 2 * UNDONE_SHOWN_MAX + 1])
    assert.equal(reexecutions, 2 * UNDONE_SHOWN_MAX + 1)
  })

  test('of plain writes that yield together how many they are', () => {
    const node = new DrivenReplica(FLEET, 2)
    const [a, b] = [issuer(0), issuer(1)]
    let before = b.issue({ set: ['n', 0] })
    for (let turn = 1; turn < 50; turn++) before = b.issue({ set: ['n', turn, before.id], after: before })
    give(node, b.batches)
    a.issue({ set: ['n', 'late'] })
    give(node, a.batches)
    const { lastUndo } = node.inspect()
    assert.ok(lastUndo !== null && lastUndo.togetherCount > 0)
    assert.equal(lastUndo.togetherCount + lastUndo.undoneCount, 50)
  })
})

function issuer(index: number): HandIssuer {
  return new HandIssuer(founder(FLEET, index), FLEET.founders[index]!.tier)
}

function give(node: DrivenReplica, batches: readonly (Batch | undefined)[]): void {
  for (const batch of batches) if (batch !== undefined) node.giveMessage({ kind: 'batch', batch })
}

function name(id: OperationId): string {
  return formatOperationId(id)
}
