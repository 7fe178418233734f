import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bindAll, boundTo } from '../../runtime/device/drivers/bound.ts'
import { ModbusDriver } from '../../runtime/device/instruments/modbus-driver.ts'
import type { ModbusMaster } from '../../runtime/device/instruments/modbus-master.ts'
import { profileOf } from '../gateway/device-rig.ts'
import { drivenClock } from './driven-clock.ts'
import { driverLog } from './driver-log.ts'

const LAMP = profileOf([
  'lamp',
  'driver: modbus, port: line, primaryTable: COILS, startingAddress: 3, retries: 0',
  'valueType: Bool, readWrite: W',
])

describe('the opening of a Modbus line', () => {
  it('leaves no port open that opens when the driver is closed already, and sets nothing on it', async () => {
    const rig = rigOf()
    const written = rig.write(true)
    await rig.asked()
    const closed = rig.driver.close()
    rig.open()
    await closed
    assert.equal(await written, 'the gateway ends')
    assert.deepEqual(rig.told, ['closed'])
  })

  it('survives a port that is said to be gone before it is open', async () => {
    const rig = rigOf()
    const written = rig.write(true)
    await rig.asked()
    rig.unplug()
    rig.open()
    assert.equal(await written, null)
    assert.deepEqual(rig.told, ['coil 3 true'])
    await rig.driver.close()
  })
})

function rigOf() {
  const told: string[] = []
  const unread = (): Promise<number[]> => Promise.reject(new Error('nothing is read'))
  const master: ModbusMaster = {
    read: unread,
    writeCoil(_unitId, address, value) {
      told.push(`coil ${address} ${value}`)
      return Promise.resolve()
    },
    writeRegisters: () => Promise.reject(new Error('there are none')),
    close() {
      told.push('closed')
      return Promise.resolve()
    },
  }
  const opening = { open: (): void => undefined, unplug: (): void => undefined }
  const driver = new ModbusDriver({
    bindings: boundTo(bindAll(LAMP), 'modbus'),
    openMaster: async (onGone) =>
      await new Promise((resolve) => {
        opening.unplug = onGone
        opening.open = () => resolve(master)
      }),
    clock: drivenClock(),
    events: driverLog().events,
  })
  return {
    driver,
    told,
    open: () => opening.open(),
    unplug: () => opening.unplug(),
    write: async (value: boolean) =>
      await new Promise<string | null>((resolve) => {
        driver.write('lamp', value, resolve)
      }),
    /** The port is asked for some turns after the write. */
    async asked(): Promise<void> {
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    },
  }
}
