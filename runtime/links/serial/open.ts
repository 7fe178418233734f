import type { Clock } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import {
  SERIAL_BAUD_DEFAULT,
  SERIAL_BAUD_MAX,
  SERIAL_BAUD_MIN,
  SERIAL_PAYLOAD_MAX,
  SERIAL_PAYLOAD_MIN,
} from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'
import { BusStation } from './bus-station.ts'
import type { CharacterFormat, OpenPort, OpenSerialPort } from './port-events.ts'
import { PointToPoint } from './point-to-point.ts'
import { SerialLink } from './serial-link.ts'

/** A serial line as its operator describes it. */
export interface SerialLineOptions {
  /** A device, or a name that stays with the adapter: `usb:VENDOR:PRODUCT:SERIAL`, `usb-socket:1-1.2`. */
  readonly port: string
  /** The same on both sides, SERIAL_BAUD_MIN to SERIAL_BAUD_MAX; SERIAL_BAUD_DEFAULT if not given. */
  readonly baud?: number | undefined
  /** Bytes of payload in a frame, 64 to 1000; what fits the baud if not given. The smaller one of both sides counts. */
  readonly payload?: number | undefined
  /** `serial` unless there are several. */
  readonly name?: string | undefined
  /** On a bus of several stations, RS-485: the address of this one, 1 to 16, another one for each. Between two: not given. */
  readonly address?: number | undefined
  /** Told of bytes on the line that are no frames of this link: text of a console, or another protocol. */
  readonly onForeign?: ((bytes: Uint8Array) => void) | undefined
}

export interface SerialLinkContext {
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly node: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** A link over a serial port of this machine. The library for ports is loaded when the link is opened. */
export function serialLink(options: SerialLineOptions & SerialLinkContext): SerialLink {
  const { port, baud = SERIAL_BAUD_DEFAULT, payload, address, name = 'serial', onForeign } = options
  const { fleet, node, clock, random, logger } = options
  assert(baud >= SERIAL_BAUD_MIN && baud <= SERIAL_BAUD_MAX, 'the baud is one that a line has')
  assert(
    payload === undefined || (payload >= SERIAL_PAYLOAD_MIN && payload <= SERIAL_PAYLOAD_MAX),
    'the payload is one that a frame holds',
  )
  const line = { fleet, node, baud, payload, random, where: port }
  return new SerialLink({
    name,
    reach: address === undefined ? 'point-to-point' : 'broadcast',
    where: port,
    openPort: portOnDemand(port, baud),
    machine: address === undefined ? new PointToPoint(line) : new BusStation({ ...line, address }),
    clock,
    random,
    logger,
    onForeign,
  })
}

/** Opens a port of this machine, and loads the library for it first. */
export function portOnDemand(port: string, baud: number, format?: CharacterFormat): OpenSerialPort {
  return (events) => {
    const state: { isClosed: boolean; opened: OpenPort | null } = { isClosed: false, opened: null }
    import('./port.ts').then(
      ({ serialPort }) => {
        if (!state.isClosed) state.opened = serialPort({ port, baud, format })(events)
      },
      (error: unknown) => {
        if (!state.isClosed)
          events.gone(`${port}: the library for serial ports does not load (${String(error)}): npm install serialport`)
      },
    )
    return {
      write: (bytes) => state.opened?.write(bytes),
      close() {
        state.isClosed = true
        return state.opened?.close() ?? Promise.resolve()
      },
    }
  }
}
