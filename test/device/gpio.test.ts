import assert from 'node:assert/strict'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { bindAll, boundTo } from '../../runtime/device/drivers/bound.ts'
import { openPinBackend } from '../../runtime/device/gpio/backend.ts'
import { listChips, resolveLine } from '../../runtime/device/gpio/chips.ts'
import { GpioDriver } from '../../runtime/device/gpio/gpio-driver.ts'
import { SimulatedPins } from '../../runtime/device/gpio/simulated-pin.ts'
import { readLine, sysfsPins } from '../../runtime/device/gpio/sysfs-pin.ts'
import { profileOf } from '../gateway/device-rig.ts'
import { drivenClock } from './driven-clock.ts'
import { driverLog } from './driver-log.ts'
import { exportedLine, legacyChip, ownChip, PI_3 } from './gpio-tree.ts'
import { plantTree, type Tree } from './hardware-tree.ts'

describe('the resolver of GPIO lines', () => {
  const seen: [name: string, tree: Tree, number: number][] = [
    ['a Pi 3 whose kernel counts from 0', legacyChip('pinctrl-bcm2835', 0, 54), 17],
    [
      'a Pi 3 with a kernel 6.1, whose port expander comes first',
      { ...legacyChip('raspberrypi-exp-gpio', 450, 8), ...legacyChip('pinctrl-bcm2835', 458, 54) },
      475,
    ],
    [
      'a Pi 3 with a kernel 6.12',
      { ...legacyChip('raspberrypi-exp-gpio', 566, 8), ...legacyChip('pinctrl-bcm2835', 512, 54) },
      529,
    ],
    ['a Pi 4', legacyChip('pinctrl-bcm2711', 512, 58), 529],
    [
      'a Pi 5, whose other chips have lines of the same number',
      {
        ...legacyChip('gpio-brcmstb@107d508500', 512, 32),
        ...legacyChip('gpio-brcmstb@107d508520', 544, 4),
        ...legacyChip('pinctrl-rp1', 571, 54),
      },
      588,
    ],
  ]
  for (const [name, tree, number] of seen) {
    it(`finds BCM 17 on ${name}`, (t) => {
      const found = resolveLine('soc', 17, sysfsOf(t, tree))
      assert.deepEqual([found.number, found.exportText], [number, String(number)])
    })
  }

  it('finds a line on a kernel whose lines have no number among all', (t) => {
    const sysfs = sysfsOf(t, { ...ownChip(0, 'raspberrypi-exp-gpio', 8), ...ownChip(1, 'pinctrl-rp1', 54) })
    const found = resolveLine('soc', 17, sysfs)
    assert.deepEqual([found.number, found.exportText], [null, '17'])
    assert.equal(found.folder, join(sysfs, 'class/gpio/chip1/gpio17'))
    assert.equal(found.exportFile, join(sysfs, 'class/gpio/chip1/export'))
  })

  it('prefers the old interface where a kernel has both, since only it has edges', (t) => {
    const sysfs = sysfsOf(t, { ...ownChip(2, 'pinctrl-bcm2835', 54), ...legacyChip('pinctrl-bcm2835', 512, 54) })
    assert.equal(listChips(sysfs).length, 1)
    assert.equal(resolveLine('soc', 4, sysfs).number, 516)
  })

  it('finds a line of any chip by its label', (t) => {
    const sysfs = sysfsOf(t, { ...legacyChip('mcp23017', 600, 16), ...PI_3 })
    assert.equal(resolveLine('mcp23017', 3, sysfs).number, 603)
  })

  it('says what is wrong, what it has seen, and what to do', (t) => {
    const pi = sysfsOf(t, PI_3)
    const twins = sysfsOf(t, { ...legacyChip('relays', 10, 8), ...legacyChip('relays', 20, 8) })
    const none = sysfsOf(t, { 'sys/class/net': '' })
    assert.match(
      problemOf(() => resolveLine('relays', 1, pi)),
      /no GPIO chip with the label relays: this machine has pinctrl-bcm2835, raspberrypi-exp-gpio; /,
    )
    assert.match(
      problemOf(() => resolveLine('soc', 54, pi)),
      /pinctrl-bcm2835 has no line 54: its lines are 0 to 53/,
    )
    assert.match(
      problemOf(() => resolveLine('relays', 1, twins)),
      /2 GPIO chips have the label relays/,
    )
    assert.match(
      problemOf(() => resolveLine('soc', 1, none)),
      /there is no .*class\/gpio: run it on a board with GPIO/,
    )
  })
})

describe('GPIO over the files of sysfs', () => {
  it('opens an output at its first value, so that it never has the other one', async (t) => {
    const sysfs = sysfsOf(t, PI_3)
    const pins = sysfsPins(drivenClock(), sysfs)
    const file = (name: string): string => readFileSync(join(sysfs, 'class/gpio/gpio529', name), 'utf8')
    const pin = await pins.openOutput({ chip: 'soc', line: 17, activeLow: false, initial: true })
    assert.deepEqual([file('direction'), file('active_low')], ['high', '0'])
    pin.write(false)
    assert.equal(file('value'), '0')
    assert.deepEqual(pin.hold(true), { file: join(sysfs, 'class/gpio/gpio529/value'), text: '1' })
  })

  it('drives the wire low for true where the line is active low', async (t) => {
    const sysfs = sysfsOf(t, PI_3)
    await sysfsPins(drivenClock(), sysfs).openOutput({ chip: 'soc', line: 17, activeLow: true, initial: true })
    const file = (name: string): string => readFileSync(join(sysfs, 'class/gpio/gpio529', name), 'utf8')
    // The kernel inverts what is written to value from now on, but not the direction.
    assert.deepEqual([file('direction'), file('active_low')], ['low', '1'])
  })

  it('inverts by itself on a kernel whose lines cannot', async (t) => {
    const sysfs = sysfsOf(t, {
      ...ownChip(0, 'relays', 8),
      'sys/class/gpio/chip0/gpio3/value': '0',
      'sys/class/gpio/chip0/gpio3/direction': 'in',
    })
    const request = { chip: 'relays', line: 3, activeLow: true }
    const pin = await sysfsPins(drivenClock(), sysfs).openOutput({ ...request, initial: false })
    const value = (): string => readFileSync(join(sysfs, 'class/gpio/chip0/gpio3/value'), 'utf8')
    pin.write(true)
    assert.deepEqual([value(), pin.read(), pin.hold(false)?.text], ['0', true, '1'])
    pin.write(false)
    assert.deepEqual([value(), pin.read()], ['1', false])
  })

  it('counts a level of an input that has rested for the debounce time, and no other', async (t) => {
    const sysfs = sysfsOf(t, PI_3)
    const clock = drivenClock()
    const edges: boolean[] = []
    const input = { chip: 'soc', line: 27, activeLow: false, edge: 'both', debounceMs: 120 } as const
    const pin = await sysfsPins(clock, sysfs).openInput(input, { edge: (value) => edges.push(value) })
    const wire = (level: '0' | '1'): void => writeFileSync(join(sysfs, 'class/gpio/gpio539/value'), level)
    for (const level of ['0', '1', '0', '1'] as const) {
      wire(level)
      clock.advance(60)
    }
    assert.deepEqual(edges, [])
    wire('0')
    clock.advance(300)
    assert.deepEqual(edges, [false])
    pin.close()
    wire('1')
    clock.advance(1000)
    assert.deepEqual(edges, [false])
  })

  it('reads a line without changing how it is set up', async (t) => {
    const sysfs = sysfsOf(t, { ...PI_3, ...exportedLine('gpio530', '1'), 'sys/class/gpio/gpio530/active_low': '1' })
    const request = { chip: 'soc', line: 18, activeLow: false }
    assert.equal(await readLine(request, drivenClock(), sysfs), false)
    assert.equal(await readLine({ ...request, activeLow: true }, drivenClock(), sysfs), true)
    assert.equal(readFileSync(join(sysfs, 'class/gpio/gpio530/direction'), 'utf8'), 'in\n')
  })
})

describe('the driver of GPIO', () => {
  it('takes the lines of a chip into use again that was unplugged and is back', async (t) => {
    const sysfs = sysfsOf(t, PI_3)
    const clock = drivenClock()
    const log = driverLog()
    const profile = profileOf(
      ['door', 'driver: gpio, line: 27, direction: in', 'valueType: Bool, readWrite: R, optional: { interval: 1s }'],
      ['lamp', 'driver: gpio, line: 17, direction: out', 'valueType: Bool, readWrite: RW'],
    )
    const driver = new GpioDriver({
      bindings: boundTo(bindAll(profile), 'gpio'),
      openBackend: () => Promise.resolve(sysfsPins(clock, sysfs)),
      setBias: () => Promise.resolve(null),
      clock,
      logger: silentLogger,
      events: log.events,
    })
    t.after(async () => await driver.close())
    const file = (name: string): string => join(sysfs, 'class/gpio', name)
    let isPlugged = true
    /** The kernel makes the folder of a line, as an input, when it is asked for. */
    const kernel = (): void => {
      for (const number of isPlugged ? ['529', '539'] : []) {
        const isAsked = readFileSync(file('export'), 'utf8') === number && !existsSync(file(`gpio${number}`))
        if (!isAsked) continue
        renameSync(join(sysfs, `gpio${number}`), file(`gpio${number}`))
        writeFileSync(file(`gpio${number}/direction`), 'in')
      }
    }
    const run = async (milliseconds: number): Promise<void> => {
      for (let passed = 0; passed < milliseconds; passed += 10) {
        clock.advance(10)
        await setImmediate()
        kernel()
      }
    }
    const set = async (value: boolean): Promise<string | null> => {
      const answer: { problem?: string | null } = {}
      driver.write('lamp', value, (problem) => (answer.problem = problem))
      while (answer.problem === undefined) await run(10)
      return answer.problem
    }
    driver.start()
    await setImmediate()
    assert.deepEqual([await set(true), log.values.get('door'), log.values.get('lamp')], [null, true, true])

    isPlugged = false
    for (const line of ['gpio529', 'gpio539']) renameSync(file(line), join(sysfs, line))
    await run(2000)
    assert.match((await set(false)) ?? '', /^line 17 of pinctrl-bcm2835 does not work/)
    assert.equal(log.health.get('door')?.state, 'down')

    isPlugged = true
    writeFileSync(join(sysfs, 'gpio539/value'), '0')
    assert.equal(await set(true), null)
    await run(30_000)
    assert.equal(readFileSync(file('gpio529/direction'), 'utf8'), 'high')
    assert.deepEqual([log.values.get('door'), log.health.get('door')], [false, { state: 'up' }])
  })
})

describe('the backend of GPIO', () => {
  it('is onoff where its add-on was built, else the files of sysfs, which is said in one line', async () => {
    const said: string[] = []
    const logger = { ...silentLogger, warn: (message: string) => void said.push(message) }
    const { name } = await openPinBackend('/sys', drivenClock(), logger)
    if (name === 'onoff') assert.deepEqual(said, [])
    else
      assert.match(
        said.join('\n'),
        /^onoff does not load \(.*\): GPIO works, but inputs are looked at .* npm rebuild epoll/,
      )
    assert.equal((await openPinBackend('/elsewhere', drivenClock(), logger)).name, 'sysfs')
  })
})

describe('simulated GPIO', () => {
  it('has the levels of its wires, edges that were asked for, and debounce', async () => {
    const clock = drivenClock()
    const pins = new SimulatedPins(clock)
    const heard: string[] = []
    const open = async (edge: 'both' | 'rising' | 'falling', debounceMs: number): Promise<void> =>
      void (await pins.openInput(
        { chip: 'soc', line: 4, activeLow: true, edge, debounceMs },
        { edge: (value) => heard.push(`${edge} ${value}`) },
      ))
    await open('both', 0)
    await open('rising', 0)
    await open('falling', 20)
    pins.setLevel('soc', 4, true)
    clock.advance(10)
    pins.setLevel('soc', 4, false)
    clock.advance(10)
    pins.setLevel('soc', 4, true)
    clock.advance(20)
    assert.deepEqual(heard, ['both false', 'both true', 'rising true', 'both false', 'falling false'])
  })
})

function sysfsOf(t: TestContext, tree: Tree): string {
  return join(plantTree(t, tree), 'sys')
}

function problemOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof FleetstepError && error.code === 'gpio-unusable') return error.message
    throw error
  }
  throw new Error('there was no problem')
}
