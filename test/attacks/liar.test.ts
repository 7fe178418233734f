import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { connectAsync } from 'mqtt'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { parseOperationId } from '../../runtime/base/ids.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { statusText } from '../../runtime/cli/status-text.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import type { Gateway } from '../../runtime/gateway/gateway.ts'
import { statusOf } from '../../runtime/gateway/inspection.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import type { Announcement, Message } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { vectorDigest, type VersionEntry, versionVector } from '../../runtime/sync/version-vector.ts'
import { until } from '../links/clocks.ts'
import {
  agree,
  ANNA,
  attackedFleet,
  attackedPair,
  type AttackedFleet,
  BERT,
  CARL,
  counted,
  linkTo,
  memberOf,
  PATIENCE_MS,
  sees,
  settled,
  signEpoch,
  stillWorks,
} from '../support/attacked-fleet.ts'
import { HandIssuer } from '../support/handmade.ts'

const UNTRUE = 'announcement that cannot be true'

// Each has a fleet and a broker of its own, and waits for most of its time.
describe('a member that lies about what it holds', { concurrency: true }, () => {
  it('and says to hold more than there is, moves nothing, is named, and is waited for until it is retired', async (t) => {
    const { fleet, anna, bert, self, say, honest } = await lyingCarl(t)
    // What it says of itself does not fit together: nothing of it counts.
    await say({ ownSeq: 1000 }, honest)
    await say({ floor: 1e6 }, honest)
    await say({ epoch: 7 }, honest)
    await namedBy([anna, bert], self, 3)
    await say({ vectorDigest: EMPTY_DIGEST, vector: honest }, null)
    for (const gateway of [anna, bert]) await counted(gateway, 'announcement whose vector is not the one of its digest')
    assert.equal(anna.inspect().floorHold, null)
    // Operations of its own that it has never issued: they are asked for in vain, ever more rarely.
    await say({ ownSeq: 1000 }, [...honest, { member: self, seq: 1000, digest: EMPTY_DIGEST }])
    await until(() => fleet.attacker.framesOf(anna.node, 'request').length > 0, 'anna asks for them', PATIENCE_MS)
    await stillWorks({ anna, bert })
    assert.ok(fleet.attacker.framesOf(anna.node, 'request').length < 20, 'requests back off')
    await sees(anna, ({ floorHold }) => floorHold?.member === self, 'the floor waits for carl, by name')
    assert.match(
      statusText(statusOf(anna)),
      /floor +[0-9]+, waiting for gateway 0c00000000000001, last heard .*: operations of it are missing here/,
    )
    await signEpoch(fleet, anna, { retire: [CARL] })
    await settled([anna, bert], { lamp: 2, fan: 3 })
    assert.equal(anna.inspect().floorDigest, bert.inspect().floorDigest)
  })

  it('and says to hold less than before, takes nothing back, and is named', async (t) => {
    const { fleet, anna, bert, self, truth, say, honest } = await lyingCarl(t)
    const { floor } = anna.inspect()
    await say({ stage: 0, floor: 0 }, [])
    await say({ floor: 0 }, honest)
    await namedBy([anna, bert], self, 2)
    assert.deepEqual([anna.inspect().floor, anna.inspect().floorHold], [floor, null])
    // As if it had been started again, on an older disk: it is waited for, and what is settled stays so.
    await say({ start: truth.start + 1, stage: 0, floor: 0 }, [])
    await namedBy([anna, bert], self, 3)
    anna.state.set('fan', 4)
    await sees(anna, ({ floorHold }) => floorHold?.member === self, 'the floor waits for carl, by name')
    await settled([anna, bert], { lamp: 1 })
    assert.ok(anna.inspect().floor >= floor)
    await signEpoch(fleet, anna, { retire: [CARL] })
    await settled([anna, bert], { fan: 4, lamp: 1 })
  })

  it('and says one thing to one member and another to another, is named by both', async (t) => {
    const fleet = await attackedFleet(t)
    const other = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
    t.after(() => other.close())
    const anna = await fleet.open(ANNA, { links: [linkTo(fleet.port), linkTo(other.port, 'other')] })
    const bert = await fleet.open(BERT, { links: [linkTo(other.port)] })
    await sees(bert, ({ status }) => status === 'member', 'bert is a member')
    anna.state.set('lamp', 1)
    const { truth, self, sign } = await lying(fleet, anna, bert)
    const root = `fleet/${fleet.keys.facts.id}/b/${CARL}`
    const elsewhere = await connectAsync(`mqtt://127.0.0.1:${other.port}`, { protocolVersion: 4, reconnectPeriod: 0 })
    t.after(() => elsewhere.end(true))
    const number = truth.number + 1
    const [one, another] = [sign({ number }), sign({ number, stage: truth.stage + 5 })]
    await fleet.attacker.say(CARL, one)
    await elsewhere.publishAsync(root, Buffer.from(encodeFrame(fleet.keys.facts.id, another)))
    await namedBy([anna, bert], self, 1)
    for (const gateway of [anna, bert])
      assert.match(String(Object.values(gateway.alarms()[0]!)), /it says two things at once/)
    bert.state.set('lamp', 9)
    await agree([anna, bert], { lamp: 9 })
  })

  it('and issues two operations under one id, is named, and can be retired', async (t) => {
    const { fleet, anna, bert, self, key } = await lyingCarl(t)
    const { operation, stage } = anna.inspect().last
    const after = { id: parseOperationId(operation ?? '')!, stage }
    const batches = [1, 2].map((value) => {
      const issuer = new HandIssuer(self, 0)
      issuer.issue({ set: ['theirs', value], after })
      return issuer.batches[0]!
    })
    const signatures = fleet.keys.signatures(key)
    for (const batch of batches) await fleet.attacker.say(CARL, { kind: 'batch', batch: signatures.sign(batch) })
    for (const gateway of [anna, bert]) {
      await until(() => gateway.alarms().length > 0, 'people are told', PATIENCE_MS)
      for (const alarm of gateway.alarms()) assert.ok('member' in alarm && alarm.member === self)
    }
    await signEpoch(fleet, anna, { retire: [CARL] })
    anna.state.set('fan', 5)
    bert.state.set('lamp', 6)
    // One of the two stands, as far as both had it: the same with all.
    const isInStep = (): boolean => {
      const [ofAnna, ofBert] = [anna, bert].map(({ state }) => Object.fromEntries(state.entries('', 'settled')))
      return ofAnna?.['fan'] === 5 && ofAnna['lamp'] === 6 && isDeepStrictEqual(ofAnna, ofBert)
    }
    await until(isInStep, 'both have settled the same', PATIENCE_MS)
    assert.equal(anna.inspect().floorDigest, bert.inspect().floorDigest)
  })
})

type Lying = Awaited<ReturnType<typeof lying>>

/** Anna and bert in step, and whoever speaks as carl, a member that has joined and gone. */
async function lyingCarl(t: TestContext): Promise<Lying & { anna: Gateway; bert: Gateway; honest: VersionEntry[] }> {
  const fleet = await attackedPair(t)
  const { anna, bert } = fleet
  const liar = await lying(fleet, anna, bert)
  return { ...liar, anna, bert, honest: [...anna.inspect().vector] }
}

async function lying(fleet: AttackedFleet, anna: Gateway, bert: Gateway) {
  const { attacker, keys } = fleet
  const key = createSigningKey()
  const carl = await fleet.open(CARL, { key })
  await sees(carl, ({ status }) => status === 'member', 'carl is a member')
  await settled([anna, bert, carl], { lamp: 1 })
  const self = memberOf(carl)
  for (const gateway of [anna, bert, carl])
    await sees(gateway, ({ floor, last }) => floor === last.stage, 'all is settled')
  await carl.close()
  const truth = attacker.framesOf(CARL, 'announcement').at(-1)!.message.announcement
  let { number } = truth
  const sign = (lie: Partial<Announcement>): Message => {
    const { sealed: _, ...bare } = truth
    return { kind: 'announcement', announcement: keys.signatures(key).signAnnouncement({ ...bare, ...lie }) }
  }
  const say = async (lie: Partial<Announcement>, vector: readonly VersionEntry[] | null): Promise<void> => {
    number += 1
    const stated = vector === null ? {} : { vector, vectorDigest: vectorDigest(versionVector(vector)) }
    await attacker.say(CARL, sign({ number, ...stated, ...lie }))
  }
  return { fleet, key, self, truth, sign, say }
}

/**
 * Each of them has counted at least so many announcements of a member as untrue, and shows that with its name, and no other. Those
 * who believe different words of it tell them each other.
 */
async function namedBy(gateways: readonly Gateway[], member: string, count: number): Promise<void> {
  for (const gateway of gateways) {
    await counted(gateway, UNTRUE, count)
    const shown = statusText(statusOf(gateway))
    assert.ok(Number(new RegExp(`\n +(\\d+) +${UNTRUE}\n`).exec(shown)?.[1]) >= count, shown)
    assert.match(shown, new RegExp(`\n +untrue-announcement: ${member} announces what cannot be true: `))
    for (const alarm of gateway.alarms()) assert.ok('member' in alarm && alarm.member === member)
  }
}
