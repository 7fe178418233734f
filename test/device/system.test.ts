import assert from 'node:assert/strict'
import { freemem, totalmem, uptime } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { silentLogger, type Logger } from '../../runtime/base/logger.ts'
import type { DeviceProfile } from '../../runtime/device/profiles/profile.ts'
import { loadProfile } from '../../runtime/device/profiles/load.ts'
import { SystemDriver } from '../../runtime/device/system/system-driver.ts'
import { SYSTEM_QUANTITIES, type SystemQuantity } from '../../runtime/device/system/system-quantity.ts'
import { openSystemSource, type SystemReading, type SystemSource } from '../../runtime/device/system/system-source.ts'
import { drivenClock } from './driven-clock.ts'
import { plantTree } from './hardware-tree.ts'
import { accepted } from './profile-text.ts'

describe('the system driver', () => {
  it('reports the first reading as soon as the clock runs, not within start', () => {
    const rig = rigOf('load: valueType: Float32, optional: { interval: 2s }', 'load1')
    rig.set('load1', 0.25)
    rig.driver.start()
    assert.deepEqual(rig.takeReports(), [])
    rig.clock.advance(0)
    assert.deepEqual(rig.takeReports(), ['load 0.25'])
  })

  it('reads at the interval of the resource, and not before', () => {
    const rig = rigOf('load: valueType: Float32, optional: { interval: 2s }', 'load1')
    rig.set('load1', 1)
    rig.driver.start()
    rig.clock.advance(0)
    rig.set('load1', 2)
    rig.clock.advance(1999)
    assert.deepEqual(rig.takeReports(), ['load 1'])
    rig.clock.advance(1)
    assert.deepEqual(rig.takeReports(), ['load 2'])
    rig.clock.advance(6000)
    assert.equal(rig.driver.counters.taken, 5)
  })

  it('reads every ten seconds what names no interval', () => {
    const rig = rigOf('load: valueType: Float32', 'load1')
    rig.driver.start()
    rig.clock.advance(9999)
    assert.equal(rig.driver.counters.taken, 1)
    rig.clock.advance(1)
    assert.equal(rig.driver.counters.taken, 2)
  })

  it('keeps back a value that moved by less than the threshold since the last report, not since the last reading', () => {
    const rig = rigOf('load: valueType: Float32, optional: { interval: 1s, onChangeThreshold: 0.5 }', 'load1')
    rig.driver.start()
    for (const value of [1, 1.2, 1.4, 1.49, 1.5, 1.2, 1]) {
      rig.set('load1', value)
      rig.clock.advance(value === 1 && rig.driver.counters.taken === 0 ? 0 : 1000)
    }
    assert.deepEqual(rig.takeReports(), ['load 1', 'load 1.5', 'load 1'])
    assert.deepEqual(rig.driver.counters, { taken: 7, reported: 3, outOfRange: 0, failed: 0 })
  })

  it('reports any change where no threshold is named, and never the same value twice', () => {
    const rig = rigOf('load: valueType: Float32, optional: { interval: 1s }', 'load1')
    rig.driver.start()
    for (const value of [1, 1, 1.001, 1.001]) {
      rig.set('load1', value)
      rig.clock.advance(1000)
    }
    assert.deepEqual(rig.takeReports(), ['load 1', 'load 1.001'])
  })

  it('gives values in the unit and the type of the profile', () => {
    const rig = rigOf('free: valueType: Float32, units: MiBy, optional: { interval: 1s }', 'diskFree')
    rig.set('diskFree', 1_500_000_000)
    rig.driver.start()
    rig.clock.advance(0)
    const whole = rigOf('up: valueType: Uint32, units: min, optional: { interval: 1s }', 'uptime')
    whole.set('uptime', 89.9)
    whole.driver.start()
    whole.clock.advance(0)
    assert.deepEqual([...rig.takeReports(), ...whole.takeReports()], ['free 1430.511', 'up 1'])
  })

  it('drops and counts what is outside of the declared range, and says it once while it lasts', () => {
    const rig = rigOf('hot: valueType: Float32, maximum: 100, optional: { interval: 1s }', 'cpuTemp')
    rig.driver.start()
    for (const value of [50, 200, 201, 60, 202]) {
      rig.set('cpuTemp', value)
      rig.clock.advance(value === 50 ? 0 : 1000)
    }
    assert.deepEqual(rig.takeReports(), ['hot 50', 'hot 60'])
    assert.deepEqual(rig.driver.counters, { taken: 5, reported: 2, outOfRange: 3, failed: 0 })
    assert.deepEqual(rig.said, [
      'warn a reading of hot is dropped: must be from -3.4028234663852886e+38 to 100 (Float32), but is 200',
      'warn a reading of hot is dropped: must be from -3.4028234663852886e+38 to 100 (Float32), but is 202',
    ])
  })

  it('tells when a reading is not that of a healthy machine, and when it is again', () => {
    const rig = rigOf("bits: valueType: Uint32, assertion: '0', optional: { interval: 1s }", 'throttled')
    rig.driver.start()
    for (const value of [0, 5, 4, 0]) {
      rig.set('throttled', value)
      rig.clock.advance(rig.driver.counters.taken === 0 ? 0 : 1000)
    }
    assert.deepEqual(rig.health, ['bits up', 'bits the reading is 5, and that of a healthy device is 0', 'bits up'])
  })

  it('says once that a source is absent on this machine, and looks for it once a minute', () => {
    const rig = rigOf('hot: valueType: Float32, optional: { interval: 1s }', 'cpuTemp')
    rig.answer('cpuTemp', { kind: 'absent', reason: 'there is no sensor' })
    rig.driver.start()
    rig.clock.advance(150_000)
    assert.deepEqual(rig.said, ['info hot is left out on this machine: there is no sensor'])
    assert.deepEqual([rig.driver.counters.taken, rig.health], [0, []])
    rig.set('cpuTemp', 40)
    rig.clock.advance(29_999)
    assert.deepEqual(rig.takeReports(), [])
    rig.clock.advance(1)
    assert.deepEqual(rig.takeReports(), ['hot 40'])
    rig.set('cpuTemp', 41)
    rig.clock.advance(1000)
    assert.deepEqual(rig.takeReports(), ['hot 41'])
  })

  it('goes on asking a source that fails, or that was there once', () => {
    const rig = rigOf('free: valueType: Float32, optional: { interval: 1s }', 'diskFree')
    rig.set('diskFree', 5)
    rig.driver.start()
    rig.clock.advance(0)
    rig.answer('diskFree', { kind: 'absent', reason: 'there is no /data' })
    rig.clock.advance(2000)
    rig.answer('diskFree', { kind: 'failed', reason: '/data could not be read (EIO)' })
    rig.clock.advance(1000)
    rig.set('diskFree', 6)
    rig.clock.advance(1000)
    assert.deepEqual(rig.takeReports(), ['free 5', 'free 6'])
    assert.equal(rig.driver.counters.failed, 3)
    assert.deepEqual(rig.said, ['warn a reading of free is dropped: there is no /data'])
  })

  it('does not make up for readings that were missed while the machine slept', () => {
    const rig = rigOf('load: valueType: Float32, optional: { interval: 1s }', 'load1')
    rig.driver.start()
    rig.clock.advance(0)
    rig.clock.freeze(10_500)
    rig.clock.advance(0)
    assert.equal(rig.driver.counters.taken, 2)
    rig.clock.advance(1000)
    assert.equal(rig.driver.counters.taken, 3)
  })

  it('is silent after stop, and begins anew after another start', () => {
    const rig = rigOf('load: valueType: Float32, optional: { interval: 1s }', 'load1')
    rig.set('load1', 1)
    rig.driver.start()
    rig.clock.advance(0)
    rig.driver.stop()
    assert.equal(rig.clock.scheduled, 0)
    rig.driver.start()
    rig.clock.advance(0)
    assert.deepEqual(rig.takeReports(), ['load 1', 'load 1'])
    assert.throws(() => rig.driver.start(), /started once at a time/)
  })

  it('leaves alone what belongs to no driver or to another one', () => {
    const { profile } = accepted(
      "apiVersion: '1'\nname: t\ndeviceResources:\n  - { name: a, properties: { valueType: Bool, readWrite: RW } }\n" +
        '  - { name: b, attributes: { driver: gpio, line: 4 }, properties: { valueType: Bool, readWrite: R } }\n',
    )
    const rig = rigWith(profile)
    rig.driver.start()
    assert.equal(rig.clock.scheduled, 0)
  })
})

describe('this very machine', () => {
  it('has plausible values', () => {
    const source = openSystemSource()
    const valueOf = (quantity: SystemQuantity): number => {
      const reading = source.read(quantity, '/')
      assert.ok(reading.kind === 'value', JSON.stringify(reading))
      return reading.value
    }
    assert.ok(valueOf('load1') >= 0 && valueOf('load1') < 10_000)
    const total = totalmem()
    assert.ok(valueOf('memoryUsed') > 8 * 2 ** 20 && valueOf('memoryUsed') < total)
    assert.ok(valueOf('memoryAvailable') > freemem() / 8 && valueOf('memoryAvailable') <= total)
    assert.ok(Math.abs(valueOf('memoryUsed') + valueOf('memoryAvailable') - total) < total / 20)
    assert.ok(valueOf('diskFree') > 0)
    assert.ok(Math.abs(valueOf('uptime') - uptime()) < 60)
    const temperature = source.read('cpuTemp', '/')
    if (temperature.kind === 'value') assert.ok(temperature.value > -55 && temperature.value < 150)
    else assert.match(temperature.reason, /thermal/)
  })

  it('feeds the generic profile without a reading that is dropped', () => {
    const { profile } = loadProfile(join('device-profiles', 'generic-linux.yaml'))
    const reports: string[] = []
    const clock = drivenClock()
    const driver = new SystemDriver({
      profile,
      source: openSystemSource(),
      clock,
      logger: silentLogger,
      onReading: (name) => reports.push(name),
    })
    driver.start()
    clock.advance(60_000)
    for (const name of ['load', 'memoryUsed', 'memoryAvailable', 'diskFree', 'uptime'])
      assert.ok(reports.includes(name))
    assert.equal(driver.counters.outOfRange, 0)
    assert.equal(driver.counters.failed, 0)
  })
})

describe('a machine as its files show it', () => {
  const TREE = {
    'proc/loadavg': '0.52 0.58 0.59 1/977 12345\n',
    'proc/meminfo':
      'MemTotal:         948000 kB\nMemFree:          100000 kB\nMemAvailable:     648000 kB\nSwapTotal: 100 kB\nSwapFree:  60 kB\n',
    'proc/net/wireless':
      'Inter-| sta-|   Quality        |   Discarded packets\n face | tus | link level noise |  nwid\n wlan0: 0000   58.  -52.  -256        0\n',
    'sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq': '1500000\n',
    'sys/devices/platform/soc/soc:firmware/get_throttled': '50005\n',
    'sys/class/thermal/cooling_device0/type': 'fan\n',
    'sys/class/thermal/thermal_zone0/type': 'acpitz\n',
    'sys/class/thermal/thermal_zone0/temp': '27800\n',
    'sys/class/thermal/thermal_zone1/type': 'cpu-thermal\n',
    'sys/class/thermal/thermal_zone1/temp': '48312\n',
  }

  it('is read in bytes, degrees and counts, the temperature of the processor before any other', (context) => {
    const source = openSystemSource(plantTree(context, TREE))
    assert.deepEqual(source.read('load1', '/'), { kind: 'value', value: 0.52 })
    assert.deepEqual(source.read('memoryUsed', '/'), { kind: 'value', value: 300_000 * 1024 })
    assert.deepEqual(source.read('memoryAvailable', '/'), { kind: 'value', value: 648_000 * 1024 })
    assert.deepEqual(source.read('cpuTemp', '/'), { kind: 'value', value: 48.312 })
    assert.equal(source.read('diskFree', '/proc').kind, 'value')
    const others = ['load5', 'load15', 'memoryTotal', 'swapUsed', 'cpuFrequency', 'throttled', 'wifiSignal'] as const
    assert.deepEqual(
      others.map((quantity) => source.read(quantity, '/')).map((reading) => reading.kind === 'value' && reading.value),
      [0.58, 0.59, 948_000 * 1024, 40 * 1024, 1.5e9, 0x50005, -52],
    )
    const sizes = (['diskFree', 'diskUsed', 'diskTotal'] as const).map((quantity) => source.read(quantity, '/proc'))
    const [free, used, total] = sizes.map((reading) => (reading.kind === 'value' ? reading.value : -1))
    assert.ok(free !== undefined && used !== undefined && total !== undefined && free >= 0 && used > 0)
    assert.ok(free + used <= total)
  })

  it('takes the first sensor where none is known to be the processor', (context) => {
    const { 'sys/class/thermal/thermal_zone1/type': _, ...tree } = TREE
    assert.deepEqual(openSystemSource(plantTree(context, tree)).read('cpuTemp', '/'), { kind: 'value', value: 27.8 })
  })

  it('says what is absent', (context) => {
    const source = openSystemSource(plantTree(context, {}))
    const kinds = SYSTEM_QUANTITIES.map((quantity) => `${quantity} ${source.read(quantity, '/none').kind}`)
    assert.deepEqual(kinds, [
      'load1 absent',
      'load5 absent',
      'load15 absent',
      'memoryUsed absent',
      'memoryAvailable absent',
      'memoryTotal absent',
      'swapUsed absent',
      'diskFree absent',
      'diskUsed absent',
      'diskTotal absent',
      'uptime value',
      'cpuTemp absent',
      'cpuFrequency absent',
      'throttled absent',
      'linkQuality absent',
      'wifiSignal absent',
    ])
  })

  it('says what is there and cannot be understood', (context) => {
    const garbled = {
      'proc/loadavg': 'none\n',
      'proc/meminfo': 'MemTotal: a lot\n',
      'sys/class/thermal/thermal_zone0/temp/x': '',
    }
    const source = openSystemSource(plantTree(context, garbled))
    assert.deepEqual(source.read('load1', '/'), { kind: 'failed', reason: '/proc/loadavg holds no number' })
    assert.equal(source.read('memoryUsed', '/').kind, 'failed')
    assert.deepEqual(source.read('cpuTemp', '/'), {
      kind: 'failed',
      reason: '/sys/class/thermal/thermal_zone0/temp could not be read (EISDIR)',
    })
  })
})

/** @param point `name: properties in YAML flow form` of one read-only resource */
function rigOf(point: string, source: SystemQuantity) {
  const [, name = '', properties = ''] = /^(\w+): (.*)$/.exec(point) ?? []
  const text = [
    "apiVersion: '1'",
    'name: t',
    'deviceResources:',
    `  - name: ${name}`,
    `    attributes: { driver: system, source: ${source} }`,
    `    properties: { readWrite: R, ${properties} }`,
  ]
  return rigWith(accepted(text.join('\n')).profile)
}

function rigWith(profile: DeviceProfile) {
  const clock = drivenClock()
  const answers = new Map<SystemQuantity, SystemReading>()
  const said: string[] = []
  let reports: string[] = []
  const source: SystemSource = { read: (quantity) => answers.get(quantity) ?? { kind: 'value', value: 0 } }
  const logger: Logger = {
    ...silentLogger,
    info: (message) => said.push(`info ${message}`),
    warn: (message) => said.push(`warn ${message}`),
  }
  const onReading = (name: string, value: number): void => void reports.push(`${name} ${value}`)
  const health: string[] = []
  const onHealth = (name: string, problem: string | null): void => void health.push(`${name} ${problem ?? 'up'}`)
  return {
    clock,
    said,
    driver: new SystemDriver({ profile, source, clock, logger, onReading, onHealth }),
    health,
    answer: (quantity: SystemQuantity, reading: SystemReading) => void answers.set(quantity, reading),
    set: (quantity: SystemQuantity, value: number) => void answers.set(quantity, { kind: 'value', value }),
    takeReports(): string[] {
      const taken = reports
      reports = []
      return taken
    },
  }
}
