// serialport: the maintained binding for serial ports with ready-built add-ons for every Pi; MIT. Loaded only by a gateway
// that has a serial link.
import { SerialPort } from 'serialport'
import { SERIAL_PORT_BYTES_MAX } from '../../base/limits.ts'
import { SerialDevices } from './devices.ts'
import type { CharacterFormat, OpenPort, OpenSerialPort, PortEvents } from './port-events.ts'
import { explainPortFailure } from './port-failure.ts'

export interface PortOptions {
  /** A device, or a name that stays with the adapter: see {@link SerialDevices.resolve}. */
  readonly port: string
  readonly baud: number
  /** 8 bits, no parity and one stop bit if not given. */
  readonly format?: CharacterFormat | undefined
  readonly devices?: SerialDevices | undefined
}

/** Opens a port of this machine for this process alone, without flow control. */
export function serialPort(options: PortOptions): OpenSerialPort {
  return (events) => new NodePort(options, events)
}

class NodePort implements OpenPort {
  readonly #events: PortEvents
  readonly #devices: SerialDevices
  readonly #settings: PortOptions
  #device: string
  #port: SerialPort | null = null
  /** No event is told any more. */
  #isOver = false

  constructor(settings: PortOptions, events: PortEvents) {
    this.#events = events
    this.#settings = settings
    this.#devices = settings.devices ?? new SerialDevices()
    this.#device = settings.port
    void Promise.resolve().then(() => this.#open(settings.port))
  }

  write(bytes: Uint8Array): void {
    const port = this.#port
    // A terminal whose other side takes nothing, as a USB gadget without a host, would have all that is said to it kept here.
    if (port?.isOpen !== true || port.writableLength > SERIAL_PORT_BYTES_MAX) return
    port.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  }

  close(): Promise<void> {
    this.#isOver = true
    const port = this.#port
    if (port === null || !(port.isOpen || port.opening)) return Promise.resolve()
    return new Promise((resolve) => {
      // What was written last has only been handed to the event loop.
      if (port.isOpen) return port.drain(() => port.close(() => resolve()))
      // It cannot be closed while it is being opened; a port that hangs in there is not waited for.
      port.once('open', () => port.close())
      resolve()
    })
  }

  #open(name: string): void {
    if (this.#isOver) return
    const resolved = this.#devices.resolve(name)
    if ('problem' in resolved) return this.#end(resolved.problem)
    this.#device = resolved.device
    const { baud, format } = this.#settings
    const port = new SerialPort({ path: resolved.device, baudRate: baud, ...format, lock: true, autoOpen: false })
    this.#port = port
    port.on('error', (error) => this.#end(explainPortFailure(error, this.#device, this.#settings.baud, this.#devices)))
    port.on('close', () => this.#end(`${this.#device} is gone: the adapter was unplugged; plug it in again`))
    port.on('data', (bytes: Buffer) => {
      if (!this.#isOver) this.#events.data(bytes)
    })
    port.open((error) => {
      if (error !== null && error !== undefined)
        return this.#end(explainPortFailure(error, this.#device, this.#settings.baud, this.#devices))
      // What the driver has kept from before belongs to nobody.
      port.flush(() => {
        if (!this.#isOver) this.#events.opened(this.#device)
      })
    })
  }

  #end(cause: string): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#port?.isOpen === true) this.#port.close(() => undefined)
    this.#events.gone(cause)
  }
}
