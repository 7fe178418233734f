// serialport: the maintained binding for serial ports with ready-built add-ons for every Pi; MIT. Loaded only by a gateway
// that has a serial link.
import { SerialPort } from 'serialport'
import { SerialDevices } from './devices.ts'
import type { OpenPort, OpenSerialPort, PortEvents } from './port-events.ts'

export interface PortOptions {
  /** A device, or a name that stays with the adapter: see {@link SerialDevices.resolve}. */
  readonly port: string
  readonly baud: number
  readonly devices?: SerialDevices | undefined
}

/** Opens a port of this machine for this process alone: 8 bits, no parity, one stop bit, no flow control. */
export function serialPort({ port, baud, devices = new SerialDevices() }: PortOptions): OpenSerialPort {
  return (events) => new NodePort(port, baud, devices, events)
}

class NodePort implements OpenPort {
  readonly #events: PortEvents
  readonly #devices: SerialDevices
  #device: string
  #baud: number
  #port: SerialPort | null = null
  /** No event is told any more. */
  #isOver = false

  constructor(name: string, baud: number, devices: SerialDevices, events: PortEvents) {
    this.#events = events
    this.#devices = devices
    this.#device = name
    this.#baud = baud
    void Promise.resolve().then(() => this.#open(name))
  }

  write(bytes: Uint8Array): void {
    if (this.#port?.isOpen === true) this.#port.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
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
    const port = new SerialPort({ path: resolved.device, baudRate: this.#baud, lock: true, autoOpen: false })
    this.#port = port
    port.on('error', (error) => this.#end(this.#explain(error)))
    port.on('close', () => this.#end(`${this.#device} is gone: the adapter was unplugged; plug it in again`))
    port.on('data', (bytes: Buffer) => {
      if (!this.#isOver) this.#events.data(bytes)
    })
    port.open((error) => {
      if (error !== null && error !== undefined) return this.#end(this.#explain(error))
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

  /** One line: what, where, what to do. The add-on gives the words of the operating system. */
  #explain(error: Error): string {
    const device = this.#device
    const message = error.message.replace(/^Error:? */, '').replace(/\s+/g, ' ')
    if (/lock|busy|temporarily unavailable/i.test(message)) {
      const holder = this.#devices.holder(device)
      if (holder?.pid === process.pid)
        return `${device} is in use by another link of this gateway: give one of them another port`
      const by = holder === null ? 'another program' : `${holder.command}, process ${holder.pid}`
      return `${device} is in use by ${by}: end it, or give this link another port`
    }
    if (/permission denied|EACCES/i.test(message))
      return `this user may not open ${device}: sudo usermod -aG ${this.#devices.group(device)} "$USER", then log in again`
    if (/no such file|ENOENT/i.test(message))
      return `${device} is not there: plug it in; fleetstep serial list shows what is`
    if (/baud/i.test(message))
      return `${device} cannot do ${this.#baud} baud (${message}): choose another one on both sides`
    return `${device} does not work (${message}): check it with fleetstep serial check`
  }
}
