import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CHANGE_AGES_MAX } from '../../runtime/base/limits.ts'
import { ChangeAges } from '../../runtime/gateway/change-ages.ts'
import { viewPoints } from '../../runtime/gateway/point-view.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import { drivenClock } from '../device/driven-clock.ts'
import { accepted, profileText } from '../device/profile-text.ts'

const RELAY = accepted(
  profileText(
    'valueType: Float32, readWrite: RW, units: Cel',
    'driver: modbus, port: bus, primaryTable: HOLDING_REGISTERS, startingAddress: 0',
  ),
).profile

function view(values: Readonly<Record<string, Value>>, profile = RELAY): unknown {
  const points = viewPoints({
    device: 'pump',
    profile,
    get: (path) => values[path],
    changedAgoMs: () => null,
    freshness: () => null,
  })
  return points[0]
}

describe('a point as people see it', () => {
  it('is there without a value', () => {
    assert.deepEqual(view({}), { path: 'pump/point', units: 'Cel', quality: 'uncertain' })
  })

  it('shows what is wished for, what the device has, and how far it is off', () => {
    assert.deepEqual(view({ 'pump/point': 21, 'pump/reported/point': 20.7 }), {
      path: 'pump/point',
      value: 21,
      reported: 20.7,
      delta: -0.3,
      units: 'Cel',
      quality: 'uncertain',
    })
    assert.deepEqual(view({ 'pump/point': 21, 'pump/reported/point': 21 }), {
      path: 'pump/point',
      value: 21,
      reported: 21,
      units: 'Cel',
      quality: 'uncertain',
    })
  })

  it('says that what is no number differs', () => {
    const { profile } = accepted(profileText('valueType: Bool, readWrite: RW', 'driver: gpio, line: 17'))
    assert.deepEqual(view({ 'pump/point': true, 'pump/reported/point': false }, profile), {
      path: 'pump/point',
      value: true,
      reported: false,
      delta: true,
      quality: 'uncertain',
    })
  })

  it('shows the health of what it is wired to', () => {
    const health = { state: 'down', error: 'no answer' }
    assert.deepEqual(view({ 'pump/health/point': health }), {
      path: 'pump/point',
      units: 'Cel',
      health,
      quality: 'bad',
    })
  })

  it('is good when it was read lately, and uncertain when its driver is late', () => {
    const { profile } = accepted(
      profileText('valueType: Bool, readWrite: R, optional: { interval: 2s }', 'driver: gpio, line: 4'),
    )
    const qualityAfter = (readAgoMs: number): unknown => {
      const [point] = viewPoints({
        device: 'pump',
        profile,
        get: () => true,
        changedAgoMs: () => null,
        freshness: () => ({ quality: 'good', ageMs: readAgoMs }),
      })
      return [point?.quality, point?.readAgoMs]
    }
    assert.deepEqual(qualityAfter(15_000), ['good', 15_000])
    assert.deepEqual(qualityAfter(16_001), ['uncertain', 16_001])
  })
})

describe('the age of a point', () => {
  it('counts on the monotonic clock', () => {
    const clock = drivenClock()
    const ages = new ChangeAges(clock)
    const change = (path: string, after: Value | undefined, settled = false): void =>
      ages.note({ path: path as Path, before: undefined, after, settled })
    change('pump/level', 1)
    change('other/level', 1)
    clock.advance(5000)
    assert.equal(ages.of('pump/level'), 5000)
    assert.equal(ages.of('other/lamp'), null)
    change('pump/level', 1, true)
    assert.equal(ages.of('pump/level'), 5000, 'that it is settled is no change')
    change('pump/level', undefined)
    assert.equal(ages.of('pump/level'), null)
  })

  it('is remembered of the points that changed last, a bounded number', () => {
    const ages = new ChangeAges({ now: () => 1000, schedule: () => () => undefined })
    const change = (index: number, after: number | undefined): void =>
      ages.note({ path: `machine${index}/speed` as Path, before: undefined, after, settled: false })
    const isKnown = (index: number): boolean => ages.of(`machine${index}/speed`) !== null
    const all = 2 * CHANGE_AGES_MAX
    for (let index = 0; index < all; index += 1) change(index, 1)
    const known = Array.from({ length: all }, (_, index) => isKnown(index))
    const count = known.filter(Boolean).length
    assert.ok(count >= CHANGE_AGES_MAX / 2 && count <= CHANGE_AGES_MAX, `${count}`)
    assert.ok(known.slice(-count).every(Boolean))
    for (const gone of [all - 1, all - CHANGE_AGES_MAX / 2]) {
      change(gone, undefined)
      assert.equal(isKnown(gone), false)
    }
  })
})
