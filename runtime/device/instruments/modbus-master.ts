// modbus-serial: the maintained Modbus master for Node, pure JavaScript over the serialport that is here already; ISC.
// Loaded only by a gateway whose profile has Modbus points.
import modbus from 'modbus-serial'
import { SERIAL_OPEN_TIMEOUT_MS } from '../../base/limits.ts'
import type { RegisterTable } from './modbus-registers.ts'
import { Refused } from './polled-point.ts'
import type { SerialSettings } from './serial-port.ts'

type Client = InstanceType<typeof modbus.default>

/** The port to one Modbus line. All methods reject with an Error whose message is one line. */
export interface ModbusMaster {
  /** One value for each register, or 0 and 1 for each bit. */
  read(unitId: number, table: RegisterTable, address: number, count: number, timeoutMs: number): Promise<number[]>
  writeCoil(unitId: number, address: number, value: boolean, timeoutMs: number): Promise<void>
  writeRegisters(unitId: number, address: number, registers: readonly number[], timeoutMs: number): Promise<void>
  close(): Promise<void>
}

/** Opens the line. @param device as the system calls it now. @param onGone the adapter was unplugged */
export async function openModbusMaster(
  device: string,
  { baudRate, parity, dataBits, stopBits }: SerialSettings,
  onGone: () => void,
): Promise<ModbusMaster> {
  const client = new modbus.default()
  // An error of the port that nobody hears would end the process.
  client.on('error', onGone)
  client.on('close', onGone)
  client.setTimeout(SERIAL_OPEN_TIMEOUT_MS)
  await client.connectRTUBuffered(device, { baudRate, parity, dataBits, stopBits })
  const as = (unitId: number, timeoutMs: number): Client => {
    client.setID(unitId)
    client.setTimeout(timeoutMs)
    return client
  }
  return {
    async read(unitId, table, address, count, timeoutMs) {
      return await explained(readTable(as(unitId, timeoutMs), table, address, count), unitId, timeoutMs)
    },
    async writeCoil(unitId, address, value, timeoutMs) {
      await explained(as(unitId, timeoutMs).writeCoil(address, value), unitId, timeoutMs)
    },
    async writeRegisters(unitId, address, registers, timeoutMs) {
      const [only] = registers
      const unit = as(unitId, timeoutMs)
      const isOne = registers.length === 1 && only !== undefined
      const written = isOne ? unit.writeRegister(address, only) : unit.writeRegisters(address, [...registers])
      await explained<unknown>(written, unitId, timeoutMs)
    },
    close: () =>
      new Promise((resolve) => {
        if (client.isOpen) client.close(() => resolve())
        else resolve()
      }),
  }
}

async function readTable(client: Client, table: RegisterTable, address: number, count: number): Promise<number[]> {
  switch (table) {
    case 'COILS':
      return (await client.readCoils(address, count)).data.slice(0, count).map(Number)
    case 'DISCRETES_INPUT':
      return (await client.readDiscreteInputs(address, count)).data.slice(0, count).map(Number)
    case 'INPUT_REGISTERS':
      return (await client.readInputRegisters(address, count)).data
    case 'HOLDING_REGISTERS':
      return (await client.readHoldingRegisters(address, count)).data
  }
}

async function explained<Type>(request: Promise<Type>, unitId: number, timeoutMs: number): Promise<Type> {
  try {
    return await request
  } catch (error) {
    // Some errors of the library are no Error.
    const isTold = typeof error === 'object' && error !== null && 'message' in error
    const message = String(isTold ? error.message : error)
    const isRefusal =
      typeof error === 'object' && error !== null && 'modbusCode' in error && error.modbusCode !== undefined
    if (isRefusal) throw new Refused(`unit ${unitId} refuses: ${message.replace(/^Modbus exception \d+: */, '')}`)
    if (/timed out/i.test(message)) {
      throw new Error(`unit ${unitId} gives no answer within ${timeoutMs} ms: check wiring, baud, parity and unit id`, {
        cause: error,
      })
    }
    throw new Error(`unit ${unitId}: ${message.replace(/\s+/g, ' ')}`, { cause: error })
  }
}
