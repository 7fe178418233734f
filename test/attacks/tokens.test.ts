import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NodeId } from '../../runtime/base/ids.ts'
import { proveClaim } from '../../runtime/device/identity/enrolment.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { describeAlarm } from '../../runtime/gateway/gateway-alarm.ts'
import { until } from '../links/clocks.ts'
import {
  agree,
  ANNA,
  attackedFleet,
  attackedPair,
  BERT,
  CARL,
  DORA,
  linkTo,
  MALLORY,
  memberOf,
  PATIENCE_MS,
  sees,
  settled,
  signEpoch,
  standing,
} from '../support/attacked-fleet.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { MemoryMedium } from '../../runtime/storage/memory-store.ts'
import { silentLogger } from '../../runtime/base/logger.ts'

const DAY = 86_400

// Each has a fleet and a broker of its own, and waits for most of its time.
describe('a token of enrolment', { concurrency: true }, () => {
  it('a stolen token lets nobody in once it has expired, is used up, or was revoked; a new one does', async (t) => {
    const fleet = await attackedFleet(t)
    const { keys } = fleet
    const clock = { seconds: 10 * DAY }
    const anna = await fleet.open(ANNA, { seconds: () => clock.seconds })
    const [expired, single, revoked] = [keys.token({ expiresAt: 10 * DAY }), keys.token({ uses: 1 }), keys.token()]
    const bert = await fleet.open(BERT, { token: single, seconds: () => clock.seconds })
    await sees(bert, ({ status }) => status === 'member', 'bert is a member')
    await signEpoch(fleet, anna, { revoke: [revoked.token.id] })
    await sees(bert, ({ epoch }) => epoch.number === 1, 'bert knows what was revoked')
    const members = anna.inspect().members.length
    const cases = [
      [expired, /its token [0-9a-f]{16} has expired/],
      [single, /its token [0-9a-f]{16} is used up: 1 of 1/],
      [revoked, /its token [0-9a-f]{16} was revoked/],
      [keys.token({}, createSigningKey()), /the token is not signed by the operator/],
      [null, /it has no token/],
    ] as const
    const comeAndGo = async ([token, reason]: (typeof cases)[number], index: number): Promise<void> => {
      const thief = await fleet.open(`1${index}00000000000001` as NodeId, { token })
      await sees(thief, ({ refusal }) => refusal !== null, `it is refused: ${String(reason)}`)
      assert.match(thief.inspect().refusal ?? '', reason)
      assert.equal(thief.inspect().status, 'draft')
      await thief.close()
    }
    await Promise.all(cases.map(comeAndGo))
    assert.equal(anna.inspect().members.length, members)
    const told = (reason: RegExp): boolean =>
      anna.inspect().candidates.some(({ refusal }) => reason.test(refusal ?? ''))
    for (const [, reason] of cases)
      await until(() => told(reason), `the operator is shown who was refused: ${String(reason)}`, PATIENCE_MS)
    const carl = await fleet.open(CARL, { token: keys.token() })
    await sees(carl, ({ status }) => status === 'member', 'a new token lets carl in')
  })

  it('a stolen token lets nobody in where the clock stands at 1970, once anybody has joined by a later one', async (t) => {
    const fleet = await attackedFleet(t)
    const { keys } = fleet
    const [stolen, later] = [keys.token({ expiresAt: 10 * DAY }), keys.token({ issuedAt: 11 * DAY })]
    const medium = new MemoryMedium()
    const before = await fleet.open(ANNA, { seconds: () => 0, medium })
    const bert = await fleet.open(BERT, { token: later, seconds: () => 0 })
    await sees(bert, ({ status }) => status === 'member', 'bert is a member')
    await settled([before, bert], {})
    await before.close()
    await bert.close()
    // What anna has seen outlives her: it stands in the state.
    const anna = await fleet.open(ANNA, { seconds: () => 0, medium })
    const thief = await fleet.open(MALLORY, { token: stolen, seconds: () => 0 })
    await sees(thief, ({ refusal }) => refusal !== null, 'it is refused')
    assert.match(thief.inspect().refusal ?? '', /its token [0-9a-f]{16} has expired/)
    assert.equal(anna.inspect().members.length, 2)
  })

  it('a second key for a member id is refused, and everybody is told', async (t) => {
    const fleet = await attackedPair(t)
    const { anna, bert, attacker, keys } = fleet
    const before = [standing(anna), standing(bert)]
    const thief = createSigningKey()
    const member = memberOf(bert)
    const claim = { fleet: keys.facts.id, member, tier: 0, key: thief.publicKey }
    const proof = proveClaim(claim, thief, keys.token())
    const request = { member, tier: 0, key: thief.publicKey, proof, epoch: 0 }
    await attacker.say(BERT, { kind: 'join-request', request })
    await until(() => anna.alarms().length > 0, 'anna has raised an alarm', PATIENCE_MS)
    const [alarm] = anna.alarms()
    assert.equal(alarm?.name, 'second-key')
    assert.match(describeAlarm(alarm), /to which another key is bound: two nodes use one identity/)
    assert.equal(fleet.log.filter((line) => line.includes('another key is bound')).length, 1)
    assert.deepEqual({ ...standing(anna), alarms: [] }, before[0])
    assert.deepEqual(standing(bert), before[1])
  })

  it('each side of a split lets in as many as a token has uses; after the heal all stand, and all are told', async (t) => {
    const fleet = await attackedFleet(t)
    const { keys } = fleet
    const other = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
    t.after(() => other.close())
    const token = keys.token({ uses: 2 })
    const anna = await fleet.open(ANNA)
    const bert = await fleet.open(BERT, { token })
    await sees(bert, ({ status }) => status === 'member', 'bert is a member')
    await bert.closeLink('mqtt')
    bert.addLink(linkTo(other.port, 'other'))
    const carl = await fleet.open(CARL, { token })
    const dora = await fleet.open(DORA, { token, links: [linkTo(other.port)] })
    for (const gateway of [carl, dora])
      await sees(gateway, ({ status }) => status === 'member', 'each side lets one in')
    assert.deepEqual([anna.alarms(), bert.alarms()], [[], []])
    bert.openLink('mqtt')
    const all = [anna, bert, carl, dora]
    anna.state.set('lamp', 1)
    dora.state.set('fan', 2)
    await agree(all, { lamp: 1, fan: 2 })
    for (const gateway of all) {
      await until(() => gateway.alarms().length > 0, 'each is told', PATIENCE_MS)
      assert.deepEqual(gateway.alarms(), [{ name: 'token-overused', token: token.token.id, used: 3, uses: 2 }])
    }
    assert.match(describeAlarm(anna.alarms()[0]!), /3 member ids have joined with token [0-9a-f]{16}, which is for 2/)
    const late = await fleet.open('0e00000000000001' as NodeId, { token })
    await sees(late, ({ refusal }) => refusal !== null, 'nobody else gets in')
    assert.match(late.inspect().refusal ?? '', /is used up: 3 of 2/)
  })
})
