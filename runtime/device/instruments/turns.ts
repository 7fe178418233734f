import { INSTRUMENT_QUEUE_MAX } from '../../base/limits.ts'

/** Lets the requests to one port go one after the other, those of people before those of the timer. */
export class Turns {
  readonly #urgent: (() => Promise<void>)[] = []
  readonly #ordinary: (() => Promise<void>)[] = []
  #isRunning = false

  /** @param request never rejects. @returns false if too many wait already; it is not run then */
  add(request: () => Promise<void>, isUrgent: boolean): boolean {
    const queue = isUrgent ? this.#urgent : this.#ordinary
    if (queue.length >= INSTRUMENT_QUEUE_MAX) return false
    queue.push(request)
    if (!this.#isRunning) void this.#run()
    return true
  }

  clear(): void {
    this.#urgent.length = 0
    this.#ordinary.length = 0
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (;;) {
      const next = this.#urgent.shift() ?? this.#ordinary.shift()
      if (next === undefined) break
      await next()
    }
    this.#isRunning = false
  }
}
