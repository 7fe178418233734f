import type { Monotonic } from '../../base/clock.ts'
import {
  SERIAL_BACKLOG_MS,
  SERIAL_FRAME_MS_MAX,
  SERIAL_PAYLOAD_DEFAULT,
  SERIAL_PAYLOAD_MIN,
  SERIAL_REFILL_MS,
} from '../../base/limits.ts'
import { DATA_HEADER_BYTES } from './packet.ts'
import { lineBytesOf } from './frame.ts'

/** Start bit, eight bits, stop bit. */
const BITS_PER_BYTE = 10
/** A clock of the other machine, or of the port, may be a little slow: what it cannot take must not pile up in the port. */
const SLACK = 0.998

/** What a line carries, in bytes for each millisecond. */
export function lineRate(baud: number): number {
  return baud / BITS_PER_BYTE / 1000
}

/** The payload at which one frame holds up what is urgent for no longer than SERIAL_FRAME_MS_MAX. */
export function payloadFor(baud: number): number {
  const bytes = Math.floor(lineRate(baud) * SERIAL_FRAME_MS_MAX) - lineBytesOf(DATA_HEADER_BYTES)
  return Math.max(SERIAL_PAYLOAD_MIN, Math.min(SERIAL_PAYLOAD_DEFAULT, bytes))
}

/**
 * When the next frame may go to the port. Once written nothing can overtake it, and a port does not say how much it holds
 * (a pseudo-terminal drains at once), so the time that the bytes take is counted here.
 */
export class Pacer {
  readonly #bytesPerMs: number
  #freeAt: Monotonic = -Infinity

  constructor(baud: number) {
    this.#bytesPerMs = lineRate(baud) * SLACK
  }

  /** When all that was written has left. */
  get freeAt(): Monotonic {
    return this.#freeAt
  }

  timeOf(bytes: number): number {
    return bytes / this.#bytesPerMs
  }

  isIdle(now: Monotonic): boolean {
    return this.#freeAt <= now
  }

  /** A frame of `bytes` may be written at this time: the port would not hold too much then, or is about to run dry. */
  mayWriteAt(bytes: number): Monotonic {
    return this.#freeAt - Math.max(SERIAL_REFILL_MS, SERIAL_BACKLOG_MS - this.timeOf(bytes))
  }

  /** @returns when the last of `bytes`, written now, leaves */
  note(bytes: number, now: Monotonic): Monotonic {
    this.#freeAt = Math.max(this.#freeAt, now) + this.timeOf(bytes)
    return this.#freeAt
  }
}
