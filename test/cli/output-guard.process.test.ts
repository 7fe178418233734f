import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { MODBUS_SKIP, startModbusSlave } from '../device/modbus-slave.ts'
import { until } from '../links/clocks.ts'
import { startPtyLine } from '../support/pty-line.ts'
import { InstrumentPorts } from '../../runtime/gateway/devices/instrument-ports.ts'
import { fleetstep, runGateway, type Workplace, workplace } from './program.ts'

/** How long a machine takes that is loaded with other tests. */
const PATIENCE_MS = 60_000

const PROFILE = `apiVersion: '1'
name: plant
deviceResources:
  - name: valve
    attributes: { driver: serial, port: actuator, request: "?\\n", response: "POS ([0-9]+)", command: "V{value}\\n", confirmation: "OK" }
    properties: { valueType: Uint8, readWrite: RW, optional: { safeValue: 10, interval: 500ms } }
  - name: heating
    attributes: { driver: modbus, port: bus, primaryTable: HOLDING_REGISTERS, startingAddress: 20, rawType: Int16 }
    properties: { valueType: Float32, readWrite: RW, scale: 0.1, optional: { safeValue: 5, interval: 500ms } }
  - name: free
    attributes: { driver: modbus, port: bus, primaryTable: COILS, startingAddress: 3 }
    properties: { valueType: Bool, readWrite: RW, optional: { interval: 500ms } }
`

// python3-pymodbus with python3-serial-asyncio is the slave, socat makes the terminals.
describe('a gateway with outputs on instruments', { skip: MODBUS_SKIP }, () => {
  it('has them made safe after kill -9, and says so in one line', async (t) => {
    const place = workplace(t)
    const { config, valve, slave } = await plantOf(t, place)
    const gateway = await runGateway(place, config, '--node-id', 'plant')
    await set(place, 'plant/valve', '70')
    await set(place, 'plant/heating', '21.5')
    await until(() => valve() === 'V70' && slave.written().at(-1) === 'register 20 [215]', 'they follow', PATIENCE_MS)
    gateway.kill('SIGKILL')
    await until(() => valve() === 'V10' && slave.written().at(-1) === 'register 20 [50]', 'they are safe', PATIENCE_MS)
    await gateway.ended
    const said = gateway.stderr.split('\n').filter((line) => line.startsWith('fleetstep:'))
    assert.deepEqual(said, ['fleetstep: the gateway is gone: at their safe values are valve, heating'])
  })

  it('leaves them alone after it was told to end, for they are safe then', async (t) => {
    const place = workplace(t)
    const { config, valve } = await plantOf(t, place)
    const gateway = await runGateway(place, config, '--node-id', 'plant')
    await set(place, 'plant/valve', '70')
    await until(() => valve() === 'V70', 'it follows', PATIENCE_MS)
    gateway.kill('SIGTERM')
    await gateway.ended
    assert.deepEqual([gateway.code, valve()], [0, 'V10'])
    assert.doesNotMatch(gateway.stderr, /the gateway is gone/)
  })
})

async function set(place: Workplace, path: string, value: string): Promise<void> {
  const { code, stderr } = await fleetstep(place, 'state', 'set', path, value)
  assert.equal(code, 0, stderr)
}

/** A valve that speaks lines, and a Modbus slave, each on a line of its own. */
async function plantOf(t: TestContext, place: Workplace) {
  const line = await startPtyLine(['actuator', 'valve'], { baud: 115_200 })
  const bus = await startPtyLine(['bus', 'slave'], { baud: 115_200 })
  const slave = await startModbusSlave(bus.device('slave'))
  const told: string[] = []
  const settings = { port: line.device('valve'), baudRate: 9600, parity: 'none', dataBits: 8, stopBits: 1 } as const
  const port = new InstrumentPorts({}).open(settings, {
    opened: () => undefined,
    data(bytes) {
      const text = Buffer.from(bytes).toString('latin1')
      told.push(...text.split('\n').filter((part) => part.startsWith('V')))
      port.write(Buffer.from(text.includes('?') ? `POS ${told.at(-1)?.slice(1) ?? '0'}\n` : 'OK\n'))
    },
    gone: () => undefined,
  })
  t.after(async () => {
    await port.close()
    await slave.end()
    await line.end()
    await bus.end()
  })
  place.file('plant.yaml', PROFILE)
  const ports = `ports: { actuator: ${line.device('actuator')}, bus: ${bus.device('bus')} }`
  const config = place.file(
    'gateway.yaml',
    `fleet: { name: test }\ndevice: plant\ndataDirectory: data\nprofile: plant.yaml\n${ports}\n`,
  )
  return { config, slave, valve: () => told.at(-1) }
}
