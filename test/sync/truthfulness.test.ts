import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { CLAIM_ANNOUNCEMENTS, CLAIM_PATIENCE_MS } from '../../runtime/base/limits.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const GENESIS = genesisOf(3)
const [LIAR, WITNESS] = [founder(GENESIS, 1), founder(GENESIS, 2)] as const
const OTHER = '0123456789abcdef' as Digest
const COUNTER = 'announcement that cannot be true'

describe('an announcement', () => {
  const contradictions: readonly (readonly [what: string, lie: Partial<Announcement>, reason: RegExp])[] = [
    ['whose floor lies above its stage', { stage: 1, floor: 2 }, /its floor 2 lies above its stage 1/],
    ['of an epoch that it does not know', { epoch: 2, newestEpoch: 1 }, /it is of epoch 2, and knows none after 1/],
    ['that holds less of itself than it has issued', { ownSeq: 9 }, /has issued 9 operations, and holds 0 of them/],
  ]
  for (const [what, lie, reason] of contradictions) {
    it(`${what} is dropped, counted, and told with its member`, () => {
      const node = member()
      const { stage, floor } = node.inspect().members.find((line) => line.member === LIAR)!
      assert.match(told(say(node, lie)), reason)
      const after = node.inspect().members.find((line) => line.member === LIAR)!
      assert.deepEqual([after.stage, after.floor, node.inspect().dropped[COUNTER]], [stage, floor, 1])
    })
  }

  for (const [what, lie, reason] of [
    ['its stage', { stage: 0, floor: 0 }, /takes back what it has said: its stage went from 1 to 0/],
    ['its floor', { floor: 0 }, /takes back what it has said: its floor went from 1 to 0/],
  ] as const) {
    it(`that takes back ${what} is dropped, counted, and told with its member`, () => {
      const node = member()
      say(node, { floor: 1 })
      assert.match(told(say(node, lie)), reason)
      assert.deepEqual([node.inspect().floorHold, node.inspect().dropped], [null, { [COUNTER]: 1 }])
    })

    it(`that takes back ${what} since a start is told too, and counts: that member is waited for`, () => {
      const node = member()
      say(node, { floor: 1 })
      assert.match(told(say(node, { ...lie, start: 2 })), reason)
      node.issue(set('x', 2))
      node.store()
      assert.equal(node.inspect().floorHold?.member, LIAR)
    })
  }

  it('that says another thing under the number of the last one is dropped, counted, and told', () => {
    const node = member()
    const one = announcementOf(node, LIAR, { floor: 1, floorDigest: node.inspect().floorDigest })
    node.giveMessage({ kind: 'announcement', announcement: one })
    assert.equal(told(node.giveMessage({ kind: 'announcement', announcement: one })), '', 'an echo is no lie')
    const another = { ...one, stage: one.stage + 3 }
    assert.match(told(node.giveMessage({ kind: 'announcement', announcement: another })), /says two things at once/)
    assert.equal(node.inspect().dropped[COUNTER], 1)
  })

  it('that takes back what it has said is answered with that: a member that was set back learns it in its own words', () => {
    const node = member()
    const [earlier, later] = [announcementOf(node, LIAR), announcementOf(node, LIAR, { stage: 0, floor: 0 })]
    node.giveMessage({ kind: 'announcement', announcement: earlier })
    const answered = Array.from({ length: 10 }, () => node.giveMessage({ kind: 'announcement', announcement: later }))
    const words = answered.flatMap((outputs) => node.announcementsIn(outputs))
    assert.deepEqual(
      words.map(({ member: who, stage }) => [who, stage]),
      [[LIAR, earlier.stage]],
      'once a second: two who believe different words of it would tell each other for ever',
    )
  })

  it('of itself with a stage that it has not reached since its start makes a node a draft: it was set back', () => {
    const node = new DrivenReplica(GENESIS, 0)
    node.store()
    node.wait(60_000)
    const [self, { stage }] = [founder(GENESIS, 0), node.inspect().last]
    const hear = (parts: Partial<Announcement>): unknown => {
      node.giveMessage({
        kind: 'announcement',
        announcement: announcementOf(node, self, { start: 1, number: 1, ...parts }),
      })
      return node.inspect().draftReason
    }
    assert.equal(hear({ stage }), null, 'an echo')
    assert.match(String(hear({ stage: stage + 3 })), /before it was set back/)
  })

  it('that claims what its issuer goes on to deny is told, with the one who claimed it', () => {
    const node = member()
    const { vector } = node.inspect()
    say(node, { vector: [...vector, { member: WITNESS, seq: 50, digest: OTHER }] })
    for (let count = 0; count < 2 * CLAIM_ANNOUNCEMENTS; count++)
      assert.equal(told(say(node, { member: WITNESS })), '', 'they may have been under way for long')
    node.wait(CLAIM_PATIENCE_MS)
    const reason = new RegExp(`${LIAR}: it holds operation 50 of .*, which has issued 0`)
    assert.match(told(say(node, { member: WITNESS })), reason)
    assert.equal(node.inspect().dropped[COUNTER], 1)
  })

  it('that claims what has come by then is none, though announcements of its issuer that are late know nothing of it', () => {
    const node = member()
    const { vector, last } = node.inspect()
    const issuer = new HandIssuer(WITNESS, GENESIS.founders[2]!.tier)
    issuer.issue({ after: { id: { member: founder(GENESIS, 0), seq: 1 }, stage: last.stage }, set: ['y', 1] })
    say(node, { vector: [...vector, { member: WITNESS, seq: 1, digest: OTHER }] })
    node.giveMessage({ kind: 'batch', batch: issuer.batches[0]! })
    node.wait(CLAIM_PATIENCE_MS)
    for (let count = 0; count < 2 * CLAIM_ANNOUNCEMENTS; count++)
      assert.equal(told(say(node, { member: WITNESS, vector })), '')
  })

  it('that claims what its issuer has announced by then is none', () => {
    const node = member()
    const { vector } = node.inspect()
    const more = [...vector, { member: WITNESS, seq: 50, digest: OTHER }]
    say(node, { vector: more })
    for (let count = 0; count < 2 * CLAIM_ANNOUNCEMENTS; count++)
      assert.equal(told(say(node, { member: WITNESS, vector: more })), '')
    assert.equal(node.inspect().dropped[COUNTER], undefined)
  })

  it('of operations that its member never sends is told after a while, and that one is waited for by name', () => {
    const node = member()
    const { vector } = node.inspect()
    const lie = { vector: [...vector, { member: LIAR, seq: 1000, digest: OTHER }] }
    for (let count = 0; count < 2 * CLAIM_ANNOUNCEMENTS; count++) assert.equal(told(say(node, lie)), '')
    node.wait(CLAIM_PATIENCE_MS)
    assert.match(
      told(say(node, lie)),
      /it has issued 1000 operations, and sends none behind 0, unless it does not hear this node/,
    )
    node.issue(set('x', 2))
    node.store()
    const { floorHold } = node.inspect()
    assert.deepEqual([floorHold?.member, floorHold?.reason], [LIAR, 'we lack operations of it'])
  })
})

/** Of a fleet of three, with one operation of its own that all have settled. */
function member(): DrivenReplica {
  const node = new DrivenReplica(GENESIS, 0)
  node.store()
  node.issue(set('x', 1))
  node.store()
  for (const other of [LIAR, WITNESS]) say(node, { member: other })
  assert.equal(node.inspect().floor, 1)
  return node
}

function say(node: DrivenReplica, { member: speaker = LIAR, ...parts }: Partial<Announcement>): readonly Output[] {
  const { floor, floorDigest } = node.inspect()
  const said = { floor, ...parts }
  const announcement = announcementOf(node, speaker, {
    ...said,
    floorDigest: said.floor === floor ? floorDigest : EMPTY_DIGEST,
  })
  return node.giveMessage({ kind: 'announcement', announcement })
}

function told(outputs: readonly Output[]): string {
  return outputs
    .flatMap((output) => (output.kind === 'alarm' && output.alarm.name === 'untrue-announcement' ? [output.alarm] : []))
    .map(({ member: who, reason }) => `${who}: ${reason}`)
    .join('\n')
}
