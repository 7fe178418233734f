import type { Monotonic } from '../../runtime/base/clock.ts'

/** The monotonic clock of one machine: it starts anywhere, runs at a rate of its own, and may jump forward. */
export class LocalClock {
  #since: number
  #reading: Monotonic
  #rate = 1

  constructor(now: number, reading: Monotonic) {
    this.#since = now
    this.#reading = reading
  }

  get rate(): number {
    return this.#rate
  }

  read(now: number): Monotonic {
    return this.#reading + (now - this.#since) * this.#rate
  }

  /** The time at which this clock reads `reading`. */
  timeOf(reading: Monotonic): number {
    return this.#since + (reading - this.#reading) / this.#rate
  }

  setRate(rate: number, now: number): void {
    this.#reading = this.read(now)
    this.#since = now
    this.#rate = rate
  }

  /** Moves the clock forward to at least `reading`; it never goes back. */
  advanceTo(reading: Monotonic, now: number): void {
    this.#reading = Math.max(reading, this.read(now))
    this.#since = now
  }
}
