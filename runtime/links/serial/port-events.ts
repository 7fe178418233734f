/** A port that is open or being opened. Nothing happens before the call that made it has returned. */
export interface OpenPort {
  /** Only after `opened`. What cannot be written is lost: the protocol of the line finds it. */
  write(bytes: Uint8Array): void
  /** Lets go of the port and of its lock. No event follows the call. Never rejects. */
  close(): Promise<void>
}

export interface PortEvents {
  /** @param device what was opened, for people: `/dev/ttyUSB0` */
  opened(device: string): void
  data(bytes: Uint8Array): void
  /** It could not be opened, or is not there any more. Told once, and nothing follows. @param cause one line: what, where, what to do */
  gone(cause: string): void
}

/** Begins to open the port. It is looked for anew each time: a device that was plugged in again has another name. */
export type OpenSerialPort = (events: PortEvents) => OpenPort

/** How a byte goes over the line. */
export interface CharacterFormat {
  readonly dataBits: 7 | 8
  readonly parity: 'none' | 'even' | 'odd'
  readonly stopBits: 1 | 2
}
