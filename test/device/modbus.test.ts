import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { bindAll, boundTo } from '../../runtime/device/drivers/bound.ts'
import { ModbusDriver } from '../../runtime/device/instruments/modbus-driver.ts'
import type { DeviceProfile } from '../../runtime/device/profiles/profile.ts'
import { InstrumentPorts } from '../../runtime/gateway/devices/instrument-ports.ts'
import { profileOf } from '../gateway/device-rig.ts'
import { realClock, until } from '../links/clocks.ts'
import { startPtyLine } from '../support/pty-line.ts'
import { driverLog, type DriverLog } from './driver-log.ts'
import { MODBUS_SKIP, startModbusSlave } from './modbus-slave.ts'

const PATIENCE_MS = 60_000

// python3-pymodbus with python3-serial-asyncio is the slave, socat makes the terminals.
describe('Modbus against a slave of another kind', { skip: MODBUS_SKIP }, () => {
  it('reads bits and registers of all four tables, scaled as the profile says', async (t) => {
    const profile = profileOf(
      modbus('temperature', 'HOLDING_REGISTERS', 0, 'valueType: Float32, readWrite: R, scale: 0.01', 'rawType: Uint16'),
      modbus('offset', 'HOLDING_REGISTERS', 1, 'valueType: Int16, readWrite: R'),
      modbus('pressure', 'INPUT_REGISTERS', 10, 'valueType: Float32, readWrite: R'),
      modbus('energy', 'INPUT_REGISTERS', 12, 'valueType: Uint32, readWrite: R', 'isWordSwap: true'),
      modbus('isOpen', 'DISCRETES_INPUT', 1, 'valueType: Bool, readWrite: R'),
      modbus('isShut', 'DISCRETES_INPUT', 2, 'valueType: Bool, readWrite: R'),
      modbus('lamp', 'COILS', 3, 'valueType: Bool, readWrite: RW'),
      modbus('setpoint', 'HOLDING_REGISTERS', 20, 'valueType: Float32, readWrite: RW, scale: 0.1', 'rawType: Int16'),
      modbus('total', 'HOLDING_REGISTERS', 30, 'valueType: Float64, readWrite: RW'),
      modbus('missing', 'HOLDING_REGISTERS', 5000, 'valueType: Uint16, readWrite: R'),
    )
    const { driver, log, slave } = await rigOf(t, profile)
    driver.start()
    await until(() => log.health.has('missing') && log.values.size >= 6, 'everything was asked', PATIENCE_MS)
    const read = ['temperature', 'offset', 'pressure', 'energy', 'isOpen', 'isShut'].map((name) => log.values.get(name))
    assert.deepEqual(read, [26.53, -10, 25, 0x12345678, true, false])
    assert.deepEqual(log.health.get('missing'), {
      state: 'down',
      error: 'unit 1 refuses: Illegal data address (register not supported by device)',
      isGone: false,
    })
    for (const [name, value] of [
      ['lamp', true],
      ['setpoint', -21.5],
      ['total', 1.5],
    ] as const)
      assert.equal(await written(driver, name, value), null)
    const told = slave.written()
    assert.deepEqual(told.slice(-3), ['coil 3 [1]', 'register 20 [65321]', 'register 30 [16376, 0, 0, 0]'])
    assert.deepEqual(
      ['lamp', 'setpoint', 'total'].map((name) => log.values.get(name)),
      [true, -21.5, 1.5],
    )
  })

  it('is down while the cable is pulled, says why, and goes on when it is back', async (t) => {
    const profile = profileOf(
      modbus(
        'temperature',
        'HOLDING_REGISTERS',
        0,
        'valueType: Float32, readWrite: R, scale: 0.01, optional: { interval: 100ms }',
        'rawType: Uint16',
      ),
      modbus('lamp', 'COILS', 3, 'valueType: Bool, readWrite: W'),
    )
    const { driver, log, slave, restart } = await rigOf(t, profile)
    const deadline = performance.now() + PATIENCE_MS
    driver.start()
    await until(() => log.health.get('temperature')?.state === 'up', 'it is read', PATIENCE_MS)
    await slave.end()
    await until(() => log.health.get('temperature')?.state === 'down', 'it is down', PATIENCE_MS)
    assert.match(
      log.error('temperature'),
      /^unit 1 gives no answer within 400 ms: check wiring, baud, parity and unit id$/,
    )
    assert.match((await written(driver, 'lamp', true)) ?? '', /^unit 1 gives no answer/)
    assert.equal(log.values.get('temperature'), 26.53, 'the last value stays, and the health says that it is old')
    await restart()
    await until(() => log.health.get('temperature')?.state === 'up', 'it is up again', PATIENCE_MS)
    while ((await written(driver, 'lamp', true)) !== null) assert.ok(performance.now() < deadline, 'it is never set')
  })

  it('gives no reading to another register when a unit answers too late', async (t) => {
    const properties = 'valueType: Uint16, readWrite: R, optional: { interval: 100ms }'
    const profile = profileOf(
      modbus('volts', 'HOLDING_REGISTERS', 230, properties),
      ['amperes', ...modbus('', 'HOLDING_REGISTERS', 16, properties).slice(1)].map((text) =>
        text.replace('timeoutMs: 400', 'timeoutMs: 2000'),
      ) as [string, string, string],
    )
    const { driver, log, line } = await lineOf(t, profile)
    const asked = startLateUnit(t, line.device('slave'), 500)
    driver.start()
    await until(() => asked.filter((address) => address === 16).length >= 3, 'all is asked', PATIENCE_MS)
    await until(() => log.values.get('amperes') !== undefined, 'the patient one is read', PATIENCE_MS)
    assert.deepEqual(log.readings, ['amperes 16'])
    assert.match(log.error('volts'), /^unit 1 gives no answer within 400 ms/)
  })

  it('says what to do if the port is not there, and where the config has to name it', async () => {
    const ports = new InstrumentPorts({ line: '/dev/ttyNone' })
    const settings = { port: 'line', baudRate: 9600, parity: 'none', dataBits: 8, stopBits: 1 } as const
    await assert.rejects(
      async () => await ports.openModbus(settings, () => undefined),
      /\/dev\/ttyNone is not there: plug it in/,
    )
    await assert.rejects(
      async () => await ports.openModbus({ ...settings, port: 'meter' }, () => undefined),
      /the config does not name: add ports: \{ meter: \/dev\/… \} to it/,
    )
  })
})

function modbus(
  name: string,
  table: string,
  address: number,
  properties: string,
  more: string = '',
): [string, string, string] {
  const attributes = `driver: modbus, port: line, timeoutMs: 400, retries: 1, primaryTable: ${table}, startingAddress: ${address}`
  return [name, more === '' ? attributes : `${attributes}, ${more}`, properties]
}

async function rigOf(
  t: TestContext,
  profile: DeviceProfile,
): Promise<{
  driver: ModbusDriver
  log: DriverLog
  slave: Awaited<ReturnType<typeof startModbusSlave>>
  restart: () => Promise<void>
}> {
  const { driver, log, line } = await lineOf(t, profile)
  const start = async (): ReturnType<typeof startModbusSlave> => {
    const slave = await startModbusSlave(line.device('slave'))
    t.after(async () => await slave.end())
    return slave
  }
  return { driver, log, slave: await start(), restart: async () => void (await start()) }
}

async function lineOf(
  t: TestContext,
  profile: DeviceProfile,
): Promise<{ driver: ModbusDriver; log: DriverLog; line: Awaited<ReturnType<typeof startPtyLine>> }> {
  const line = await startPtyLine(['master', 'slave'], { baud: 115_200 })
  t.after(async () => await line.end())
  const bindings = boundTo(bindAll(profile), 'modbus')
  const ports = new InstrumentPorts({ line: line.device('master') })
  const settings = bindings[0]?.wiring
  assert.ok(settings)
  const log = driverLog()
  const openMaster = async (onGone: () => void) => await ports.openModbus(settings, onGone)
  const driver = new ModbusDriver({ bindings, openMaster, clock: realClock, events: log.events })
  t.after(async () => await driver.close())
  return { driver, log, line }
}

/** A slow unit whose every register holds its own address. @returns the addresses that it was asked for */
function startLateUnit(t: TestContext, device: string, delayMs: number): readonly number[] {
  const asked: number[] = []
  let request = Buffer.alloc(0)
  const settings = { port: device, baudRate: 115_200, parity: 'none', dataBits: 8, stopBits: 1 } as const
  const unit = new InstrumentPorts({}).open(settings, {
    opened: () => undefined,
    data(bytes) {
      request = Buffer.concat([request, bytes])
      for (; request.length >= READ_REQUEST_BYTES; request = request.subarray(READ_REQUEST_BYTES)) {
        const address = request.readUInt16BE(2)
        asked.push(address)
        const answer = Buffer.from([1, 3, 2, address >> 8, address & 0xff, 0, 0])
        answer.writeUInt16LE(crc16(answer.subarray(0, -2)), answer.length - 2)
        realClock.schedule(realClock.now() + delayMs, () => unit.write(answer))
      }
    },
    gone: () => undefined,
  })
  t.after(async () => await unit.close())
  return asked
}

const READ_REQUEST_BYTES = 8

/** Source: MODBUS over serial line V1.02, section 6.2.2. */
function crc16(bytes: Uint8Array): number {
  let sum = 0xffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 0 ? sum >> 1 : (sum >> 1) ^ 0xa001
  }
  return sum
}

async function written(driver: ModbusDriver, resource: string, value: boolean | number): Promise<string | null> {
  return await new Promise((resolve) => driver.write(resource, value, resolve))
}
