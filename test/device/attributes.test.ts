import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rawTypeOf, registersOf } from '../../runtime/device/profiles/attribute-checks.ts'
import { bindingOf } from '../../runtime/device/profiles/attributes.ts'
import { ChangeFilter } from '../../runtime/device/profiles/change-filter.ts'
import { healthPath, pointPath, reportedPath } from '../../runtime/device/profiles/points.ts'
import type { Value } from '../../runtime/state/value.ts'
import { accepted, problemsOf, profileText, refusedAtMark, resourceOf } from './profile-text.ts'

const OUT = 'valueType: Bool, readWrite: RW, optional: { safeValue: false }'
const IN = 'valueType: Bool, readWrite: R'
const NUMBER = 'valueType: Float32, readWrite: R'
const OUT_NUMBER = 'valueType: Int16, readWrite: RW, optional: { safeValue: 0 }'
const SERIAL = 'driver: serial, port: /dev/ttyUSB0'
const MODBUS = 'driver: modbus, port: /dev/ttyUSB0, startingAddress: 0'

describe('what a resource is wired to', () => {
  it('is nothing without a driver, or with one of somebody else', () => {
    assert.equal(bindingOf(resourceOf(OUT)), null)
    assert.equal(bindingOf(resourceOf(OUT, 'driver: zigbee, cluster: 6')), null)
  })

  it('has its defaults filled in', () => {
    assert.deepEqual(bindingOf(resourceOf(OUT, 'driver: gpio, line: 17')), {
      driver: 'gpio',
      chip: 'soc',
      line: 17,
      activeLow: false,
      edge: 'both',
      debounceMs: 0,
      drive: 'tentative',
      dwell: '200ms',
    })
    assert.deepEqual(bindingOf(resourceOf(NUMBER, `${SERIAL}, response: '([0-9]+)'`)), {
      driver: 'serial',
      port: '/dev/ttyUSB0',
      baudRate: 9600,
      dataBits: 8,
      parity: 'none',
      stopBits: 1,
      timeoutMs: 1000,
      retries: 2,
      terminator: '\n',
      response: '([0-9]+)',
      mappings: {},
      drive: 'tentative',
      dwell: '0ms',
    })
    const modbus = bindingOf(resourceOf(NUMBER, `${MODBUS}, primaryTable: INPUT_REGISTERS`))
    assert.ok(modbus?.driver === 'modbus')
    assert.deepEqual([modbus.unitId, modbus.timeoutMs, modbus.isByteSwap, modbus.isWordSwap], [1, 500, false, false])
    const raw = rawTypeOf('Float32', modbus.rawType)
    assert.equal(raw, 'Float32')
    assert.deepEqual((['Uint16', 'Float32', 'Int64'] as const).map(registersOf), [1, 2, 4])
  })

  const refused: readonly (readonly [title: string, properties: string, attributes: string, problem: RegExp])[] = [
    [
      'an unknown word',
      OUT,
      'driver: gpio, line: 17, ^pin: 11',
      /pin is unknown; attributes with driver gpio has driver, chip, line/,
    ],
    ['a missing line', OUT, 'driver: gpio', /line is missing; attributes with driver gpio needs it/],
    ['a line in quotes', OUT, 'driver: gpio, line: ^"17"', /must be a whole number from 0 to 1023, but is "17"/],
    ['a wrong word', OUT, 'driver: gpio, line: 17, drive: ^now', /must be one of tentative, settled, but is "now"/],
    [
      'a number on a line',
      '^valueType: Float32, readWrite: R',
      'driver: gpio, line: 4',
      /must be Bool with driver gpio/,
    ],
    ['an input that is set', OUT, 'driver: gpio, line: 17, direction: ^in', /must be out, since the point is RW/],
    [
      'a debounced output',
      OUT,
      'driver: gpio, line: 17, debounceMs: ^20',
      /is for inputs, and this one is RW; remove it/,
    ],
    ['a driven input', IN, 'driver: gpio, line: 17, drive: ^settled', /is for points that are set, and this one is R/],
    [
      'a safe time without a safe value',
      'valueType: Bool, readWrite: W',
      'driver: gpio, line: 17, safeAfter: ^5m',
      /needs properties.optional.safeValue/,
    ],
    ['an impossible interval', OUT, 'driver: gpio, line: 17, safeAfter: ^50ms', /must be at least 100ms/],
    [
      'an impossible dwell',
      OUT,
      'driver: gpio, line: 17, dwell: ^2',
      /must be text such as 200ms, 2s, or 0ms, but is 2/,
    ],
    [
      'a port without a name',
      NUMBER,
      "driver: serial, port: ^'ttyUSB 0', response: '(.)'",
      /port must be \/dev\/…, usb:VID:PID/,
    ],
    ['an unknown baud', NUMBER, `${SERIAL}, baudRate: ^0, response: '(.)'`, /from 300 to 4000000/],
    ['six bits', NUMBER, `${SERIAL}, dataBits: ^6, response: '(.)'`, /must be one of 7, 8, but is 6/],
    [
      'a reading without a response',
      NUMBER,
      `${SERIAL}, request: "?"`,
      /response is missing; a point that is R needs it/,
    ],
    ['a response without a group', NUMBER, `${SERIAL}, response: ^'L=.*'`, /has no group in brackets/],
    ['a response that could take for ever', NUMBER, `${SERIAL}, response: ^'((a+)+)'`, /that can take for ever/],
    [
      'a set point without a command',
      OUT,
      `${SERIAL}, response: '(ON|OFF)'`,
      /command is missing; a point that is RW needs it/,
    ],
    ['a command without a value', OUT, `${SERIAL}, response: '(ON|OFF)', command: ^"ON"`, /does not hold \{value\}/],
    [
      'a confirmation of nothing',
      NUMBER,
      `${SERIAL}, response: '(.)', confirmation: ^'OK'`,
      /is for points with a command/,
    ],
    [
      'a mapping to no value',
      OUT,
      `${SERIAL}, response: '(.+)', command: "{value}", mappings: { X: ^'yes' }`,
      /"yes" is no value of type Bool/,
    ],
    [
      'a list over a serial line',
      '^valueType: Int16Array, readWrite: R',
      `${SERIAL}, response: '(.)'`,
      /must be Bool, String or a number/,
    ],
    [
      'an input that is written',
      `valueType: Bool, ^readWrite: RW`,
      `${MODBUS}, primaryTable: DISCRETES_INPUT`,
      /must be R, since DISCRETES_INPUT cannot be set/,
    ],
    [
      'a number in a coil',
      '^valueType: Uint16, readWrite: R',
      `${MODBUS}, primaryTable: COILS`,
      /must be Bool for COILS/,
    ],
    [
      'a text in registers',
      '^valueType: String, readWrite: R',
      `${MODBUS}, primaryTable: HOLDING_REGISTERS`,
      /must be a number for HOLDING_REGISTERS/,
    ],
    [
      'a byte in registers',
      'valueType: Uint8, readWrite: R',
      `${MODBUS}, primaryTable: HOLDING_REGISTERS`,
      /rawType is missing; no register holds Uint8/,
    ],
    [
      'a raw type of a coil',
      IN,
      `${MODBUS}, primaryTable: COILS, rawType: ^Int16`,
      /is for registers, and not for COILS/,
    ],
    [
      'a fraction into a whole number',
      'valueType: Int16, readWrite: R',
      `${MODBUS}, primaryTable: INPUT_REGISTERS, rawType: ^Float32`,
      /would lose the fraction/,
    ],
    [
      'registers beyond the end',
      NUMBER,
      'driver: modbus, port: x, primaryTable: INPUT_REGISTERS, startingAddress: ^65535',
      /no room for all registers/,
    ],
    ['a broadcast', NUMBER, `${MODBUS}, primaryTable: INPUT_REGISTERS, unitId: ^0`, /from 1 to 247/],
  ]
  for (const [title, properties, attributes, problem] of refused) {
    it(`is refused with its place: ${title}`, () => {
      if (`${properties}${attributes}`.includes('^'))
        refusedAtMark(atValue(profileText(properties, attributes)), problem)
      else assert.match(problemsOf(profileText(properties, attributes)).join('\n'), problem)
    })
  }

  const shared: readonly (readonly [
    title: string,
    one: string,
    other: string,
    problem: RegExp,
    properties?: string,
  ])[] = [
    [
      'registers that overlap',
      `${MODBUS}, primaryTable: HOLDING_REGISTERS, rawType: Int32`,
      'driver: modbus, port: /dev/ttyUSB0, startingAddress: 1, primaryTable: HOLDING_REGISTERS, rawType: Uint16',
      /startingAddress is HOLDING_REGISTERS 1 of unit 1 on \/dev\/ttyUSB0, which one has already/,
      OUT_NUMBER,
    ],
    [
      'registers that overlap, the lower ones last',
      'driver: modbus, port: /dev/ttyUSB0, startingAddress: 1, primaryTable: HOLDING_REGISTERS, rawType: Uint16',
      `${MODBUS}, primaryTable: HOLDING_REGISTERS, rawType: Int64`,
      /startingAddress reaches HOLDING_REGISTERS 1 of unit 1 on \/dev\/ttyUSB0, which one has already/,
      OUT_NUMBER,
    ],
    [
      'one line',
      'driver: gpio, line: 17',
      'driver: gpio, chip: soc, line: 17',
      /line is line 17 of chip soc, which one has already/,
    ],
    [
      'one coil to write',
      `${MODBUS}, primaryTable: COILS`,
      `${MODBUS}, primaryTable: COILS, retries: 1`,
      /startingAddress is COILS 0 of unit 1 on \/dev\/ttyUSB0, which one has already/,
    ],
    [
      'one port with two settings',
      `${MODBUS}, primaryTable: COILS`,
      'driver: modbus, port: /dev/ttyUSB0, startingAddress: 1, primaryTable: COILS, parity: even',
      /port is \/dev\/ttyUSB0 with 9600 baud 8E1, but one has it with 9600 baud 8N1/,
    ],
    [
      'one port with two drivers',
      `${MODBUS}, primaryTable: COILS`,
      `${SERIAL}, response: '(.)', command: '{value}'`,
      /a port has one driver/,
    ],
    [
      'one port whose lines end in two ways',
      `${SERIAL}, response: '(.)', command: '{value}', terminator: "\\r"`,
      `${SERIAL}, response: '(.)', command: '{value}'`,
      /terminator is "\\n", but lines on \/dev\/\S+ end with "\\r" for one/,
    ],
  ]
  for (const [title, one, other, problem, properties = OUT] of shared) {
    it(`is refused where two resources want ${title}`, () => {
      const text = `apiVersion: '1'\nname: t\ndeviceResources:\n${[one, other]
        .map(
          (attributes, index) =>
            `  - { name: ${index === 0 ? 'one' : 'other'}, attributes: { ${attributes} }, properties: { ${properties} } }\n`,
        )
        .join('')}`
      const [first = '', ...more] = problemsOf(text)
      assert.match(first, /^5:/)
      assert.match(first, problem)
      assert.deepEqual(more, [])
    })
  }

  it('is refused where the fleet could not carry what it judges by', () => {
    const point = (index: number): string =>
      `  - { name: p${index}, attributes: { driver: gpio, chip: c${index}, line: 1 }, properties: { ${OUT} } }\n`
    const points = Array.from({ length: 512 }, (_, index) => point(index))
    const head = "apiVersion: '1'\nname: t\ndeviceResources:\n"
    const [first = ''] = problemsOf(head + points.join(''))
    assert.match(first, /^3:1 deviceResources is too much for one device: .* at most 1024 points/)
    assert.equal(accepted(head + points.slice(1, 500).join('')).profile.deviceResources.length, 499)
  })

  const warned: readonly (readonly [title: string, text: string, warning: RegExp])[] = [
    ['the EEPROM of a HAT', profileText(OUT, 'driver: gpio, line: 1'), /BCM 1 is for the identification EEPROM/],
    ['the I2C bus', profileText(IN, 'driver: gpio, line: 2'), /BCM 2 is the I2C bus, with a fixed pull-up/],
    ['the UART', profileText(IN, 'driver: gpio, line: 15'), /BCM 15 is RXD of the UART, which must be switched off/],
    [
      'the UART that the profile itself speaks on',
      `${profileText(IN, 'driver: gpio, line: 14')}  - { name: m, attributes: { driver: modbus, port: /dev/serial0, primaryTable: INPUT_REGISTERS, startingAddress: 0 }, properties: { ${NUMBER} } }\n`,
      /BCM 14 is TXD of the UART, and this profile speaks on \/dev\/serial0/,
    ],
    [
      'an output that has no safe value',
      profileText('valueType: Bool, readWrite: W', 'driver: gpio, line: 17'),
      /safeValue is missing/,
    ],
  ]
  for (const [title, text, warning] of warned) {
    it(`is taken with a warning: ${title}`, () => {
      const { warnings } = accepted(text)
      assert.equal(warnings.length, 1)
      assert.match(warnings[0]?.message ?? '', warning)
    })
  }

  it('is not warned of on another chip, or on free lines', () => {
    assert.deepEqual(accepted(profileText(OUT, 'driver: gpio, chip: pca9555, line: 2')).warnings, [])
    assert.deepEqual(accepted(profileText(OUT, 'driver: gpio, line: 17')).warnings, [])
  })
})

describe('the points of a resource', () => {
  it('are two where people set what a device has', () => {
    const output = resourceOf(OUT, 'driver: gpio, line: 17')
    assert.equal(pointPath('pump', output), 'pump/point')
    assert.equal(reportedPath('pump', output), 'pump/reported/point')
    assert.equal(healthPath('pump', output), 'pump/health/point')
  })

  it('are one where only one side speaks, or the device decides', () => {
    const reporting = 'valueType: Bool, readWrite: RW, optional: { safeValue: false, owner: reported }'
    for (const resource of [
      resourceOf(IN, 'driver: gpio, line: 17'),
      resourceOf('valueType: Bool, readWrite: W', 'driver: gpio, line: 17'),
      resourceOf(OUT),
      resourceOf(reporting, 'driver: gpio, line: 17'),
    ])
      assert.equal(reportedPath('pump', resource), 'pump/point')
  })
})

describe('reporting by exception', () => {
  const reported = (properties: string, readings: readonly Value[]): Value[] => {
    const filter = new ChangeFilter(resourceOf(properties))
    return readings.filter((reading) => filter.isWorthReport(reading))
  }

  it('leaves out what moved by less than the threshold since the last report', () => {
    const properties = `${NUMBER}, optional: { onChangeThreshold: 0.5 }`
    assert.deepEqual(reported(properties, [20, 20.3, 20.4, 20.5, 20.1, 20, 30]), [20, 20.5, 20, 30])
  })

  it('reports every change without a threshold, of any type', () => {
    assert.deepEqual(reported(NUMBER, [1, 1, 1.001, 1.001]), [1, 1.001])
    assert.deepEqual(reported('valueType: Bool, readWrite: R', [true, true, false, true]), [true, false, true])
    assert.deepEqual(reported('valueType: Uint8Array, readWrite: R', [[1], [1], [1, 2]]), [[1], [1, 2]])
  })

  it('tells large whole numbers apart', () => {
    const properties = 'valueType: Uint64, readWrite: R, optional: { onChangeThreshold: 2 }'
    assert.deepEqual(reported(properties, [2n ** 60n, 2n ** 60n + 1n, 2n ** 60n + 2n]), [2n ** 60n, 2n ** 60n + 2n])
  })

  it('reports the next reading once what was reported is forgotten', () => {
    const filter = new ChangeFilter(resourceOf(NUMBER))
    assert.equal(filter.isWorthReport(1), true)
    assert.equal(filter.isWorthReport(1), false)
    filter.forget()
    assert.equal(filter.isWorthReport(1), true)
  })
})

/** The mark stands before a key or a value; what is wrong with a key's value is pointed at the value. */
function atValue(marked: string): string {
  return marked.replace(/\^(valueType|readWrite): /, '$1: ^')
}
