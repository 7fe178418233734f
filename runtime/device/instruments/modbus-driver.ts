import type { Clock } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import type { Value } from '../../state/value.ts'
import type { Bound } from '../drivers/bound.ts'
import type { DeviceDriver, DriverEvents } from '../drivers/driver.ts'
import { Reporter } from '../drivers/reporter.ts'
import { rawOfValue } from '../drivers/scaling.ts'
import { rawTypeOf, registersOf } from '../profiles/attribute-checks.ts'
import type { ModbusBinding, RawType } from '../profiles/attributes.ts'
import type { DeviceResource } from '../profiles/profile.ts'
import type { ModbusMaster } from './modbus-master.ts'
import { decodeRegisters, encodeRegisters, isBitTable, isFloatType } from './modbus-registers.ts'
import { askRepeatedly, PolledPoint, PortGone, Refused } from './polled-point.ts'
import { Quiet } from './quiet.ts'
import { Turns } from './turns.ts'

type BoundRegister = Bound<ModbusBinding>

export interface ModbusDriverOptions {
  /** All on one port. */
  readonly bindings: readonly BoundRegister[]
  /** Opens the line; rejects with an Error whose message says what to do. Called again after each time that it was lost. */
  readonly openMaster: (onGone: () => void) => Promise<ModbusMaster>
  readonly clock: Clock
  readonly events: DriverEvents
}

/** A Modbus RTU line with one master, this gateway. */
export class ModbusDriver implements DeviceDriver {
  readonly #options: ModbusDriverOptions
  readonly #turns = new Turns()
  readonly #quiet: Quiet
  readonly #points: ReadonlyMap<string, { readonly bound: BoundRegister; readonly reporter: Reporter }>
  readonly #polled: readonly PolledPoint[]
  #master: ModbusMaster | null = null
  #isClosed = false

  constructor(options: ModbusDriverOptions) {
    this.#options = options
    const { bindings, events, clock } = options
    this.#quiet = new Quiet(clock)
    const points = bindings.map((bound) => ({ bound, reporter: new Reporter(bound.resource, events) }))
    this.#points = new Map(points.map((point) => [point.bound.resource.name, point]))
    this.#polled = points
      .filter(({ bound }) => bound.isRead)
      .map(({ bound, reporter }) => {
        const { intervalMs, wiring } = bound
        const ask = async (): Promise<Value> =>
          await this.#exchange(wiring.timeoutMs, async (master) => await read(master, bound))
        return new PolledPoint({ clock, intervalMs, retries: wiring.retries, turns: this.#turns, reporter, ask })
      })
  }

  start(): void {
    for (const polled of this.#polled) polled.start()
  }

  write(resource: string, value: Value, done: (problem: string | null) => void): void {
    const point = this.#points.get(resource)
    assert(point !== undefined, 'the profile was checked')
    const { bound, reporter } = point
    const isTaken = this.#turns.add(async () => {
      const set = async (): Promise<void> =>
        await this.#exchange(bound.wiring.timeoutMs, async (master) => await write(master, bound, value))
      const answer = await askRepeatedly(set, bound.wiring.retries)
      if (answer.kind === 'answer') reporter.takeSet(value)
      else reporter.fail(answer.reason, answer.isGone)
      done(answer.kind === 'answer' ? null : answer.reason)
    }, true)
    if (!isTaken) done('too many requests wait for the port')
  }

  readBack(): null {
    return null
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const polled of this.#polled) polled.stop()
    this.#turns.clear()
    this.#quiet.end()
    await this.#letGo()
  }

  /** One request on a line that is open. When no answer comes the line is closed, and opened anew for the next request. */
  async #exchange<Type>(timeoutMs: number, request: (master: ModbusMaster) => Promise<Type>): Promise<Type> {
    await this.#quiet.over()
    const master = await this.#open()
    try {
      return await request(master)
    } catch (error) {
      if (!(error instanceof Refused)) {
        this.#quiet.begin(timeoutMs)
        await this.#letGo()
      }
      throw error
    }
  }

  async #open(): Promise<ModbusMaster> {
    if (this.#isOver()) throw new PortGone(ENDING)
    if (this.#master !== null) return this.#master
    const opened = await this.#openMaster()
    // The driver may have been closed while the port was being opened: nobody else would close it, and whoever comes next needs it.
    if (this.#isOver()) {
      await opened.close()
      throw new PortGone(ENDING)
    }
    this.#master = opened
    return opened
  }

  async #openMaster(): Promise<ModbusMaster> {
    let opened: ModbusMaster | null = null
    try {
      opened = await this.#options.openMaster(() => {
        if (opened === null || this.#master !== opened) return
        this.#master = null
        // Plugged in again before the next request, it would not be missed.
        if (!this.#isClosed) for (const { reporter } of this.#points.values()) reporter.fail(UNPLUGGED, true)
      })
      return opened
    } catch (error) {
      throw new PortGone(error instanceof Error ? error.message : String(error))
    }
  }

  #isOver(): boolean {
    return this.#isClosed
  }

  async #letGo(): Promise<void> {
    const master = this.#master
    this.#master = null
    await master?.close()
  }
}

const ENDING = 'the gateway ends'
const UNPLUGGED = 'the serial port is gone: its adapter was unplugged, or the system took it away'

async function read(master: ModbusMaster, { wiring, resource }: BoundRegister): Promise<Value> {
  const { unitId, primaryTable, startingAddress, timeoutMs } = wiring
  const rawType = rawTypeIn(wiring, resource)
  const count = isBitTable(primaryTable) ? 1 : registersOf(rawType)
  const found = await master.read(unitId, primaryTable, startingAddress, count, timeoutMs)
  if (found.length !== count) throw new Error(`unit ${unitId} gives ${found.length} values instead of ${count}`)
  return isBitTable(primaryTable) ? found[0] === 1 : decodeRegisters(found, rawType, wiring)
}

async function write(master: ModbusMaster, { wiring, resource }: BoundRegister, value: Value): Promise<void> {
  const { unitId, primaryTable, startingAddress, timeoutMs } = wiring
  if (isBitTable(primaryTable)) return await master.writeCoil(unitId, startingAddress, value === true, timeoutMs)
  assert(typeof value === 'number' || typeof value === 'bigint', 'the profile was checked, and the value too')
  const rawType = rawTypeIn(wiring, resource)
  const raw = rawOfValue(resource.properties, value, isFloatType(rawType))
  const registers = encodeRegisters(raw, rawType, wiring)
  if (registers === null) throw new Error(`${raw} does not fit ${rawType}: correct scale or rawType in the profile`)
  await master.writeRegisters(unitId, startingAddress, registers, timeoutMs)
}

/** Bits have none, and none is asked for. */
function rawTypeIn(wiring: ModbusBinding, { properties }: DeviceResource): RawType {
  return rawTypeOf(properties.valueType, wiring.rawType) ?? 'Uint16'
}
