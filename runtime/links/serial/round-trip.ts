import { SERIAL_TIMEOUT_MAX_MS, SERIAL_TIMEOUT_MIN_MS } from '../../base/limits.ts'

/**
 * How long to wait for an acknowledgement: RFC 6298, with a floor of SERIAL_TIMEOUT_MIN_MS. Losses are found by gaps at
 * once, so the timeout is only for the end of a transfer, and a short one would send again what a busy machine has.
 */
export class RoundTrip {
  readonly #initialMs: number
  readonly #leastMs: number
  #smoothedMs: number | null = null
  #variationMs = 0
  #backOff = 0

  /** @param frameMs what the longest frame takes on the line: an acknowledgement may have to wait for some of them */
  constructor(frameMs: number) {
    this.#initialMs = 1000 + 4 * frameMs
    // The other side may be in a frame, and the acknowledgement rides on the next one.
    this.#leastMs = Math.max(SERIAL_TIMEOUT_MIN_MS, 3 * frameMs)
  }

  /** Null before the first sample. */
  get smoothedMs(): number | null {
    return this.#smoothedMs
  }

  get timeoutMs(): number {
    const computed =
      this.#smoothedMs === null ? this.#initialMs : this.#smoothedMs + Math.max(GRANULARITY_MS, 4 * this.#variationMs)
    const base = Math.max(this.#leastMs, computed)
    return Math.min(base * 2 ** this.#backOff, SERIAL_TIMEOUT_MAX_MS)
  }

  /** Section 2: the transmission that is acknowledged is known exactly, so one that was repeated counts too. */
  note(sampleMs: number): void {
    this.#backOff = 0
    if (this.#smoothedMs === null) {
      this.#smoothedMs = sampleMs
      this.#variationMs = sampleMs / 2
      return
    }
    this.#variationMs += (Math.abs(this.#smoothedMs - sampleMs) - this.#variationMs) / 4
    this.#smoothedMs += (sampleMs - this.#smoothedMs) / 8
  }

  /** Section 5.5. */
  noteTimeout(): void {
    this.#backOff = Math.min(this.#backOff + 1, 10)
  }
}

/** A timer of a busy machine is no finer. */
const GRANULARITY_MS = 10
