import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import { openBatch } from '../../runtime/sync/batch-codec.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'

const GENESIS = { name: 'test', founders: [founder('a', 3), founder('b', 2), founder('n', 1)] }

test('a join travels as the one write of kind 5 and comes back as it was', () => {
  const sponsor = new HandIssuer(life('a'), 3)
  const join = { member: life('n', 7), tier: 5, key: new Uint8Array(32).fill(9) }
  sponsor.issue({ join })
  const [batch] = sponsor.batches
  assert.deepEqual(openBatch(batch!.payload).messages[0]?.current.join, join)
})

test('a re-issued operation names its original on the wire', () => {
  const issuer = new HandIssuer(life('a'), 3)
  const original = { kind: 'draft', id: { member: life('a', 4), seq: 2 } } as const
  issuer.issue({ set: ['x', 1], original })
  assert.deepEqual(openBatch(issuer.batches[0]!.payload).messages[0]?.current.original, original)
})

test('an operation of an unknown member waits for its join, and executes after it', () => {
  const history = founded()
  const sponsor = new HandIssuer(life('a'), 3)
  const newcomer = new HandIssuer(life('n', 7), 5)
  const join = sponsor.issue({ join: admit(newcomer.member, 5) })
  newcomer.issue({ after: join, set: ['x', 'N'] })
  assert.equal(history.receive(newcomer.batches[0]!).verdict.kind, 'wait')
  history.receive(sponsor.batches[0]!)
  assert.equal(history.local.get('x' as never), 'N')
  assert.equal(history.membership.get(newcomer.member)?.since, 1)
  assert.equal(history.waitingList.length, 0)
})

test('of several joins of one member id the first in canonical order counts, whatever the order of arrival', () => {
  const sponsors = [new HandIssuer(life('a'), 3), new HandIssuer(life('b'), 2)] as const
  const newcomer = new HandIssuer(life('n', 7), 5)
  const [early, late] = sponsors
  const before = late.issue({ set: ['q', 1] })
  const lateJoin = late.issue({ after: before, join: admit(newcomer.member, 5) })
  const earlyJoin = early.issue({ join: admit(newcomer.member, 5) })
  newcomer.issue({ after: lateJoin, set: ['x', 'N'] })
  const batches = [...early.batches, ...late.batches, ...newcomer.batches]
  for (const order of permutations(batches)) {
    const history = founded()
    for (const batch of order) history.receive(batch)
    assert.deepEqual(history.membership.get(newcomer.member)?.join, earlyJoin.id)
    assert.equal(history.membership.get(newcomer.member)?.since, 1)
    assert.equal(history.local.get('x' as never), 'N')
    assert.equal(history.journal.length, 4)
  }
})

test('operations before the place of the join that counts are void', () => {
  const history = founded()
  const sponsor = new HandIssuer(life('a'), 3)
  const newcomer = new HandIssuer(life('n', 7), 5)
  const first = sponsor.issue({ set: ['q', 1] })
  const early = newcomer.issue({ set: ['x', 'too early'] })
  const join = sponsor.issue({ after: first, join: admit(newcomer.member, 5) })
  newcomer.issue({ after: join, set: ['y', 'in time'] })
  for (const batch of [...newcomer.batches, ...sponsor.batches]) history.receive(batch)
  assert.equal(outcomeOf(history, early), 'void')
  assert.equal(history.local.get('x' as never), undefined)
  assert.equal(history.local.get('y' as never), 'in time')
})

test('an earlier join that comes late executes only the operations of its member again', () => {
  const history = founded()
  const [early, late] = [new HandIssuer(life('a'), 3), new HandIssuer(life('b'), 2)]
  const newcomer = new HandIssuer(life('n', 7), 5)
  const ground = late.issue({ set: ['ground', 0] })
  const waiting = newcomer.issue({ after: ground, set: ['x', 'N'] })
  const join = late.issue({ after: late.issue({ after: ground, set: ['q', 1] }), join: admit(newcomer.member, 5) })
  for (let index = 0; index < 50; index++) late.issue({ after: join, set: [`other/${index}`, index] })
  for (const batch of [...late.batches, ...newcomer.batches]) history.receive(batch)
  assert.equal(outcomeOf(history, waiting), 'void')
  const before = history.local.reexecutions
  early.issue({ join: admit(newcomer.member, 5) })
  history.receive(early.batches[0]!)
  assert.equal(outcomeOf(history, waiting), 'applied')
  assert.ok(history.local.reexecutions - before <= 2, 'the later join and the operation of the member')
})

test('of two clones that bring back different operations under one name, what the second wanted is for people', () => {
  const history = founded()
  const { sponsor, join, first, second } = livesOfOne()
  const original = { kind: 'operation', id: { member: life('n', 4), seq: 1 } } as const
  const once = first.issue({ set: ['x', 'one'], original })
  const other = second.issue({ after: join, set: ['x', 'other'], original })
  const told = [...sponsor.batches, ...second.batches, ...first.batches].flatMap((batch) =>
    history.receive(batch).integrations.flatMap(({ conflicts }) => conflicts),
  )
  assert.deepEqual([outcomeOf(history, once), outcomeOf(history, other)], ['applied', 'void'])
  for (const conflicts of [told, history.conflicts.list()])
    assert.deepEqual(
      conflicts.map(({ path, winner, loser }) => [path, winner.value, loser.value]),
      [['x', 'one', 'other']],
    )
})

test('an original that has come back is void when it comes again', () => {
  const history = founded()
  const { sponsor, join, first, second } = livesOfOne()
  const original = { kind: 'draft', id: { member: life('n', 4), seq: 1 } } as const
  const once = first.issue({ add: ['n', 2], original })
  const twice = second.issue({ after: join, add: ['n', 2], original })
  for (const batch of [...sponsor.batches, ...second.batches, ...first.batches]) history.receive(batch)
  assert.equal(outcomeOf(history, once), 'applied')
  assert.equal(outcomeOf(history, twice), 'void')
  assert.equal(history.local.get('n' as never), 2)
  assert.deepEqual(history.conflicts.list(), [], 'nothing is lost by it')
})

test('an original that was refused when it came back is not applied when it comes again', () => {
  const history = founded()
  const { sponsor, first, second } = livesOfOne()
  const original = { kind: 'draft', id: { member: life('n', 4), seq: 1 } } as const
  const text = first.issue({ set: ['n', 'a text'] })
  const refused = first.issue({ after: text, add: ['n', 2], original })
  const number = first.issue({ after: refused, set: ['n', 1] })
  const again = second.issue({ after: number, add: ['n', 2], original })
  for (const batch of [...sponsor.batches, ...first.batches, ...second.batches]) history.receive(batch)
  const outcomes = [refused, again].map((operation) => outcomeOf(history, operation))
  assert.deepEqual(outcomes, ['refused', 'void'])
  assert.equal(history.local.get('n' as never), 1)
})

/** Two members of one node, of which the second was let in by another one. */
function livesOfOne(): { sponsor: HandIssuer; join: Operation; first: HandIssuer; second: HandIssuer } {
  const [sponsor, first, second] = [
    new HandIssuer(life('a'), 3),
    new HandIssuer(life('n'), 1),
    new HandIssuer(life('n', 8), 1),
  ]
  return { sponsor, join: sponsor.issue({ join: admit(second.member, 1) }), first, second }
}

function founder(letter: string, tier: number): { node: never; tier: number } {
  return { node: life(letter).slice(0, 16) as never, tier }
}

function founded(): History {
  return new History(new Membership(GENESIS), 0, EMPTY_DIGEST)
}

function outcomeOf(history: History, operation: Operation): string | undefined {
  return history.journal.at(operation.stage).find((entry) => entry.operation.id.member === operation.id.member)
    ?.execution?.outcome
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  )
}
