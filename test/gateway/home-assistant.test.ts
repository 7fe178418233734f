import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadProfile } from '../../runtime/device/profiles/load.ts'
import type { DeviceProfile } from '../../runtime/device/profiles/profile.ts'
import {
  type Components,
  describedIn,
  type Discovery,
  discoveryOf,
} from '../../runtime/gateway/mirror/home-assistant.ts'
import { mirrorTopics } from '../../runtime/gateway/mirror/mirror-topics.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { accepted, profileText } from '../device/profile-text.ts'

const NODE = '0200000000000001' as NodeId
const topics = mirrorTopics('00ff', NODE)

function describeDevice(profile: DeviceProfile, before: Components = {}, isWritable: boolean = true): Components {
  return describeAll(profile, before, isWritable).cmps
}

function describeAll(profile: DeviceProfile, before: Components = {}, isWritable: boolean = true): Discovery {
  const source = {
    node: NODE,
    device: 'pump',
    profile,
    topics,
    version: '1',
    isShown: (path: string) => !path.includes('hidden'),
    mayWrite: () => isWritable,
  }
  return discoveryOf(source, before)
}

const pointOf = (properties: string, attributes: string = ''): DeviceProfile =>
  accepted(profileText(properties, attributes)).profile

describe('the discovery of Home Assistant', () => {
  it('shows an output as the device has it, and sets what is wished for', () => {
    const cmps = describeDevice(
      pointOf('valueType: Bool, readWrite: RW, optional: { safeValue: false }', 'driver: gpio, line: 17'),
    )
    assert.deepEqual(cmps, {
      point: {
        p: 'switch',
        name: 'point',
        uniq_id: `${NODE}_point`,
        stat_t: `fleet/00ff/s/${NODE}/pump/reported/point`,
        avty: [
          { t: `fleet/00ff/n/${NODE}/mirror` },
          {
            t: `fleet/00ff/q/${NODE}/pump/reported/point`,
            val_tpl: "{{ 'online' if value_json.quality not in ['bad', 'stale'] else 'offline' }}",
          },
        ],
        avty_mode: 'all',
        json_attr_t: `fleet/00ff/q/${NODE}/pump/reported/point`,
        cmd_t: `fleet/00ff/set/${NODE}/pump/point`,
        pl_on: 'true',
        pl_off: 'false',
      },
    })
  })

  it('shows a reading only while it is good, and its quality and age beside it', () => {
    const { point } = describeDevice(
      pointOf('valueType: Float32, readWrite: R, units: Cel', 'driver: system, source: cpuTemp'),
    )
    const topic = `fleet/00ff/q/${NODE}/pump/point`
    assert.deepEqual(
      [point?.['avty'], point?.['json_attr_t']],
      [
        [
          { t: `fleet/00ff/n/${NODE}/mirror` },
          { t: topic, val_tpl: "{{ 'online' if value_json.quality == 'good' else 'offline' }}" },
        ],
        topic,
      ],
    )
  })

  it('shows a point without hardware as it is set', () => {
    const { point } = describeDevice(pointOf('valueType: Uint8, readWrite: RW, units: Cel, minimum: 5, maximum: 35'))
    assert.deepEqual(
      [point?.['p'], point?.['stat_t'], point?.['min'], point?.['max'], point?.['unit_of_meas']],
      ['number', `fleet/00ff/s/${NODE}/pump/point`, 5, 35, '°C'],
    )
  })

  it('leaves out what the mirror does not publish', () => {
    const { profile } = accepted(profileText('valueType: Bool, readWrite: R').replace('name: point', 'name: hidden'))
    assert.deepEqual(describeDevice(profile), {})
  })

  it('is read only where nobody may set from here', () => {
    const { point } = describeDevice(pointOf('valueType: Bool, readWrite: RW'), {}, false)
    assert.equal(point?.['p'], 'binary_sensor')
    assert.equal(point !== undefined && 'cmd_t' in point, false)
  })

  it('offers the values of an enumeration, of texts and of numbers', () => {
    const text = describeDevice(pointOf('valueType: String, readWrite: RW, optional: { enum: [a, b] }'))
    assert.deepEqual([text['point']?.['p'], text['point']?.['ops']], ['select', ['a', 'b']])
    const numbers = describeDevice(pointOf('valueType: Uint8, readWrite: RW, optional: { enum: [1, 2] }'))
    assert.deepEqual([numbers['point']?.['p'], numbers['point']?.['ops']], ['select', ['1', '2']])
    assert.equal(numbers['point']?.['cmd_tpl'], '{{ value }}')
  })

  it('names what is gone with its platform alone, so that it is taken away', () => {
    const before = describeDevice(pointOf('valueType: Bool, readWrite: R'))
    const after = describeDevice(
      accepted(profileText('valueType: Bool, readWrite: R').replace('name: point', 'name: other')).profile,
      before,
    )
    assert.deepEqual(after['point'], { p: 'binary_sensor' })
    assert.equal(after['other']?.['p'], 'binary_sensor')
  })

  it('is read again as what there is to take away, and nothing else is', () => {
    const described = describeAll(pointOf('valueType: Bool, readWrite: R'), { old: { p: 'switch', name: 'old' } })
    assert.deepEqual(describedIn(Buffer.from(JSON.stringify(described))), { point: { p: 'binary_sensor' } })
    const component = { p: 'sensor', name: 'x' }
    for (const foreign of [
      '',
      'null',
      '[]',
      '{"o":{"name":"fleetstep"}}',
      JSON.stringify({ o: { name: 'other' }, cmps: { x: component } }),
      JSON.stringify({ o: { name: 'fleetstep' }, cmps: { x: { ...component, p: 'lock' } } }),
      JSON.stringify({ o: { name: 'fleetstep' }, cmps: [component] }).slice(0, -1),
    ]) {
      assert.equal(describedIn(Buffer.from(foreign)), null, foreign)
    }
  })

  it('gives each component one form of availability, where Home Assistant refuses two', () => {
    const whole = describeAll(loadProfile('device-profiles/greenhouse.yaml').profile)
    const ownAvailability = Object.values(whole.cmps).filter((component) => 'avty' in component)
    assert.ok(ownAvailability.length > 5, 'points with a device say for themselves whether they are there')
    // Home Assistant gives a component each shared option that it does not name itself.
    const shared = Object.entries(whole).filter(([option]) => option.startsWith('avty'))
    for (const component of Object.values(whole.cmps)) {
      const merged = { ...Object.fromEntries(shared), ...component }
      assert.equal(['avty', 'avty_t'].filter((form) => form in merged).length, 1, JSON.stringify(merged))
    }
  })

  for (const name of ['pump-station', 'greenhouse', 'raspberry-pi-5']) {
    it(`describes every point of ${name}`, () => {
      const { profile } = loadProfile(`device-profiles/${name}.yaml`)
      assert.deepEqual(
        Object.keys(describeDevice(profile)),
        profile.deviceResources.map((resource) => resource.name),
      )
    })
  }
})
