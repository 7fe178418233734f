import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [B, C] = [founder(FLEET, 1), founder(FLEET, 2)]

/** Two lives of `b`: each issues two operations, the first of the second life at `stage`. */
function twoLives(stage: 1 | 2): { lives: [Batch[], Batch[]]; ground: Batch } {
  const ofC = new HandIssuer(C, 1)
  const ground = ofC.issue({ set: ['ground', 1] })
  const lives = ['one', 'two'].map((name, index) => {
    const b = new HandIssuer(B, 2)
    const first = b.issue({ after: index === 1 && stage === 2 ? ground : null, set: ['x', name] })
    b.issue({ after: first, set: ['y', name] })
    return b.batches
  }) as [Batch[], Batch[]]
  return { lives, ground: ofC.batches[0]! }
}

function observer(): DrivenReplica {
  const node = new DrivenReplica(FLEET, 0)
  node.store()
  return node
}

function give(node: DrivenReplica, batches: readonly Batch[]): Output[] {
  return batches.flatMap((batch) => [...node.giveMessage({ kind: 'batch', batch }), ...node.store()])
}

/** What stands when `first` comes before `second`, with the alarms and the conflicts that are left for people. */
function standing(ground: Batch, first: readonly Batch[], second: readonly Batch[]) {
  const node = observer()
  const outputs = [...give(node, [ground]), ...give(node, first), ...give(node, second), ...give(node, second)]
  const alarms = outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm] : []))
  const held = node.inspect().vector.find(({ member }) => member === B)
  return { x: node.replica.get('x' as never), y: node.replica.get('y' as never), held, alarms, node }
}

test('of two contents under one operation id the one of higher stage stands, whichever comes first', () => {
  const { lives, ground } = twoLives(2)
  const [low, high] = lives
  for (const [first, second] of [
    [low, high],
    [high, low],
  ] as const) {
    const { x, y, held, alarms } = standing(ground, first, second)
    assert.deepEqual([x, y, held?.seq, held?.digest], ['two', 'two', 2, high[1]!.digest])
    assert.equal(alarms[0]?.name, 'identity-used-twice')
    const [alarm] = alarms
    assert.ok(alarm?.name === 'identity-used-twice')
    const known = new Set(lives.flat().map(({ digest }) => digest))
    for (const digest of alarm.digests) assert.ok(digest !== null && known.has(digest), 'both digests are evidence')
  }
})

test('of two of one stage the one of lower digest stands, whichever comes first', () => {
  const { lives, ground } = twoLives(1)
  const [one, two] = lives
  const expected = one[0]!.digest < two[0]!.digest ? one : two
  for (const [first, second] of [
    [one, two],
    [two, one],
  ] as const) {
    const { x, held } = standing(ground, first, second)
    assert.deepEqual([x, held?.digest], [expected === one ? 'one' : 'two', expected[1]!.digest])
  }
})

test('the life that does not stand leaves the journal into the conflict list, with everything later', () => {
  const { lives, ground } = twoLives(2)
  const { node } = standing(ground, lives[0], lives[1])
  const conflicts = node.replica.conflicts().map(({ path, loser }) => [path, loser.value])
  assert.deepEqual(conflicts, [
    ['x', 'one'],
    ['y', 'one'],
  ])
})

test('a longer life is asked for from where both are the same, once a batch shows that it does not follow ours', () => {
  const { lives, ground } = twoLives(2)
  const [low, high] = lives
  const node = observer()
  give(node, [ground, low[0]!])
  const vector = [
    { member: C, seq: 1, digest: ground.digest },
    { member: B, seq: 2, digest: high[1]!.digest },
  ]
  const gapsAsked = (): unknown[] => {
    const outputs = node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, C, { vector }) })
    return node.messagesIn(outputs).flatMap((message) => (message.kind === 'request' ? message.request.gaps : []))
  }
  assert.deepEqual(gapsAsked(), [], 'what lies behind is asked for soon, and nothing shows yet that it does not fit')
  give(node, [high[1]!])
  assert.deepEqual(gapsAsked(), [{ member: B, after: 0, through: 2 }])
  give(node, high)
  assert.equal(node.replica.get('x' as never), 'two')
  assert.deepEqual(gapsAsked(), [])
})
