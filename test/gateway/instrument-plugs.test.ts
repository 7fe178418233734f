import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InstrumentPorts } from '../../runtime/gateway/devices/instrument-ports.ts'
import { MODBUS_SKIP, startModbusSlave } from '../device/modbus-slave.ts'
import { until } from '../links/clocks.ts'
import { PTY_SKIP, startPtyLine } from '../support/pty-line.ts'
import { profileOf, startDevices } from './device-rig.ts'
import { openAlone, openPair } from './fleet.ts'

const PATIENCE_MS = 60_000

// python3-pymodbus with python3-serial-asyncio is the slave, socat makes the terminals.
describe('an output on Modbus', { skip: MODBUS_SKIP }, () => {
  it('follows, is safe without links and at the end, gets its value again when the device was without power, and is safe first when its plug was pulled', async (t) => {
    const { anna } = await openPair(t)
    const line = await startPtyLine(['master', 'slave'], { baud: 115_200 })
    t.after(async () => await line.end())
    const profile = profileOf([
      'setpoint',
      "driver: modbus, port: line, primaryTable: HOLDING_REGISTERS, startingAddress: 20, rawType: Int16, retries: 1, safeAfter: '300ms'",
      'valueType: Float32, readWrite: RW, scale: 0.1, optional: { safeValue: 5, interval: 200ms }',
    ])
    const first = await startModbusSlave(line.device('slave'))
    t.after(async () => await first.end())
    const ports = new InstrumentPorts({ line: line.device('master') })
    const { devices } = startDevices(t, anna, profile, { ports })
    anna.state.set('anna/setpoint', 21.5)
    await until(() => first.written().at(-1) === 'register 20 [215]', 'it follows', PATIENCE_MS)
    const [link] = anna.links()
    assert.ok(link)
    await anna.closeLink(link.name)
    await until(() => first.written().at(-1) === 'register 20 [50]', 'it is safe', PATIENCE_MS)
    anna.openLink(link.name)
    await until(() => first.written().at(-1) === 'register 20 [215]', 'it follows again', PATIENCE_MS)
    await first.end()
    await until(
      () => JSON.stringify(anna.state.get('anna/health/setpoint')).includes('no answer'),
      'it is down',
      PATIENCE_MS,
    )
    const second = await startModbusSlave(line.device('slave'))
    t.after(async () => await second.end())
    await until(() => second.written().at(-1) === 'register 20 [215]', 'it gets its value again', PATIENCE_MS)
    await until(() => anna.state.get('anna/reported/setpoint') === 21.5, 'and says so', PATIENCE_MS)
    const before = second.written().length
    await line.unplug('master')
    await until(
      () => !JSON.stringify(anna.state.get('anna/health/setpoint')).includes('"up"'),
      'its port is gone',
      PATIENCE_MS,
    )
    await line.plugIn('master')
    await until(() => second.written().length >= before + 2, 'it begins anew', PATIENCE_MS)
    assert.deepEqual(second.written().slice(before), ['register 20 [50]', 'register 20 [215]'], 'safe first')
    await devices.stop()
    assert.equal(second.written().at(-1), 'register 20 [50]')
  })
})

describe('an output on a serial line', { skip: PTY_SKIP }, () => {
  it('is safe at the start and the end, and first of all when its plug was pulled', async (t) => {
    const gateway = await openAlone(t, { device: 'hall' })
    const line = await startPtyLine(['gateway', 'valve'], { baud: 115_200 })
    t.after(async () => await line.end())
    const ports = new InstrumentPorts({ line: line.device('gateway') })
    const told: string[] = []
    const settings = { port: line.device('valve'), baudRate: 9600, parity: 'none', dataBits: 8, stopBits: 1 } as const
    const valve = ports.open(settings, {
      opened: () => undefined,
      data(bytes) {
        const text = Buffer.from(bytes).toString('latin1')
        for (const command of text.split('\n').filter((part) => part !== '')) told.push(command)
        valve.write(
          Buffer.from(text.includes('?') ? `POS ${told.findLast((one) => one.startsWith('V'))?.slice(1)}\n` : 'OK\n'),
        )
      },
      gone: () => undefined,
    })
    t.after(async () => await valve.close())
    const profile = profileOf([
      'valve',
      'driver: serial, port: line, request: "?\\n", response: "POS ([0-9]+)", command: "V{value}\\n", confirmation: "OK"',
      'valueType: Uint8, readWrite: RW, optional: { safeValue: 10, interval: 200ms }',
    ])
    const { devices } = startDevices(t, gateway, profile, { ports })
    const last = (): string | undefined => told.findLast((command) => command.startsWith('V'))
    await until(() => last() === 'V10', 'it is safe at the start', PATIENCE_MS)
    gateway.state.set('hall/valve', 70)
    await until(() => last() === 'V70', 'it follows', PATIENCE_MS)
    await line.unplug('gateway')
    await until(
      () => JSON.stringify(gateway.state.get('hall/health/valve')).includes('down'),
      'it is down',
      PATIENCE_MS,
    )
    gateway.state.set('hall/valve', 30)
    const before = told.length
    await line.plugIn('gateway')
    await until(() => last() === 'V30', 'it gets what is wanted now', PATIENCE_MS)
    const commands = told.slice(before).filter((command) => command.startsWith('V'))
    assert.deepEqual(commands, ['V10', 'V30'], 'the safe value comes first')
    await until(() => gateway.state.get('hall/reported/valve') === 30, 'and says so', PATIENCE_MS)
    await devices.stop()
    assert.equal(last(), 'V10')
  })
})
