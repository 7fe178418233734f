import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lastOf } from '../../runtime/sync/message.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { genesisOf, set } from '../support/replica-network.ts'

const FLEET = genesisOf(2)

/** Two members of which each has heard the other, and nothing waits for a disk. */
function twoMembers(): [DrivenReplica, DrivenReplica] {
  const pair: [DrivenReplica, DrivenReplica] = [new DrivenReplica(FLEET, 0), new DrivenReplica(FLEET, 1)]
  for (const one of pair) one.store()
  for (const [one, other] of [pair, pair.toReversed()] as [DrivenReplica, DrivenReplica][]) {
    for (const announcement of one.announcementsIn(one.wait(2000)))
      other.giveMessage({ kind: 'announcement', announcement })
  }
  return pair
}

/** Carries every batch and announcement of `outputs` to `to`. */
function carry(from: DrivenReplica, outputs: ReturnType<DrivenReplica['store']>, to: DrivenReplica): void {
  for (const message of from.messagesIn(outputs)) to.giveMessage(message)
}

test('an operation that waits for its commit is never overtaken by an announcement of its stage', () => {
  const [a, b] = twoMembers()
  for (let count = 0; count < 5; count++) {
    b.issue(set('b', count))
    b.store()
  }
  a.issue(set('a', 'waits for its commit'), 60_000)
  for (const batch of b.batchesIn(b.outputs)) a.giveMessage({ kind: 'batch', batch })
  a.store()
  carry(a, a.wait(5000), b)
  assert.equal(b.inspect().floor, 0, 'nobody may order behind a floor that the waiting operation is below')
  a.wait(60_000)
  carry(a, a.store(), b)
  assert.deepEqual(
    b.outputs.filter((output) => output.kind === 'alarm'),
    [],
  )
  assert.equal(b.replica.get('a' as never), 'waits for its commit')
})

test('a snapshot says nothing of operations that are not on the disk', () => {
  const [a, b] = twoMembers()
  const large = 'x'.repeat(15_000)
  while (a.snapshot === null) {
    a.issue(set('large', large))
    // This one waits for the commit of the one before, and so does not stand on the disk when the snapshot is cut.
    a.issue(set('waits', large))
    a.store()
  }
  const recovered = { snapshot: a.snapshot, records: [], last: 1_000_000 }
  const again = new DrivenReplica(FLEET, 0, recovered)
  again.issue(set('after', 'the power cut'))
  const { record } = again.unstored.at(-1)!
  assert.ok(record.length > 0)
  again.store()
  carry(b, b.wait(5000), again)
  again.wait(1000)
  const own = again.replica.inspect(0)
  assert.equal(own.status, 'member')
  const vector = again.inspect().members.find((member) => member.isSelf)
  const last = again.inspect().journal().at(-1)
  assert.equal(last?.operation, `${again.replica.self}:${vector?.heldSeq}`)
  const before = again.inspect().journal().at(-2)
  assert.equal(last?.stage, (before?.stage ?? 0) + 1, 'it follows the last one that survived')
})

test('own operations are sent when they are on the disk, and in the order of their seqs', () => {
  const [a] = twoMembers()
  const sentAtOnce = a.batchesIn([...a.issue(set('x', 1)), ...a.issue(set('x', 2))])
  assert.deepEqual(sentAtOnce, [])
  const sent = [...a.batchesIn(a.store()), ...a.batchesIn(a.store())]
  assert.deepEqual(
    sent.map((batch) => lastOf(batch).current.id.seq),
    [1, 2],
  )
})
