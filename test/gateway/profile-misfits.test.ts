import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '../../runtime/base/digest.ts'
import { enforceProfile } from '../../runtime/gateway/fleet-profiles.ts'
import { correctMisfits, defaultValueAt, misfitsOf } from '../../runtime/gateway/profile-misfits.ts'
import { profileOf } from './device-rig.ts'
import { openAlone } from './fleet.ts'

const PROFILE = profileOf(
  ['speed', '', "valueType: Uint8, readWrite: RW, maximum: 60, defaultValue: '20'"],
  ['mode', '', 'valueType: String, readWrite: RW, optional: { enum: [auto, hand] }'],
  ['level', 'driver: gpio, line: 4', 'valueType: Bool, readWrite: R'],
)

describe('values that stood before a profile', () => {
  it('take its defaults where it has one, or go; also those of points that are no more', async (t) => {
    const gateway = await openAlone(t, { device: 'pump' })
    gateway.state.set('pump/speed', 200)
    gateway.state.set('pump/mode', 'off')
    gateway.state.set('pump/level', 7)
    gateway.state.set('pump/gone/long', 'x')
    gateway.useProfile(PROFILE)
    assert.equal(enforceProfile(gateway, { profile: PROFILE, hash: digestOf('x'), warnings: [] }).kind, 'in-state')
    const paths = ['pump/gone/long', 'pump/level', 'pump/mode', 'pump/speed']
    assert.deepEqual(
      misfitsOf(gateway).map(({ path }) => path),
      paths,
    )
    assert.throws(() => gateway.state.set('pump/gone/long', 1), { code: 'path-unknown' })
    const corrected = correctMisfits(gateway, 'pump')
    assert.deepEqual(
      corrected.map(({ path, now, problem }) => [path, now, problem]),
      paths.map((path) => [path, path === 'pump/speed' ? 20 : undefined, undefined]),
    )
    assert.deepEqual(misfitsOf(gateway), [])
    assert.deepEqual(gateway.state.entries('pump'), [['pump/speed', 20]])
  })

  it('are not given a default by themselves: it is the value of a set that names none', async (t) => {
    const gateway = await openAlone(t, { device: 'pump', profile: PROFILE })
    assert.deepEqual(gateway.state.entries('pump'), [])
    assert.deepEqual(
      ['pump/speed', 'pump/mode', 'pump/level', 'hall/speed'].map((path) => defaultValueAt(gateway, path)),
      [20, undefined, undefined, undefined],
    )
  })
})
