import type { PortWords } from '../profiles/attributes.ts'

/** The port to a serial line with an instrument on it; the gateway hands in the real one. */

/** How an instrument talks. */
export type SerialSettings = Pick<PortWords, 'port' | 'baudRate' | 'parity' | 'dataBits' | 'stopBits'>

/** Begins to open the port. Nothing is told before the call has returned. */
export type OpenInstrumentPort = (settings: SerialSettings, events: InstrumentPortEvents) => InstrumentPort

export interface InstrumentPort {
  /** Only after `opened`; what cannot be written is lost. */
  write(bytes: Uint8Array): void
  /** No event follows the call. Never rejects. */
  close(): Promise<void>
}

export interface InstrumentPortEvents {
  opened(device: string): void
  data(bytes: Uint8Array): void
  /** It could not be opened, or is not there any more. Told once, and nothing follows. @param cause one line */
  gone(cause: string): void
}
