import type { InstrumentPort, InstrumentPortEvents, SerialSettings } from '../../device/instruments/serial-port.ts'
import type { ModbusMaster } from '../../device/instruments/modbus-master.ts'
import { SerialDevices } from '../../links/serial/devices.ts'
import { portOnDemand } from '../../links/serial/open.ts'
import { explainPortFailure } from '../../links/serial/port-failure.ts'

/** The names that the config gives to ports: `ports: { meter: usb:0403:6001:A5069RR4 }`. */
export type PortNames = Readonly<Record<string, string>>

/** Opens ports of this machine for instruments. */
export class InstrumentPorts {
  readonly #names: PortNames
  readonly #devices = new SerialDevices()

  constructor(names: PortNames) {
    this.#names = names
  }

  open(settings: SerialSettings, events: InstrumentPortEvents): InstrumentPort {
    const { dataBits, parity, stopBits, baudRate } = settings
    const problem = this.#nameProblem(settings.port)
    if (problem !== null) return absentPort(problem, events)
    return portOnDemand(this.#portOf(settings.port), baudRate, { dataBits, parity, stopBits })(events)
  }

  /** @throws Error whose message is one line: what, where, what to do */
  async openModbus(settings: SerialSettings, onGone: () => void): Promise<ModbusMaster> {
    const unnamed = this.#nameProblem(settings.port)
    if (unnamed !== null) throw new Error(unnamed)
    const resolved = this.#devices.resolve(this.#portOf(settings.port))
    if ('problem' in resolved) throw new Error(resolved.problem)
    const { openModbusMaster } = await import('../../device/instruments/modbus-master.ts')
    try {
      return await openModbusMaster(resolved.device, settings, onGone)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      const problem = explainPortFailure(error, resolved.device, settings.baudRate, this.#devices)
      throw new Error(problem, { cause: error })
    }
  }

  #portOf(port: string): string {
    return this.#names[port] ?? port
  }

  #nameProblem(port: string): string | null {
    if (/^(\/|usb:|usb-socket:)/.test(port) || Object.hasOwn(this.#names, port)) return null
    return `the profile speaks on the port ${port}, which the config does not name: add ports: { ${port}: /dev/… } to it`
  }
}

function absentPort(problem: string, events: InstrumentPortEvents): InstrumentPort {
  let isClosed = false
  void Promise.resolve().then(() => {
    if (!isClosed) events.gone(problem)
  })
  return {
    write: () => undefined,
    close() {
      isClosed = true
      return Promise.resolve()
    },
  }
}
