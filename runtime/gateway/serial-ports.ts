import { LineDecoder } from '../links/serial/decoder.ts'
import { type SerialDevice, SerialDevices } from '../links/serial/devices.ts'
import { portOnDemand } from '../links/serial/open.ts'
import { decodePacket } from '../links/serial/packet.ts'

/** The serial ports of this machine, for people who set up a link; the links themselves are in `links/serial`. */
export type { SerialDevice } from '../links/serial/devices.ts'

export function listSerialPorts(): SerialDevice[] {
  return new SerialDevices().list()
}

export interface PortCheck {
  readonly port: string
  /** What it is now, or null if it is not there. */
  readonly device: string | null
  /** Why it cannot be opened, or null. */
  readonly problem: string | null
  /** What else uses it, or makes it a poor choice. */
  readonly warnings: readonly string[]
}

/** Opens the port for a moment, and looks for what else is on it. */
export async function checkSerialPort(port: string, baud: number): Promise<PortCheck> {
  const devices = new SerialDevices()
  const resolved = devices.resolve(port)
  if ('problem' in resolved) return { port, device: null, problem: resolved.problem, warnings: [] }
  const { device } = resolved
  return { port, device, problem: await openingProblem(device, baud), warnings: devices.warnings(device) }
}

function openingProblem(device: string, baud: number): Promise<string | null> {
  return new Promise((resolve) => {
    const opened = portOnDemand(
      device,
      baud,
    )({
      opened: () => void opened.close().then(() => resolve(null)),
      data: () => undefined,
      gone: resolve,
    })
  })
}

/** One thing that was heard on a line. */
export type Heard =
  | {
      readonly kind: 'hello'
      readonly node: string
      readonly fleet: string
      readonly payload: number
      readonly isAsking: boolean
    }
  | { readonly kind: 'goodbye' }
  | { readonly kind: 'data'; readonly stream: string; readonly seq: number; readonly bytes: number }
  | { readonly kind: 'acknowledgement'; readonly ack: number; readonly missing: boolean }
  | { readonly kind: 'unknown'; readonly bytes: number }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'text'; readonly text: string }

/**
 * Listens on a port and never writes. The gateway that uses it must be stopped, or a second adapter listen to the same wire.
 * @returns why it ended: the port is gone, or could not be opened
 */
export function monitorSerialPort(
  port: string,
  baud: number,
  onHeard: (heard: Heard) => void,
): { readonly ended: Promise<string>; readonly close: () => Promise<void> } {
  const decoder = new LineDecoder()
  const ending: { close: () => Promise<void> } = { close: () => Promise.resolve() }
  const ended = new Promise<string>((resolve) => {
    const opened = portOnDemand(
      port,
      baud,
    )({
      opened: () => undefined,
      data: (bytes) => {
        for (const piece of decoder.push(bytes)) {
          if (piece.kind === 'damaged') onHeard(piece)
          else if (piece.kind === 'foreign') onHeard({ kind: 'text', text: Buffer.from(piece.bytes).toString('utf8') })
          else onHeard(heardIn(piece.content))
        }
      },
      gone: resolve,
    })
    ending.close = () => opened.close()
  })
  return { ended, close: () => ending.close() }
}

function heardIn(content: Uint8Array): Heard {
  const packet = decodePacket(content)
  switch (packet?.kind) {
    case undefined:
      return { kind: 'unknown', bytes: content.length }
    case 'hello': {
      const { node, fleet, payloadMax, isAsking } = packet.hello
      return { kind: 'hello', node, fleet, payload: payloadMax, isAsking }
    }
    case 'goodbye':
      return { kind: 'goodbye' }
    case 'data': {
      const { stream, seq, payload } = packet.data
      return { kind: 'data', stream, seq, bytes: payload.length }
    }
    case 'acknowledgement':
      return { kind: 'acknowledgement', ack: packet.acknowledgement.ack, missing: packet.acknowledgement.bitmap !== 0 }
  }
}
