import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { loadProfile } from '../../runtime/device/profiles/load.ts'
import type { DeviceProfile } from '../../runtime/device/profiles/profile.ts'
import { controlHandler } from '../../runtime/gateway/control-methods.ts'
import { shippedProfile } from '../../runtime/gateway/shipped-profiles.ts'
import { openSystemSource } from '../../runtime/device/system/system-source.ts'
import { SystemDriver } from '../../runtime/device/system/system-driver.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { memoryHub } from '../../runtime/links/memory/memory-link.ts'
import { MemoryStore } from '../../runtime/storage/memory-store.ts'
import type { Change } from '../../runtime/sync/output.ts'
import { SteppedClock, until } from '../links/clocks.ts'
import { ANNA, BERT, open, openAlone, openPair } from './fleet.ts'

const PROFILE: DeviceProfile = loadProfile(shippedProfile('generic-linux')).profile

describe('telemetry of gateways', () => {
  it('is seen by the others like any point, with quality and age beside it', async (t) => {
    const { anna, bert } = await openPair(t)
    const changes: Change[] = []
    bert.state.watch('anna/**', (change) => changes.push(change))
    assert.equal(anna.state.report('anna/level', 4, { persist: 'volatile', quality: 'uncertain', ageMs: 50 }), null)
    assert.equal(anna.state.get('anna/level'), 4, 'at once here')
    await until(() => bert.state.get('anna/level') === 4, 'bert hears of it')
    assert.deepEqual(bert.state.entries('anna'), [['anna/level', 4]])
    assert.deepEqual(bert.state.entries('', 'settled'), [], 'there is nothing to settle')
    assert.deepEqual(changes, [
      { path: 'anna/level', before: undefined, after: 4, settled: false, quality: 'uncertain' },
    ])
    const [reading, ...others] = bert.telemetry.list()
    assert.deepEqual(others, [])
    const { ageMs, ...rest } = reading!
    assert.deepEqual(rest, { path: 'anna/level', value: 4, quality: 'uncertain', node: ANNA })
    assert.ok(ageMs >= 50, `${ageMs}`)
    assert.deepEqual([bert.telemetry.get('anna/level')?.value, bert.telemetry.get('anna/flow')], [4, null])
    assert.deepEqual([bert.telemetry.list('anna').length, bert.telemetry.list('ann').length], [1, 0])
  })

  it('costs no commit: not one, however much is reported, on either side', async (t) => {
    const clock = new SteppedClock()
    const hub = memoryHub({ clock })
    const [anna, bert] = [
      await open(t, ANNA, { clock, device: 'anna', links: [() => hub.link(ANNA)], profile: PROFILE }),
      await open(t, BERT, { clock, device: 'bert', links: [() => hub.link(BERT)] }),
    ]
    const driver = new SystemDriver({
      profile: PROFILE,
      source: openSystemSource(),
      clock,
      logger: silentLogger,
      onReading: (name, value) => void anna.state.report(`anna/${name}`, value),
      onTaken: (name) => anna.noteReading(name),
    })
    driver.start()
    const pass = async (untilMs: number): Promise<void> => {
      while (clock.now() < untilMs && clock.step()) await new Promise(setImmediate)
    }
    await pass(5000)
    const before = [anna, bert].map((one) => one.storage())
    for (let value = 0; value < 500; value++) {
      anna.state.report('anna/load', value % 7)
      await pass(clock.now() + 500)
    }
    driver.stop()
    await pass(clock.now() + 5000)
    for (const [index, one] of [anna, bert].entries()) {
      const { commits, bytesWritten } = one.storage()
      assert.deepEqual([commits, bytesWritten], [before[index]?.commits, before[index]?.bytesWritten])
    }
    assert.ok(clock.now() > 250_000 && driver.counters.reported >= 5, `${driver.counters.reported} readings`)
    assert.equal(bert.state.get('anna/uptime'), anna.state.get('anna/uptime'))
  })

  it('is young as long as the driver reads the same', async (t) => {
    const clock = new SteppedClock()
    const anna = await openAlone(t, { clock, device: 'anna' })
    anna.state.report('anna/level', 4, { persist: 'volatile' })
    while (clock.now() < 10_000 && clock.step()) await new Promise(setImmediate)
    const ageMs = anna.telemetry.get('anna/level')?.ageMs ?? 0
    assert.ok(ageMs >= 10_000, `${ageMs}`)
    anna.noteReading('level')
    assert.equal(anna.telemetry.get('anna/level')?.ageMs, 0)
    anna.telemetry.withdraw('anna/level')
    assert.equal(anna.state.get('anna/level'), undefined)
  })

  it('goes on while the disk is full', async (t) => {
    const storage = new MemoryStore()
    const anna = await openAlone(t, { storage, device: 'anna' })
    await anna.state.set('lamp', 1).durable
    storage.commit = async () => await Promise.reject(new FleetstepError('disk-full', 'make room'))
    anna.state.set('lamp', 2)
    await until(() => anna.storageProblem() !== null, 'the disk is found full')
    assert.throws(() => anna.state.report('anna/level', 1), /make room/)
    anna.state.report('anna/level', 1, { persist: 'volatile' })
    assert.equal(anna.state.get('anna/level'), 1)
  })

  it('is there for programs and people on the control socket', async (t) => {
    const anna = await openAlone(t, { device: 'anna' })
    anna.state.set('anna/lamp', null)
    anna.state.report('anna/level', 4n, { persist: 'volatile', quality: 'bad' })
    const call = (method: string, params = {}): unknown =>
      controlHandler(anna)(method, params, { emit: () => undefined, onEnd: () => undefined })
    assert.deepEqual(call('state.get'), { 'anna/lamp': null, 'anna/level': 4 })
    assert.equal(anna.state.get('anna/lamp'), null)
    const [reading] = call('telemetry.list', { path: 'anna/level' }) as [Record<string, unknown>]
    assert.deepEqual({ ...reading, ageMs: 0 }, { path: 'anna/level', value: 4, quality: 'bad', ageMs: 0, node: ANNA })
    assert.deepEqual(call('telemetry.list', { path: 'anna/lamp' }), [])
    const { telemetry } = call('status') as { readonly telemetry: unknown }
    assert.deepEqual(telemetry, { own: 1, others: 0, stale: 0, bytes: 0 })
  })
})

describe('a reading that is volatile', () => {
  const withOptional = (name: string, more: object): DeviceProfile => ({
    ...PROFILE,
    deviceResources: PROFILE.deviceResources.map((one) =>
      one.name === name
        ? { ...one, properties: { ...one.properties, optional: { ...one.properties.optional, ...more } } }
        : one,
    ),
  })

  it('is an operation where people may write the point too', async (t) => {
    const anna = await openAlone(t, { device: 'anna', profile: withOptional('label', { persist: 'volatile' }) })
    const receipt = anna.state.report('anna/label', 'north')
    assert.equal(receipt?.outcome, 'applied')
    assert.deepEqual(anna.telemetry.list(), [])
  })

  it('is an operation where one stands, unless the profile says that the device alone writes the point', async (t) => {
    const anna = await openAlone(t, { device: 'anna', profile: PROFILE })
    anna.state.set('hall/lamp', true)
    assert.equal(anna.state.report('hall/lamp', false, { persist: 'volatile' })?.outcome, 'applied')
    anna.state.report('anna/load', 1, { persist: 'always' })
    assert.equal(anna.inspect().paths, 2)
    const changes: Change[] = []
    anna.state.watch('anna/load', (change) => changes.push(change))
    assert.equal(anna.state.report('anna/load', 2), null)
    assert.deepEqual([anna.state.get('anna/load'), anna.telemetry.get('anna/load')?.value], [2, 2])
    assert.deepEqual(
      changes.map(({ before, after }) => [before, after]),
      [
        [1, undefined],
        [undefined, 2],
      ],
    )
  })

  it('is refused outside the profile', async (t) => {
    const anna = await openAlone(t, { device: 'anna', profile: PROFILE })
    assert.throws(() => anna.state.report('anna/load', -1), /anna\/load/)
    assert.throws(() => anna.state.report('anna/nothing', 1, { persist: 'volatile' }), /not in this device/)
  })
})
