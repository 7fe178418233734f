import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { memberIdOf } from '../../runtime/base/ids.ts'
import { createSigningKey, type SigningKey } from '../../runtime/device/identity/keys.ts'
import { epochDigest } from '../../runtime/sync/epoch.ts'
import { decodeSnapshot, encodeSnapshot } from '../../runtime/sync/snapshot.ts'
import { MemoryMedium } from '../../runtime/storage/memory-store.ts'
import { describeAlarm } from '../../runtime/gateway/gateway-alarm.ts'
import { until } from '../links/clocks.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import type { SignedFleet } from '../support/signed-fleet.ts'
import type { Offer } from '../../runtime/sync/message.ts'
import {
  agree,
  ANNA,
  attackedFleet,
  attackedPair,
  BERT,
  CARL,
  counted,
  MALLORY,
  memberOf,
  PATIENCE_MS,
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

test('a newcomer takes no values that its sponsor has made up where another member has said what the state is', async (t) => {
  const fleet = await attackedFleet(t)
  const { keys, attacker } = fleet
  const [key, medium] = [createSigningKey(), new MemoryMedium()]
  const anna = await fleet.open(ANNA)
  const bert = await fleet.open(BERT, { key, medium })
  await sees(bert, ({ status }) => status === 'member', 'bert is a member')
  const harmless = (): Uint8Array | undefined =>
    attacker
      .framesOf(ANNA, 'announcement')
      .find(({ message: { announcement } }) => announcement.state === undefined && announcement.vector !== null)?.frame
  // While the floor moves nobody states what lies below it.
  const isHarmless = (): boolean => {
    anna.state.set('lamp', 0)
    return harmless() !== undefined
  }
  await until(isHarmless, 'anna has announced no state', PATIENCE_MS)
  anna.state.set('lamp', 1)
  await settled([anna, bert], { lamp: 1 })
  const { stage } = anna.inspect().last
  const said = (): Uint8Array | undefined =>
    attacker.framesOf(ANNA, 'announcement').findLast(({ message }) => message.announcement.state?.stage === stage)
      ?.frame
  await until(() => said() !== undefined, 'anna has said what the state is', PATIENCE_MS)
  // A floor goes to the disk with the next change.
  anna.state.set('fan', 2)
  await settled([anna, bert], { lamp: 1, fan: 2 })
  await bert.close()
  await anna.closeLink('mqtt')

  // What carl hears before anybody takes him in; then bert comes, who holds what nobody has ever written.
  const carl = await fleet.open(CARL)
  await sees(carl, ({ links }) => links.length > 0, 'carl can be heard')
  await attacker.publish(`fleet/${keys.facts.id}/b/${ANNA}`, said()!)
  await sees(carl, ({ members }) => members.some(({ heardAgoMs }) => heardAgoMs !== null), 'carl has heard anna')
  medium.snapshot = { bytes: forgedDisk(medium, keys, key), through: medium.last }
  medium.records = []
  const gone = await fleet.open(BERT, { key, medium })
  assert.deepEqual([gone.state.get('lamp'), gone.inspect().floor], [666, stage])
  await sees(gone, ({ links }) => links.length > 0, 'bert can be heard')
  // He has to hear a member before he speaks; what gives him away he would not listen to.
  await attacker.publish(`fleet/${keys.facts.id}/b/${ANNA}`, harmless()!)
  await counted(carl, 'snapshot of another node: other members have another settled state')
  assert.deepEqual([carl.inspect().status, carl.state.entries()], ['draft', []])
  assert.deepEqual(carl.alarms(), [{ name: 'welcome-doubted', member: memberOf(gone), by: [keys.founder] }])
  assert.match(describeAlarm(carl.alarms()[0]!), new RegExp(`offers a settled state that ${ANNA} contradicts`))

  // When anna can speak, she takes carl in, and bert is found out.
  anna.openLink('mqtt')
  await sees(carl, ({ status }) => status === 'member', 'anna takes carl in')
  await agree([anna, carl], { lamp: 1, fan: 2 })
  const isFoundOut = (): boolean => [anna, gone].some((one) => one.alarms().some(({ name }) => name === 'divergence'))
  await until(isFoundOut, 'the difference between anna and bert is told', PATIENCE_MS)
})

/** The disk of a member, with another value of `lamp`. */
function forgedDisk({ snapshot, records, last }: MemoryMedium, keys: SignedFleet, key: SigningKey): Uint8Array {
  const enrolment = keys.enrolment(key, keys.token())
  const recovered = { snapshot: snapshot?.bytes ?? null, records, last }
  const bert = new DrivenReplica(keys.genesis, BERT, recovered, undefined, enrolment)
  bert.store()
  bert.give({ kind: 'snapshot-due' })
  bert.store()
  const held = decodeSnapshot(bert.snapshot!)
  const cells = held.cells.map(([path, cell]) => [path, path === 'lamp' ? { ...cell, value: 666 } : cell] as const)
  return encodeSnapshot({ ...held, cells })
}
