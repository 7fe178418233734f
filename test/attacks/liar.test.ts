import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { vectorDigest, type VersionEntry, versionVector } from '../../runtime/sync/version-vector.ts'
import { until } from '../links/clocks.ts'
import {
  agree,
  attackedPair,
  CARL,
  counted,
  memberOf,
  PATIENCE_MS,
  sees,
  settled,
  signEpoch,
  stillWorks,
} from '../support/attacked-fleet.ts'
import { HandIssuer } from '../support/handmade.ts'

test('a member that lies about what it holds moves no state, is seen, and is retired', async (t) => {
  const fleet = await attackedPair(t)
  const { anna, bert, attacker, keys } = fleet
  const key = createSigningKey()
  const carl = await fleet.open(CARL, { key })
  await sees(carl, ({ status }) => status === 'member', 'carl is a member')
  await settled([anna, bert, carl], { lamp: 1 })
  const self = memberOf(carl)
  await until(() => attacker.framesOf(CARL, 'announcement').length > 0, 'carl has announced', PATIENCE_MS)
  await carl.close()
  const truth = attacker.framesOf(CARL, 'announcement').at(-1)!.message.announcement
  let number = truth.number
  const lies = async (lie: Partial<Announcement>, vector: readonly VersionEntry[] | null): Promise<void> => {
    const { sealed: _, ...bare } = truth
    number += 1
    const stated = vector === null ? {} : { vector, vectorDigest: vectorDigest(versionVector(vector)) }
    const announcement = keys.signatures(key).signAnnouncement({ ...bare, number, ...stated, ...lie })
    await attacker.say(CARL, { kind: 'announcement', announcement })
  }
  const honest = anna.inspect().vector

  // It holds operations that nobody has ever issued: they are asked for in vain, ever more rarely.
  await lies({ ownSeq: 1000 }, [...honest, { member: self, seq: 1000, digest: EMPTY_DIGEST }])
  await until(() => attacker.framesOf(anna.node, 'request').length > 0, 'anna asks for them', PATIENCE_MS)
  await stillWorks({ anna, bert })
  assert.ok(attacker.framesOf(anna.node, 'request').length < 20, 'requests back off')

  // Its vector is not the one of its digest.
  await lies({ vectorDigest: EMPTY_DIGEST, vector: honest }, null)
  for (const gateway of [anna, bert]) await counted(gateway, 'announcement whose vector is not the one of its digest')

  // It holds less than it has said before: what is settled stays settled, and it is named as what the floor waits for.
  const { floor } = anna.inspect()
  await lies({ ownSeq: 1000, stage: 0, floor: 0 }, [])
  anna.state.set('fan', 4)
  await sees(anna, ({ floorHold }) => floorHold?.member === self, 'the floor waits for carl, by name')
  assert.ok(anna.inspect().floor >= floor)

  // It issues two different operations under one id.
  const batches = [1, 2].map((value) => {
    const issuer = new HandIssuer(self, 0)
    issuer.issue({ set: ['theirs', value] })
    return issuer.batches[0]!
  })
  for (const batch of batches) await attacker.say(CARL, { kind: 'batch', batch: keys.signatures(key).sign(batch) })
  for (const gateway of [anna, bert]) await until(() => gateway.alarms().length > 0, 'people are told', PATIENCE_MS)
  for (const gateway of [anna, bert])
    for (const alarm of gateway.alarms()) assert.ok('member' in alarm && alarm.member === self)

  await signEpoch(fleet, anna, { retire: [CARL] })
  anna.state.set('fan', 5)
  bert.state.set('lamp', 6)
  await agree([anna, bert], { fan: 5, lamp: 6 })
  await settled([anna, bert], { fan: 5, lamp: 6 })
  assert.equal(anna.inspect().floorDigest, bert.inspect().floorDigest)
})
