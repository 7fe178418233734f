import { STRANGER_LINES_INTERVAL_MS, STRANGER_LINES_MAX } from '../base/limits.ts'

/**
 * Lets a few lines through in each minute: for what strangers can bring about as often as they like, since the log of a
 * gateway is kept on a card that wears and has an end.
 */
export class RareLines {
  readonly #write: (line: string) => void
  readonly #now: () => number
  #since = -Infinity
  #lines = 0
  #leftOut = 0

  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write
    this.#now = now
  }

  say(line: string): void {
    const now = this.#now()
    if (now - this.#since >= STRANGER_LINES_INTERVAL_MS) this.#begin(now)
    this.#lines += 1
    if (this.#lines <= STRANGER_LINES_MAX) this.#write(line)
    else this.#leftOut += 1
  }

  #begin(now: number): void {
    if (this.#leftOut > 0) this.#write(`${this.#leftOut} more lines as those before were left out`)
    this.#since = now
    this.#lines = 0
    this.#leftOut = 0
  }
}

/** A name that a stranger chose, as a line of the log may hold it. */
export function shownName(name: string): string {
  const plain = name.replace(/[^ -~]/g, '?')
  return plain.length <= NAME_CHARACTERS ? plain : `${plain.slice(0, NAME_CHARACTERS)}…`
}

const NAME_CHARACTERS = 80
