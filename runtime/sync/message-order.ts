/**
 * Which numbered messages of one member have come already: each counts once, by whatever links it comes, and what is far
 * behind the newest one is too late. The window of RFC 4303, section 3.4.3, behind the count of the member's starts.
 */
export class MessageOrder {
  #start = 0
  #highest = 0
  /** Bit n stands for the number `highest` - 1 - n. */
  #seen = 0

  isNew(start: number, number: number): boolean {
    if (start !== this.#start) return start > this.#start
    if (number > this.#highest) return true
    const behind = this.#highest - number
    return behind > 0 && behind <= WINDOW && ((this.#seen >>> (behind - 1)) & 1) === 0
  }

  /** A message that is new has come, and is what it seems. */
  note(start: number, number: number): void {
    if (start > this.#start) {
      this.#start = start
      this.#highest = number
      this.#seen = 0
    } else if (number > this.#highest) {
      const step = number - this.#highest
      const moved = step < WINDOW ? this.#seen << step : 0
      this.#seen = step <= WINDOW ? moved | (1 << (step - 1)) : 0
      this.#highest = number
    } else this.#seen |= 1 << (this.#highest - number - 1)
  }
}

/** Bits of a number of 32: messages that may overtake an older one. */
const WINDOW = 32
