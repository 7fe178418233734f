import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { DEVICE_RETRY_MIN_MS, INSTRUMENT_PAUSE_MS } from '../../runtime/base/limits.ts'
import { bindAll, boundTo } from '../../runtime/device/drivers/bound.ts'
import { LineDriver } from '../../runtime/device/instruments/line-driver.ts'
import type { InstrumentPortEvents } from '../../runtime/device/instruments/serial-port.ts'
import type { DeviceProfile } from '../../runtime/device/profiles/profile.ts'
import { InstrumentPorts } from '../../runtime/gateway/devices/instrument-ports.ts'
import { profileOf } from '../gateway/device-rig.ts'
import { realClock, until } from '../links/clocks.ts'
import { PTY_SKIP, startPtyLine } from '../support/pty-line.ts'
import { drivenClock } from './driven-clock.ts'
import { driverLog } from './driver-log.ts'

const PATIENCE_MS = 60_000

describe('an instrument that speaks lines', () => {
  it('is asked at its interval, and its answer is found between echo and chatter', async () => {
    const rig = rigOf(
      point(
        'level',
        'request: "LEVEL?\\r\\n", response: "L=([0-9.]+) cm"',
        'valueType: Float32, readWrite: R, optional: { interval: 1s }',
      ),
    )
    rig.instrument = (text) => [`${text.trim()}\r\n`, '# warming up\r\n', 'L=12', '.5 cm\r\n']
    await rig.run(3000)
    assert.deepEqual(rig.sent(), ['LEVEL?\r\n', 'LEVEL?\r\n', 'LEVEL?\r\n', 'LEVEL?\r\n'])
    assert.deepEqual(rig.log.readings, ['level 12.5'])
    assert.deepEqual(rig.log.health.get('level'), { state: 'up' })
  })

  it('is asked again before it counts as down, and then with growing pauses', async () => {
    const rig = rigOf(
      point(
        'level',
        'request: "?\\n", response: "([0-9]+)", timeoutMs: 100, retries: 2',
        'valueType: Uint16, readWrite: R, optional: { interval: 500ms }',
      ),
    )
    rig.instrument = () => ['E04 sensor\n']
    await rig.run(499)
    assert.deepEqual([rig.sent().length, rig.log.health.get('level')], [3, undefined])
    await rig.run(1)
    assert.match(
      rig.log.error('level'),
      /^no answer that fits, but "E04 sensor", to "\?\\n" within 100 ms: check the wiring/,
    )
    rig.sent()
    await rig.run(60_000)
    const asked = rig.sent().length
    assert.ok(asked < 20, `a dead instrument is asked ${asked} times in a minute`)
    rig.instrument = () => ['7\n']
    await rig.run(40_000)
    assert.deepEqual([rig.log.values.get('level'), rig.log.health.get('level')], [7, { state: 'up' }])
  })

  it('gives no reading to another request when it answers too late', async () => {
    const numbers = 'response: "([0-9.]+)", timeoutMs: 100, retries: 1'
    const properties = 'valueType: Float32, readWrite: R, optional: { interval: 1s }'
    const rig = rigOf(
      point('volts', `request: "V?\\n", ${numbers}`, properties),
      point('amperes', `request: "A?\\n", ${numbers}`, properties),
    )
    rig.instrument = (text) => (text === 'V?\n' ? ['230\n'] : ['16\n'])
    rig.answersAfterMs = 140
    await rig.run(10_000)
    assert.deepEqual(rig.log.readings, [])
    assert.match(rig.log.error('amperes'), /^no answer to "A\?\\n" within 100 ms/)
    rig.answersAfterMs = 90
    await rig.run(60_000)
    assert.deepEqual(
      [...rig.log.values],
      [
        ['volts', 230],
        ['amperes', 16],
      ],
    )
  })

  it('is set without waiting for all repetitions of a request that nobody answers', async () => {
    const rig = rigOf(
      point(
        'level',
        'request: "?\\n", response: "([0-9]+)", timeoutMs: 100, retries: 5',
        'valueType: Uint16, readWrite: R',
      ),
      point('valve', 'command: "V{value}\\n", timeoutMs: 100', 'valueType: Bool, readWrite: W'),
    )
    await rig.run(50)
    let answer: string | null | undefined
    rig.driver.write('valve', false, (problem) => (answer = problem))
    await rig.run(160)
    assert.deepEqual([rig.sent(), answer], [['?\n', 'Vfalse\n', '?\n'], null])
    await rig.run(2000)
    assert.deepEqual([rig.sent().length, rig.log.health.get('level')?.state], [4, 'down'])
  })

  it('is not waited for when the gateway ends', async () => {
    const rig = rigOf(
      point('valve', 'command: "V{value}\\n", confirmation: "OK", timeoutMs: 100', 'valueType: Bool, readWrite: W'),
    )
    await rig.run(0)
    let answer: string | null | undefined
    rig.driver.write('valve', true, (problem) => (answer = problem))
    await rig.run(110)
    await rig.driver.close()
    await rig.run(0)
    assert.deepEqual([answer, rig.scheduled()], ['the gateway ends', 0])
  })

  it('may tell by itself, and is down when no line fits for three intervals', async () => {
    const rig = rigOf(
      point(
        'weight',
        'response: "W ([-+ 0-9.]+)kg"',
        'valueType: Float32, readWrite: R, optional: { interval: 1s, onChangeThreshold: 0.5 }',
      ),
      point('unit', 'response: "W .*(kg|lb)"', 'valueType: String, readWrite: R, assertion: kg'),
    )
    await rig.run(INSTRUMENT_PAUSE_MS)
    for (const text of ['W + 1.0kg\r\n', 'W + 1.2kg\r\n', 'noise\r\n', 'W + 1.6kg\r\n', 'W + 9.9lb\r\n']) rig.tell(text)
    assert.deepEqual(rig.log.readings, ['weight 1', 'unit kg', 'weight 1.6', 'unit lb'])
    assert.equal(rig.log.error('unit'), 'the reading is "lb", and that of a healthy device is kg')
    await rig.run(2999)
    assert.equal(rig.log.health.get('weight')?.state, 'up')
    await rig.run(2)
    assert.match(rig.log.error('weight'), /^no line that fits has come for 3 s/)
    rig.tell('W + 2.5kg\r\n')
    assert.equal(rig.log.health.get('weight')?.state, 'up')
  })

  it('takes no reading from the rest of a line that had begun before its port was open', async () => {
    const rig = rigOf(point('weight', 'response: "([0-9.]+)"', 'valueType: Float32, readWrite: R'))
    await rig.run(INSTRUMENT_PAUSE_MS - 1)
    for (const text of ['2.5\r', '\n', '112.5\r\n']) rig.tell(text)
    assert.deepEqual(rig.log.readings, ['weight 112.5'])
    rig.tell('9')
    rig.unplug('gone')
    await rig.run(DEVICE_RETRY_MIN_MS + INSTRUMENT_PAUSE_MS)
    assert.equal(rig.opened(), 2)
    rig.tell('113.5\r\n')
    assert.deepEqual(rig.log.readings, ['weight 112.5', 'weight 113.5'], 'a line that comes later is whole')
  })

  it('drops lines without end, and those that its pattern could not be tried on', async () => {
    const rig = rigOf(point('weight', 'response: "W ([0-9.]+)"', 'valueType: Float32, readWrite: R'))
    await rig.run(INSTRUMENT_PAUSE_MS)
    rig.tell(`W ${'1'.repeat(300)}\n`)
    for (let round = 0; round < 100; round++) rig.tell('1'.repeat(1000))
    rig.tell('W 3\nW 4\n')
    assert.deepEqual(rig.log.readings, ['weight 4'], 'what follows a line without end belongs to it')
  })

  it('is set by a command, and what confirms it is waited for', async () => {
    const rig = rigOf(
      point(
        'valve',
        'command: "VALVE {value}\\n", confirmation: "OK", timeoutMs: 100, retries: 1, mappings: { OPEN: "true", SHUT: "false" }',
        'valueType: Bool, readWrite: W',
      ),
      point('speed', 'command: "S{value}\\n"', 'valueType: Float32, readWrite: W, scale: 0.1'),
    )
    rig.instrument = (text) => (text.includes('SHUT') ? ['ERR\n'] : ['OK\n'])
    await rig.run(0)
    assert.equal(await rig.write('valve', true), null)
    assert.equal(await rig.write('speed', 12.5), null)
    assert.match((await rig.write('valve', false)) ?? '', /^no answer that fits, but "ERR"/)
    assert.deepEqual(rig.sent(), ['VALVE OPEN\n', 'S125\n', 'VALVE SHUT\n', 'VALVE SHUT\n'])
    assert.equal(rig.log.health.get('valve')?.state, 'down')
  })

  it('ends its lines as a point says that listens to them', async () => {
    const rig = rigOf(
      point('lamp', 'command: "{value}\\r"', 'valueType: Bool, readWrite: W'),
      point('level', 'response: "L=([0-9]+)", terminator: "\\r"', 'valueType: Uint16, readWrite: R'),
    )
    await rig.run(INSTRUMENT_PAUSE_MS)
    rig.tell('L=7\r')
    assert.equal(rig.log.values.get('level'), 7)
  })

  it('is told text as it is, whatever characters are in it', async () => {
    const rig = rigOf(point('text', 'command: "SAY {value}!\\n"', 'valueType: String, readWrite: W'))
    assert.equal(await rig.write('text', "5$ & $$, $& $` $'"), null)
    assert.deepEqual(rig.sent(), ["SAY 5$ & $$, $& $` $'!\n"])
  })

  it('is never told text that it would take for something else', async () => {
    const rig = rigOf(point('text', 'command: "SAY {value}\\r\\n"', 'valueType: String, readWrite: W'))
    for (const text of ['a\r\nRESET', 'a\nRESET', '5 €'])
      assert.match((await rig.write('text', text)) ?? '', /cannot be told to the instrument/)
    assert.deepEqual(rig.sent(), [])
  })

  it('is told the word that stands for a number, however the profile writes that', async () => {
    const rig = rigOf(
      point(
        'speed',
        'command: "S {value}\\n", mappings: { SLOW: "0.50", FAST: "2.0" }',
        'valueType: Float32, readWrite: W',
      ),
    )
    for (const value of [0.5, 2, 3]) assert.equal(await rig.write('speed', value), null)
    assert.deepEqual(rig.sent(), ['S SLOW\n', 'S FAST\n', 'S 3\n'])
  })

  it('gives whole numbers beyond 2^53 as they are', async () => {
    const rig = rigOf(
      point('energy', 'response: "E=([+0-9]+)"', 'valueType: Uint64, readWrite: R'),
      point('sum', 'response: "S=([-0-9]+)"', 'valueType: Int64, readWrite: R'),
    )
    await rig.run(0)
    rig.tell('E=18446744073709551615\nE=+9007199254740993\nS=-9007199254740995\nS=12\n')
    assert.deepEqual([rig.log.values.get('energy'), rig.log.values.get('sum')], [9007199254740993n, 12])
  })

  it('is down when its port is gone, and is asked again when that is back', async () => {
    const rig = rigOf(
      point(
        'level',
        'request: "?\\n", response: "([0-9]+)"',
        'valueType: Uint16, readWrite: R, optional: { interval: 1s }',
      ),
    )
    rig.instrument = () => ['5\n']
    await rig.run(1000)
    rig.unplug('/dev/ttyUSB0 is gone: the adapter was unplugged; plug it in again')
    assert.match(rig.log.error('level'), /ttyUSB0 is gone/)
    await rig.run(60_000)
    assert.deepEqual(rig.log.health.get('level'), { state: 'up' })
    assert.ok(rig.opened() === 2, `the port was opened ${rig.opened()} times`)
  })
})

// socat makes the terminals.
describe('an instrument that speaks lines on a terminal', { skip: PTY_SKIP }, () => {
  it('is read and set through the real library, and found again after its plug was pulled', async (t: TestContext) => {
    const line = await startPtyLine(['gateway', 'instrument'], { baud: 115_200 })
    t.after(async () => await line.end())
    const bindings = boundTo(
      bindAll(
        profileOf(
          point(
            'level',
            'request: "?\\r\\n", response: "L([0-9]+)", timeoutMs: 5000',
            'valueType: Uint16, readWrite: R, optional: { interval: 100ms }',
          ),
        ),
      ),
      'serial',
    )
    const ports = new InstrumentPorts({ port: line.device('gateway') })
    const log = driverLog()
    let level = 41
    const instrument = ports.open(
      { port: line.device('instrument'), baudRate: 115_200, parity: 'none', dataBits: 8, stopBits: 1 },
      {
        opened: () => undefined,
        data: (bytes) => {
          if (Buffer.from(bytes).includes('?')) instrument.write(Buffer.from(`L${level}\r\n`))
        },
        gone: () => undefined,
      },
    )
    t.after(async () => await instrument.close())
    const driver = new LineDriver({
      bindings,
      openPort: (settings, events) => ports.open(settings, events),
      clock: realClock,
      events: log.events,
    })
    t.after(async () => await driver.close())
    driver.start()
    await until(() => log.values.get('level') === 41, 'it is read', PATIENCE_MS)
    await line.unplug('gateway')
    await until(() => log.health.get('level')?.state === 'down', 'it is down', PATIENCE_MS)
    level = 42
    await line.plugIn('gateway')
    await until(() => log.values.get('level') === 42, 'it is read again', PATIENCE_MS)
    assert.deepEqual(log.health.get('level'), { state: 'up' })
  })
})

function point(name: string, attributes: string, properties: string): [string, string, string] {
  return [name, `driver: serial, port: port, ${attributes}`, properties]
}

function rigOf(...points: readonly [string, string, string][]) {
  const profile: DeviceProfile = profileOf(...points)
  const clock = drivenClock()
  const log = driverLog()
  let sent: string[] = []
  let events: InstrumentPortEvents | null = null
  let opened = 0
  const rig = {
    log,
    /** What the instrument says to what it is told. */
    instrument: (_text: string): readonly string[] => [],
    answersAfterMs: 0,
    scheduled: () => clock.scheduled,
    tell: (text: string) => events?.data(Buffer.from(text, 'latin1')),
    unplug(cause: string) {
      const gone = events
      events = null
      gone?.gone(cause)
    },
    opened: () => opened,
    sent() {
      const taken = sent
      sent = []
      return taken
    },
    /** Lets time pass in small steps, and all that follows from each. */
    async run(milliseconds: number) {
      for (let passed = 0, step = 0; passed <= milliseconds; passed += Math.max(step, 1)) {
        clock.advance(step)
        for (let turn = 0; turn < 10; turn++) await Promise.resolve()
        step = Math.min(10, milliseconds - passed)
      }
    },
    async write(resource: string, value: boolean | number | string): Promise<string | null> {
      const answer: { problem?: string | null } = {}
      driver.write(resource, value, (problem) => (answer.problem = problem))
      for (let round = 0; round < 100 && answer.problem === undefined; round++) await rig.run(10)
      return answer.problem ?? null
    },
  }
  const driver = new LineDriver({
    bindings: boundTo(bindAll(profile), 'serial'),
    clock,
    events: log.events,
    openPort(_settings, told) {
      opened += 1
      clock.schedule(clock.now(), () => {
        events = told
        told.opened('/dev/ttyUSB0')
      })
      return {
        write(bytes) {
          const text = Buffer.from(bytes).toString('latin1')
          sent.push(text)
          for (const piece of rig.instrument(text))
            clock.schedule(clock.now() + rig.answersAfterMs, () => rig.tell(piece))
        },
        close: () => Promise.resolve(),
      }
    },
  })
  driver.start()
  return Object.assign(rig, { driver })
}
