import { SERIAL_LOSS_MEMORY_BYTES, SERIAL_LOSS_PRIOR_BYTES, SERIAL_PAYLOAD_MIN } from '../../base/limits.ts'
import { DATA_HEADER_BYTES } from './packet.ts'
import { lineBytesOf } from './frame.ts'

/**
 * The best payload on a line that loses frames. With a header of h bytes and an error rate of e for each byte a payload of p
 * carries p / (p + h) * (1 - e (p + h)), which is best at p = sqrt(h / e).
 */
export class LossMeter {
  readonly #payloadMax: number
  #bytes: number = SERIAL_LOSS_PRIOR_BYTES
  #lost = 0

  constructor(payloadMax: number) {
    this.#payloadMax = payloadMax
  }

  get payload(): number {
    if (this.#lost === 0) return this.#payloadMax
    const best = Math.round(Math.sqrt((HEADER_BYTES * this.#bytes) / this.#lost))
    return Math.max(SERIAL_PAYLOAD_MIN, Math.min(this.#payloadMax, best))
  }

  noteSent(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < SERIAL_LOSS_MEMORY_BYTES) return
    this.#bytes /= 2
    this.#lost /= 2
    // A loss that is long ago says nothing.
    if (this.#lost < 0.5) this.#lost = 0
  }

  noteLost(frames: number): void {
    this.#lost += frames
  }
}

const HEADER_BYTES = lineBytesOf(DATA_HEADER_BYTES)
