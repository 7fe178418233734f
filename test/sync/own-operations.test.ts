import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lastOf, type Message } from '../../runtime/sync/message.ts'
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

/** Carries every message of `outputs` that is not lost to `to`. */
function carry(
  from: DrivenReplica,
  outputs: ReturnType<DrivenReplica['store']>,
  to: DrivenReplica,
  isLost: (message: Message) => boolean = () => false,
): void {
  for (const message of from.messagesIn(outputs)) if (!isLost(message)) to.giveMessage(message)
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
  const a = new DrivenReplica(FLEET, 0, undefined, 2000)
  a.store()
  while (a.snapshot === null) {
    a.issue(set('first', 'x'.repeat(100)))
    // This one waits for the commit of the one before, and so does not stand on the disk when the snapshot is cut.
    a.issue(set('waits', 'x'.repeat(100)))
    a.store()
  }
  const again = new DrivenReplica(FLEET, 0, { snapshot: a.snapshot, records: [], last: a.lastStored })
  const { last } = again.inspect()
  assert.ok(a.inspect().last.stage > last.stage)
  again.issue(set('after', 'the power cut'))
  const [before, own] = again.inspect().journal().slice(-2)
  assert.deepEqual([before?.operation, before?.stage], [last.operation, last.stage])
  assert.equal(own?.stage, last.stage + 1, 'it follows the last one that survived')
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

test('a node that starts again says nothing of its own before it has heard what the others hold of it', () => {
  const [a, b] = twoMembers()
  const backup = { snapshot: null, records: [...a.records], last: a.lastStored }
  a.issue(set('x', 'after the backup'))
  carry(a, a.store(), b)
  b.store()
  b.wait(60_000)
  const restored = new DrivenReplica(FLEET, 0, backup)
  restored.store()
  restored.issue(set('x', 'in a second life'))
  restored.store()
  const [short] = b.announcementsIn(b.wait(60_000))
  assert.ok(short)
  restored.giveMessage({ kind: 'announcement', announcement: { ...short, vector: null } })
  restored.issue(set('x', 'and more'))
  assert.deepEqual(restored.batchesIn([...restored.store(), ...restored.wait(100)]), [])
  converse(restored, b, 5000)
  assert.equal(restored.inspect().status, 'draft')
  assert.deepEqual(restored.batchesIn(restored.outputs), [])
  assert.equal(b.replica.get('x' as never), 'after the backup')
})

test('what was stored and not sent before a power cut reaches the others, also if they are silent about details', () => {
  const [a, b] = twoMembers()
  converse(a, b, 60_000)
  a.issue(set('x', 'stored, and the power goes'))
  a.store()
  const again = new DrivenReplica(FLEET, 0, { snapshot: null, records: a.records, last: a.lastStored })
  let lost = 0
  converse(again, b, 120_000, (message) => {
    if (message.kind !== 'announcement') return false
    const { vector, member } = message.announcement
    const isLost = member === b.replica.self && vector !== null && lost < 6
    if (isLost) lost += 1
    return isLost
  })
  assert.equal(lost, 6)
  assert.equal(b.replica.get('x' as never), 'stored, and the power goes')
})

/** What keeps coming while a gap of somebody else is open. */
const NOISE = ['duplicates', 'new operations'] as const

for (const noise of NOISE) {
  test(`a gap is asked for also while ${noise} of another member keep coming`, () => {
    const fleet = genesisOf(3)
    const [a, b, c] = [0, 1, 2].map((index) => new DrivenReplica(fleet, index)) as [
      DrivenReplica,
      DrivenReplica,
      DrivenReplica,
    ]
    for (const one of [a, b, c]) one.store()
    for (const one of [a, b]) {
      for (const announcement of c.announcementsIn(c.wait(2000)))
        one.giveMessage({ kind: 'announcement', announcement })
      for (let count = 0; count < 300; count++) {
        one.issue(set(one.replica.self.slice(0, 2), count))
        one.store()
      }
    }
    const [first, , third] = a.batchesIn(a.outputs)
    assert.ok(first && third)
    for (const batch of [first, third]) c.giveMessage({ kind: 'batch', batch })
    const requests: Message[] = []
    for (const batch of b.batchesIn(b.outputs)) {
      const outputs = [
        ...c.wait(20),
        ...c.giveMessage({ kind: 'batch', batch: noise === 'duplicates' ? first : batch }),
      ]
      requests.push(...c.messagesIn(outputs).filter(({ kind }) => kind === 'request'))
    }
    assert.ok(requests.length > 0)
  })
}

/** Lets both hear each other, and their disks write, until `durationMs` is over. */
function converse(
  one: DrivenReplica,
  other: DrivenReplica,
  durationMs: number,
  isLost: (message: Message) => boolean = () => false,
): void {
  const pair = [
    [one, other],
    [other, one],
  ] as const
  const now = Math.max(one.now, other.now)
  for (const [node] of pair) node.now = now
  for (let elapsed = 0; elapsed < durationMs; elapsed += 10) {
    for (const [from, to] of pair) carry(from, [...from.wait(10), ...from.store()], to, isLost)
  }
}
