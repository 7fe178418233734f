import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { rulesOfProfile } from '../../runtime/device/profiles/rules.ts'
import type { Gateway } from '../../runtime/gateway/gateway.ts'
import type { DeviceRules } from '../../runtime/state/rules/rules.ts'
import { accepted } from '../device/profile-text.ts'
import { until } from '../links/clocks.ts'
import { openPair } from './fleet.ts'

/** The profile of a pump, and one of before that let more through. */
const PUMP = profileOf('maximum: 100')
const OLD = profileOf('maximum: 255')

function profileOf(bound: string) {
  const text = `apiVersion: '1'
name: pump
deviceResources:
  - name: speed
    properties: { valueType: Uint8, readWrite: RW, ${bound} }
  - name: level
    properties: { valueType: Float32, readWrite: R }
  - name: mode
    properties: { valueType: String, readWrite: RW, optional: { enum: [auto, hand] } }
`
  return accepted(text)
}

function rulesAt({ node }: Gateway, { profile, hash }: ReturnType<typeof profileOf> = PUMP): DeviceRules {
  return rulesOfProfile(profile, node, hash)
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof FleetstepError) return error.code
    throw error
  }
  return 'none'
}

describe('the profile of a device in the fleet', () => {
  it('is applied by one gateway, and judges what every other sets', async (t) => {
    const { anna, bert } = await openPair(t)
    const receipt = anna.profiles.apply('anna', rulesAt(anna))
    assert.equal(receipt.outcome, 'applied')
    await until(() => bert.profiles.list().length === 1, 'bert has the rules')
    assert.equal(
      refusal(() => bert.state.set('anna/speed', 101)),
      'operation-invalid',
    )
    assert.equal(
      refusal(() => bert.state.set('anna/mode', 'off')),
      'operation-invalid',
    )
    assert.equal(
      refusal(() => bert.state.set('anna/level', 1)),
      'operation-refused',
    )
    assert.equal(
      refusal(() => bert.state.report('anna/level', 1)),
      'operation-refused',
    )
    assert.equal(
      refusal(() => bert.state.set('anna/other', 1)),
      'path-unknown',
    )
    assert.equal(
      refusal(() => bert.state.transaction((change) => change.toggle('anna/speed'))),
      'operation-invalid',
    )
    bert.state.set('anna/speed', 100)
    anna.state.report('anna/level', 0.5)
    await until(
      () => anna.state.get('anna/speed') === 100 && bert.state.get('anna/level') === 0.5,
      'what fits is there',
    )
  })

  it('shows which rules stand, their version, and by whom', async (t) => {
    const { anna, bert } = await openPair(t)
    await anna.profiles.apply('anna', rulesAt(anna, OLD)).settled
    await anna.profiles.apply('anna', rulesAt(anna)).settled
    await until(() => bert.profiles.list()[0]?.rules.profile.digest === PUMP.hash, 'bert has the second version')
    await until(() => bert.profiles.list()[0]?.isSettled === true, 'it is settled')
    const [standing] = bert.profiles.list()
    assert.deepEqual(
      [standing?.device, standing?.rules.node, standing?.by?.member.slice(0, 16), standing?.rules.profile.name],
      ['anna', anna.node, anna.node, 'pump'],
    )
    assert.deepEqual(anna.profiles.list()[0]?.digest, standing?.digest)
  })

  it('makes void what a gateway with an older version set without having heard: it is told why', async (t) => {
    const { anna, bert, hub } = await openPair(t)
    await anna.profiles.apply('anna', rulesAt(anna, OLD)).settled
    await until(() => bert.profiles.list().length === 1, 'bert has the old version')
    hub.cut(bert.node)
    await anna.profiles.apply('anna', rulesAt(anna)).durable
    anna.state.set('other', 1)
    anna.state.set('other', 2)
    const old = bert.state.set('other', 0)
    const receipt = bert.state.set('anna/speed', 200)
    assert.deepEqual([old.outcome, receipt.outcome, bert.state.get('anna/speed')], ['applied', 'applied', 200])
    hub.heal(bert.node)
    assert.equal(await receipt.settled, 'void')
    assert.match(receipt.reason ?? '', /anna\/speed must be from 0 to 100/)
    for (const { state } of [anna, bert]) assert.equal(state.get('anna/speed'), undefined)
  })

  it('leaves what stood before as it is, and lists it', async (t) => {
    const { anna } = await openPair(t)
    anna.state.set('anna/speed', 200)
    anna.state.set('anna/left', true)
    const before = anna.profiles.misfits('anna', rulesAt(anna))
    assert.deepEqual(
      before.map(({ path, value, code }) => [path, value, code]),
      [
        ['anna/left', true, 'unknown-point'],
        ['anna/speed', 200, 'range'],
      ],
    )
    assert.deepEqual(anna.profiles.misfits('anna'), [], 'no rules stand yet')
    anna.profiles.apply('anna', rulesAt(anna))
    assert.deepEqual(anna.profiles.misfits('anna'), before)
    anna.state.set('anna/speed', 20)
    assert.equal(anna.profiles.misfits('anna').length, 1)
    anna.profiles.remove('anna')
    assert.deepEqual([anna.profiles.list(), refusal(() => anna.state.delete('anna/left'))], [[], 'none'])
  })

  it('that another gateway applied at the same time is a conflict; the one that yielded can be applied again', async (t) => {
    const { anna, bert, hub } = await openPair(t)
    hub.cut(bert.node)
    anna.profiles.apply('pump', rulesAt(anna))
    bert.profiles.apply('pump', rulesAt(bert, OLD))
    hub.heal(bert.node)
    await until(() => bert.conflicts.list().length === 1, 'bert lists the conflict')
    const digestAt = (gateway: Gateway): Digest | undefined => gateway.profiles.list()[0]?.rules.profile.digest
    assert.deepEqual([digestAt(bert), digestAt(anna)], [PUMP.hash, PUMP.hash], 'the higher priority stands')
    const [conflict] = bert.conflicts.list()
    assert.match(conflict?.id ?? '', /:\d+@rules\/pump$/, 'a name that people can type')
    bert.conflicts.reapply(conflict?.id ?? '')
    await until(() => digestAt(anna) === OLD.hash, 'now it stands')
    assert.deepEqual(bert.conflicts.list(), [])
  })

  it('is refused by name: no device, and rules that cannot judge', async (t) => {
    const { anna } = await openPair(t)
    assert.equal(
      refusal(() => anna.profiles.apply('a/b', rulesAt(anna))),
      'operation-invalid',
    )
    const twice = [...rulesAt(anna).points, ...rulesAt(anna).points]
    assert.equal(
      refusal(() => anna.profiles.apply('a', { ...rulesAt(anna), points: twice })),
      'rules-invalid',
    )
    assert.equal(
      refusal(() => anna.state.set('\u0000rules/a', 'free')),
      'operation-invalid',
    )
  })
})
