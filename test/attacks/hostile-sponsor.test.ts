import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { memberIdOf } from '../../runtime/base/ids.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { epochDigest } from '../../runtime/sync/epoch.ts'
import type { Offer } from '../../runtime/sync/message.ts'
import {
  agree,
  ANNA,
  attackedPair,
  BERT,
  CARL,
  counted,
  MALLORY,
  memberOf,
  sees,
  settled,
  signEpoch,
} from '../support/attacked-fleet.ts'

test('a newcomer is taken in by a member that is not the founder, whatever others offer it before', async (t) => {
  const fleet = await attackedPair(t)
  const { anna, bert, attacker, keys } = fleet
  await anna.close()
  await bert.closeLink('mqtt')
  const carl = await fleet.open(CARL)
  await sees(carl, ({ links }) => links.length > 0, 'carl can be heard')
  const thief = keys.signatures(createSigningKey())
  const to = memberOf(carl)
  const offer: Offer = { to, from: memberIdOf(MALLORY, 1), purpose: 'welcome', digest: EMPTY_DIGEST, size: 1e8 }
  const proven = attacker.framesOf(BERT, 'join-request')[0]!.message.request
  const sponsor = { member: proven.member, tier: proven.tier, key: proven.key, credential: proven.proof }
  const refusal = { to, from: keys.founder, reason: 'go away' }
  const forged: readonly (readonly [reason: string, offer: Offer])[] = [
    ['offer is not signed', offer],
    ['offer is not signed by its member', thief.signOffer({ ...offer, from: keys.founder })],
    ['offer of a node that is no member', thief.signOffer(offer)],
    ['offer of a node that is no member', thief.signOffer({ ...offer, sponsor })],
  ]
  for (const [, one] of forged) await attacker.say(MALLORY, { kind: 'offer', offer: one })
  await attacker.say(MALLORY, { kind: 'refusal', refusal })
  await sees(carl, (view) => view.refusal === 'go away', 'carl shows what it was told')
  for (const [reason] of forged) await counted(carl, reason)
  assert.equal(carl.inspect().dropped['offer of a node that is no member'], 2)
  assert.equal(attacker.framesOf(CARL, 'chunk-request').length, 0, 'nothing of it is fetched')
  bert.openLink('mqtt')
  await sees(carl, ({ status }) => status === 'member', 'bert takes carl in')
  assert.equal(attacker.framesOf(ANNA, 'offer').filter(({ message }) => message.offer.to === to).length, 0)
  await agree([bert, carl], { lamp: 1 })
  assert.equal(carl.inspect().refusal, null)
})

test('a newcomer believes no sponsor that was retired before its seed was made, and joins when another one comes', async (t) => {
  const fleet = await attackedPair(t)
  const { anna, bert } = fleet
  await settled([anna, bert], { lamp: 1 })
  await bert.closeLink('mqtt')
  const retiring = await signEpoch(fleet, anna, { retire: [BERT] })
  await anna.closeLink('mqtt')
  bert.openLink('mqtt')
  await sees(bert, ({ links }) => links.length > 0, 'bert can be heard')
  assert.equal(bert.inspect().epoch.number, 0, 'bert does not know that it was retired')
  const carl = await fleet.open(CARL, { epoch: { number: retiring.number, digest: epochDigest(retiring) } })
  await counted(carl, 'snapshot of another node: it is of an older epoch than the seed of this node names')
  assert.deepEqual([carl.inspect().status, carl.state.entries()], ['draft', []])
  anna.openLink('mqtt')
  await sees(carl, ({ status }) => status === 'member', 'anna takes carl in')
  await agree([anna, carl], { lamp: 1 })
})
