import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { digestOf } from '../../runtime/base/digest.ts'
import { OUTPUT_END_TIMEOUT_MS } from '../../runtime/base/limits.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { rulesOfProfile } from '../../runtime/device/profiles/rules.ts'
import type { PinBackend } from '../../runtime/device/gpio/pin.ts'
import type { ModbusMaster } from '../../runtime/device/instruments/modbus-master.ts'
import { enforceProfile } from '../../runtime/gateway/fleet-profiles.ts'
import type { Freshness } from '../../runtime/gateway/point-view.ts'
import { viewRemotePoints } from '../../runtime/gateway/remote-points.ts'
import type { LinkReport } from '../../runtime/gateway/gateway.ts'
import { withLinks } from '../../runtime/gateway/machine-readings.ts'
import { memoryHub } from '../../runtime/links/memory/memory-link.ts'
import type { Value } from '../../runtime/state/value.ts'
import { SteppedClock, until } from '../links/clocks.ts'
import { drivenClock } from '../device/driven-clock.ts'
import { profileOf, startDevices } from './device-rig.ts'
import { ANNA, BERT, CARL, open, openAlone, openPair } from './fleet.ts'

const PATIENCE_MS = 40_000

const RELAY = profileOf([
  'relay',
  "driver: gpio, line: 17, dwell: '100ms'",
  'valueType: Bool, readWrite: RW, optional: { safeValue: false }',
])
const SETTLED_RELAY = profileOf([
  'relay',
  "driver: gpio, line: 17, drive: settled, dwell: '0ms'",
  'valueType: Bool, readWrite: RW, optional: { safeValue: false }',
])

describe('devices below a gateway', () => {
  it('report their inputs, and follow the state with their outputs', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    const profile = profileOf(
      ['door', 'driver: gpio, line: 4, activeLow: true', 'valueType: Bool, readWrite: R'],
      ['relay', "driver: gpio, line: 17, dwell: '0ms'", 'valueType: Bool, readWrite: RW'],
    )
    const { pins } = startDevices(t, gateway, profile)
    await until(() => gateway.state.get('hall/door') === true, 'the first reading', PATIENCE_MS)
    pins.setLevel('soc', 4, true)
    assert.equal(gateway.state.get('hall/door'), false)
    gateway.state.set('hall/relay', true)
    await until(() => pins.level('soc', 17), 'the relay follows', PATIENCE_MS)
    await until(() => gateway.state.get('hall/reported/relay') === true, 'it says what it has', PATIENCE_MS)
    assert.deepEqual(gateway.state.get('hall/health/relay'), { state: 'up' })
    assert.deepEqual(gateway.state.get('hall/health/door'), { state: 'up' })
  })

  it('never give an output what its profile forbids, whoever has put it into the state', async (t) => {
    const { anna, bert } = await openPair(t)
    const { pins, writes } = startDevices(t, anna, RELAY)
    bert.state.set('anna/relay', true)
    await until(() => pins.level('soc', 17), 'the relay follows another member', PATIENCE_MS)
    bert.state.set('anna/relay', 'on')
    await until(() => !pins.level('soc', 17), 'it is safe while the state holds nonsense', PATIENCE_MS)
    assert.deepEqual(
      writes.map(({ value }) => value),
      [false, true, false],
    )
  })

  it('make a relay for which two gateways fight follow the state, at most once in a dwell, and never chatter', async (t) => {
    const { anna, bert } = await openPair(t)
    const { pins, writes } = startDevices(t, anna, RELAY)
    await until(() => writes.length === 1, 'it is safe', PATIENCE_MS)
    for (let round = 0; round < 24; round++) {
      anna.state.set('anna/relay', true)
      bert.state.set('anna/relay', false)
      const settled = bert.state.set('anna/relay', round % 2 === 0).settled
      if (round % 10 === 0) await settled
      await new Promise((resolve) => setImmediate(resolve))
    }
    const last = bert.state.set('anna/relay', true)
    await last.settled
    await until(() => anna.state.settled('anna/relay') === bert.state.settled('anna/relay'), 'both agree', PATIENCE_MS)
    await until(() => pins.level('soc', 17) === anna.state.settled('anna/relay'), 'the relay has it', PATIENCE_MS)
    for (const [index, { at }] of writes.entries()) {
      // Timers of the machine fire no earlier than asked for, but for a rounded millisecond.
      if (index > 0) assert.ok(at - (writes[index - 1]?.at ?? 0) >= 99, `change ${index} came too soon`)
    }
  })

  it('move a settled relay only when no member can overturn it: not at all while the others are cut off', async (t) => {
    const { anna, bert, hub } = await openPair(t)
    const { writes } = startDevices(t, anna, SETTLED_RELAY)
    await anna.state.set('anna/relay', true).settled
    await until(() => writes.at(-1)?.value === true, 'it follows what is settled', PATIENCE_MS)
    hub.cut(BERT)
    const before = writes.length
    const alone = anna.state.set('anna/relay', false)
    await alone.durable
    bert.state.set('anna/relay', true)
    for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(writes.length, before, 'it stays while it could be overturned')
    hub.heal(BERT)
    await alone.settled
    await until(() => writes.at(-1)?.value === anna.state.settled('anna/relay'), 'it follows', PATIENCE_MS)
  })

  it('are safe when they end', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    const { devices, pins } = startDevices(t, gateway, RELAY)
    gateway.state.set('hall/relay', true)
    await until(() => pins.level('soc', 17), 'the relay follows', PATIENCE_MS)
    await devices.stop()
    assert.equal(pins.level('soc', 17), false)
    assert.equal(gateway.state.get('hall/relay'), true, 'what is wanted stays wanted')
    assert.equal(gateway.state.get('hall/reported/relay'), false, 'and the state says what it has')
  })

  it('are safe while no link is up', async (t) => {
    const { anna } = await openPair(t)
    const profile = profileOf([
      'relay',
      "driver: gpio, line: 17, dwell: '0ms', safeAfter: '200ms'",
      'valueType: Bool, readWrite: RW, optional: { safeValue: false }',
    ])
    const { pins } = startDevices(t, anna, profile)
    anna.state.set('anna/relay', true)
    await until(() => pins.level('soc', 17), 'the relay follows', PATIENCE_MS)
    const [link] = anna.links()
    assert.ok(link)
    await anna.closeLink(link.name)
    await until(() => !pins.level('soc', 17), 'it is safe', PATIENCE_MS)
    assert.equal(anna.state.get('anna/reported/relay'), false)
    anna.openLink(link.name)
    await until(() => pins.level('soc', 17), 'it follows again', PATIENCE_MS)
  })

  it('say what is wrong with a line in the state of their node, and go on when it is mended', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    let isBroken = true
    const profile = profileOf(['door', 'driver: gpio, line: 4', 'valueType: Bool, readWrite: R'])
    const { pins } = startDevices(t, gateway, profile, {
      openPins: () =>
        Promise.resolve({
          name: 'simulated',
          openInput: async (request, events) => {
            const { FleetstepError } = await import('../../runtime/base/errors.ts')
            if (isBroken) throw new FleetstepError('gpio-unusable', 'line 4 is in use')
            return await pins.openInput(request, events)
          },
          openOutput: async (request) => await pins.openOutput(request),
        }),
    })
    const down = { state: 'down', error: 'line 4 is in use' }
    await until(() => gateway.state.get('hall/health/door') !== undefined, 'the trouble is told', PATIENCE_MS)
    assert.deepEqual(gateway.state.get('hall/health/door'), down)
    isBroken = false
    await until(() => gateway.state.get('hall/door') === false, 'it is read', PATIENCE_MS)
    assert.deepEqual(gateway.state.get('hall/health/door'), { state: 'up' })
  })
})

describe('devices whose profile is replaced', () => {
  it('stay as they are where both profiles have them, and are safe where the new one has not', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    const relay = (name: string, line: number) =>
      [
        name,
        `driver: gpio, line: ${line}, dwell: '0ms'`,
        'valueType: Bool, readWrite: RW, optional: { safeValue: false }',
      ] as const
    const { devices, pins } = startDevices(t, gateway, profileOf(relay('pump', 17), relay('fan', 18)))
    gateway.state.set('hall/pump', true)
    gateway.state.set('hall/fan', true)
    await until(() => pins.level('soc', 17) && pins.level('soc', 18), 'both follow', PATIENCE_MS)
    await devices.use(profileOf(relay('pump', 17), relay('lamp', 20)))
    assert.equal(pins.level('soc', 18), false)
    gateway.state.set('hall/lamp', true)
    await until(() => pins.level('soc', 20), 'the new one follows', PATIENCE_MS)
    assert.deepEqual(pins.changes('soc', 17), [true], 'the one that both have has never moved')
    gateway.state.set('hall/pump', false)
    await until(() => !pins.level('soc', 17), 'and it still follows', PATIENCE_MS)
  })

  it('are guarded also until their lines are open again', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    const relay = [
      'relay',
      'driver: gpio, line: 17',
      'valueType: Bool, readWrite: RW, optional: { safeValue: false }',
    ] as const
    const file = join(mkdtempSync(join(tmpdir(), 'fleetstep-line-')), 'value')
    t.after(() => rmSync(dirname(file), { recursive: true, force: true }))
    writeFileSync(file, '1')
    const clock = drivenClock()
    let opened = 0
    const pin = { read: () => true, write: () => undefined, hold: () => ({ file, text: '0' }), close: () => undefined }
    // The second one waits for its chip.
    const openOutput = () => (++opened === 1 ? Promise.resolve(pin) : new Promise<never>(() => undefined))
    const pins: PinBackend = { name: 'simulated', openInput: () => Promise.reject(new Error('no input')), openOutput }
    const { devices } = startDevices(t, gateway, profileOf(relay), { clock, openPins: () => Promise.resolve(pins) })
    const opens = async (count: number): Promise<void> =>
      await until(() => {
        clock.advance(10)
        return opened === count
      }, `the line is opened ${count} times`)
    await opens(1)
    await devices.use(profileOf(relay, ['other', 'driver: gpio, line: 18', 'valueType: Bool, readWrite: RW']))
    await opens(2)
    const stopping = devices.stop()
    clock.advance(OUTPUT_END_TIMEOUT_MS)
    await stopping
    await until(() => readFileSync(file, 'utf8') === '0', 'the guard has made it safe', PATIENCE_MS)
  })

  it('stay safe while no link is up', async (t) => {
    const { anna } = await openPair(t)
    const relay = [
      'relay',
      "driver: gpio, line: 17, dwell: '0ms', safeAfter: '200ms'",
      'valueType: Bool, readWrite: RW, optional: { safeValue: false }',
    ] as const
    const { devices, pins, writes } = startDevices(t, anna, profileOf(relay))
    anna.state.set('anna/relay', true)
    await until(() => pins.level('soc', 17), 'the relay follows', PATIENCE_MS)
    const [link] = anna.links()
    assert.ok(link)
    await anna.closeLink(link.name)
    await until(() => !pins.level('soc', 17), 'it is safe', PATIENCE_MS)
    const writesBefore = writes.length
    await devices.use(profileOf(relay, ['door', 'driver: gpio, line: 4', 'valueType: Bool, readWrite: R']))
    await until(() => writes.length > writesBefore, 'the line is opened again', PATIENCE_MS)
    assert.equal(writes[writesBefore]?.value, false)
  })
})

describe('devices on a Modbus line whose profile is replaced', () => {
  it('are not said to be down by a request of the profile before', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    const coil = (name: string, address: number) =>
      [
        name,
        `driver: modbus, port: line, primaryTable: COILS, startingAddress: ${address}, retries: 0`,
        'valueType: Bool, readWrite: W',
      ] as const
    const refusals: ((error: Error) => void)[] = []
    let isAnswering = false
    const openModbus = async (): Promise<ModbusMaster> =>
      await Promise.resolve({
        read: () => Promise.reject(new Error('nothing is read')),
        writeCoil: async () =>
          isAnswering ? undefined : await new Promise<void>((_resolve, reject) => refusals.push(reject)),
        writeRegisters: () => Promise.reject(new Error('there are none')),
        close: () => Promise.resolve(),
      })
    const { devices } = startDevices(t, gateway, profileOf(coil('lamp', 3)), {
      ports: { openModbus, open: () => assert.fail('no line of text') },
    })
    gateway.state.set('hall/lamp', true)
    await until(() => refusals.length > 0, 'it is being set', PATIENCE_MS)
    isAnswering = true
    await devices.use(profileOf(coil('lamp', 3), coil('fan', 4)))
    await until(() => gateway.state.get('hall/health/lamp') !== undefined, 'it is set', PATIENCE_MS)
    refusals[0]?.(new Error('unit 1 gives no answer'))
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    assert.deepEqual(gateway.state.get('hall/health/lamp'), { state: 'up' })
  })
})

describe('outputs that a new profile has not, and that do not take their safe value', () => {
  it('are named, since nobody drives them any more', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    const fan = [
      'fan',
      'driver: modbus, port: line, primaryTable: COILS, startingAddress: 4, retries: 0',
      'valueType: Bool, readWrite: W, optional: { safeValue: false }',
    ] as const
    const warnings: string[] = []
    const { devices } = startDevices(t, gateway, profileOf(fan), {
      logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
    })
    await until(() => gateway.state.get('hall/health/fan') !== undefined, 'it is down', PATIENCE_MS)
    await devices.use(profileOf(['door', 'driver: gpio, line: 4', 'valueType: Bool, readWrite: R']))
    assert.match(
      warnings.find((message) => message.includes('safe value')) ?? '',
      /^fan did not take its safe value where the profile before had it/,
    )
  })
})

describe('the view of the points', () => {
  it('says how far a reading can be relied on, and how old it is, by the own clock alone', async (t) => {
    const profile = profileOf(
      ['door', 'driver: gpio, line: 4', 'valueType: Bool, readWrite: R, optional: { interval: 100ms }'],
      ['level', 'driver: system, source: linkQuality', 'valueType: Float32, readWrite: R, units: "%"'],
      ['label', '', 'valueType: String, readWrite: RW'],
    )
    const gateway = await openAlone(t, { device: 'hall', profile })
    const viewOf = (name: string) => gateway.points().find(({ path }) => path === `hall/${name}`)
    assert.deepEqual(
      ['door', 'level', 'label'].map((name) => viewOf(name)?.quality),
      ['uncertain', 'uncertain', undefined],
    )
    startDevices(t, gateway, profile)
    await until(() => viewOf('door')?.quality === 'good', 'it is read', PATIENCE_MS)
    const changedAgoMs = viewOf('door')?.changedAgoMs ?? 0
    await until(() => (viewOf('door')?.changedAgoMs ?? 0) > changedAgoMs + 200, 'some time has passed', PATIENCE_MS)
    assert.ok((viewOf('door')?.readAgoMs ?? Infinity) < (viewOf('door')?.changedAgoMs ?? 0), 'it was read again since')
    gateway.state.report('hall/health/door', { state: 'down', error: 'line 4 is in use' })
    assert.equal(viewOf('door')?.quality, 'bad')
  })

  it('knows the quality of the links of a gateway', () => {
    let reports: LinkReport[] = []
    const source = withLinks({ read: () => ({ kind: 'absent', reason: 'no machine' }) }, () => reports)
    const report = (name: string, state: 'up' | 'connecting', frames: number, dropped: number): LinkReport => ({
      name,
      isOpen: true,
      state,
      cause: null,
      peer: '',
      counters: {
        framesSent: frames,
        framesReceived: 0,
        bytesSent: 0,
        bytesReceived: 0,
        dropped: { noise: dropped },
        reconnects: 0,
      },
    })
    const quality = () => source.read('linkQuality', '/')
    assert.deepEqual(quality(), { kind: 'failed', reason: 'this gateway has no link' })
    reports = [report('serial', 'up', 90, 10)]
    assert.deepEqual(quality(), { kind: 'value', value: 90 })
    reports = [report('serial', 'up', 90, 10)]
    assert.deepEqual(quality(), { kind: 'value', value: 100 }, 'an idle line has lost nothing since')
    reports = [report('serial', 'up', 120, 20), report('mqtt', 'connecting', 0, 0)]
    assert.deepEqual(quality(), { kind: 'value', value: 37.5 })
    assert.equal(source.read('load1', '/').kind, 'absent')
  })
})

describe('the view of the points of another device', () => {
  it('has what its node reports, with its age here and how far it can be relied on', async (t) => {
    const profile = profileOf(
      ['door', 'driver: gpio, line: 4', 'valueType: Bool, readWrite: R'],
      ['relay', "driver: gpio, line: 17, dwell: '0ms'", 'valueType: Bool, readWrite: RW'],
    )
    const { anna, bert } = await openPair(t)
    assert.throws(() => bert.pointsOf('anna'), /nothing says which points anna has: no device has its profile/)
    const hash = digestOf('profile')
    assert.equal(enforceProfile(anna, { profile, hash, warnings: [] }).kind, 'in-state')
    startDevices(t, anna, profile)
    anna.state.set('anna/relay', true)
    const viewOf = (name: string) => bert.pointsOf('anna').find(({ path }) => path === `anna/${name}`)
    await until(() => bert.profiles.list().length === 1, 'the profile has come', PATIENCE_MS)
    await until(() => viewOf('relay')?.reported === true, 'what is reported has come', PATIENCE_MS)
    await until(() => viewOf('relay')?.quality === 'good', 'its node says of what age it is', PATIENCE_MS)
    await until(() => viewOf('door')?.quality === 'good', 'and the contact too', PATIENCE_MS)
    const { changedAgoMs, readAgoMs, quality, ...relay } = viewOf('relay') ?? {}
    assert.deepEqual(relay, {
      path: 'anna/relay',
      value: true,
      reported: true,
      health: { state: 'up' },
    })
    assert.equal(quality, 'good')
    assert.ok(changedAgoMs !== undefined && changedAgoMs >= 0 && readAgoMs !== undefined && readAgoMs >= 0)
    assert.deepEqual([viewOf('door')?.value, viewOf('door')?.quality], [false, 'good'])
    anna.state.report('anna/health/door', { state: 'down', error: 'line 4 is in use' })
    await until(() => viewOf('door')?.quality === 'bad', 'the trouble has come', PATIENCE_MS)
  })

  it('says what its node says of the age of a value, and is uncertain where nobody says so', () => {
    const profile = profileOf(['door', 'driver: gpio, line: 4', 'valueType: Bool, readWrite: R, units: Cel'])
    const rules = rulesOfProfile(profile, BERT, digestOf('profile'))
    const viewWith = (fresh: Freshness | null, health?: Value) => {
      const get = (path: string) => (path === 'd/door' ? true : health)
      const [point] = viewRemotePoints({ device: 'd', rules, get, changedAgoMs: () => 5, freshness: () => fresh })
      return [point?.quality, point?.readAgoMs, point?.units]
    }
    assert.deepEqual(viewWith({ quality: 'good', ageMs: 86_400_000 }), ['good', 86_400_000, 'Cel'])
    assert.deepEqual(viewWith({ quality: 'stale', ageMs: 9 }), ['stale', 9, 'Cel'])
    assert.deepEqual(viewWith(null), ['uncertain', undefined, 'Cel'])
    assert.deepEqual(viewWith({ quality: 'good', ageMs: 9 }, { state: 'down', error: 'x' }), ['bad', 9, 'Cel'])
  })

  it('makes nothing younger than it is: what comes late, by another node, is of no age until its own node is heard', async (t) => {
    const clock = new SteppedClock()
    const hub = memoryHub({ clock })
    const fleet = { name: 'three', founders: [ANNA, BERT, CARL].map((node) => ({ node, tier: 0 })) }
    const open3 = async (node: NodeId) => await open(t, node, { fleet, clock, links: [() => hub.link(node)] })
    const [anna, bert, carl] = [await open3(ANNA), await open3(BERT), await open3(CARL)]
    hub.cut(CARL)
    const pass = async (durationMs: number): Promise<void> => {
      const untilMs = clock.now() + durationMs
      while (clock.now() < untilMs && clock.step()) await new Promise(setImmediate)
    }
    await pass(1000)
    const readAt = clock.now()
    assert.notEqual(anna.state.report('pump/level', 4), null, 'it is an operation')
    await pass(5000)
    const fresh = bert.telemetry.freshness('pump/level')
    assert.deepEqual([fresh?.quality, fresh?.node, fresh?.ageMs], ['good', ANNA, Math.round(clock.now() - readAt)])
    hub.cut(ANNA)
    await pass(600_000)
    hub.heal(CARL)
    await pass(60_000)
    assert.equal(carl.state.get('pump/level'), 4, 'bert has passed it on')
    assert.equal(carl.telemetry.freshness('pump/level'), null)
    assert.equal(bert.telemetry.freshness('pump/level')?.quality, 'stale')
    hub.heal(ANNA)
    await pass(60_000)
    const told = carl.telemetry.freshness('pump/level')
    const ageMs = clock.now() - readAt
    assert.equal(told?.quality, 'good')
    assert.ok(Math.abs(told.ageMs - ageMs) <= 1, `${told.ageMs} of ${ageMs}`)
  })
})
