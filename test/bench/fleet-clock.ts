import type { Clock, Monotonic } from '../../runtime/base/clock.ts'

/** The machine's clock, which can be let run faster while nothing happens but the passing of time. */
export class FleetClock implements Clock {
  readonly #entries = new Set<Entry>()
  #speed = 1
  /** Where the clock and the machine's stood when the speed changed. */
  #base = performance.now()
  #realBase: number = this.#base

  now(): Monotonic {
    return this.#base + (performance.now() - this.#realBase) * this.#speed
  }

  schedule(at: Monotonic, callback: () => void): () => void {
    const entry: Entry = { at, callback, timer: null }
    this.#entries.add(entry)
    this.#arm(entry)
    return () => this.#drop(entry)
  }

  set speed(speed: number) {
    this.#base = this.now()
    this.#realBase = performance.now()
    this.#speed = speed
    for (const entry of this.#entries) this.#arm(entry)
  }

  #arm(entry: Entry): void {
    if (entry.timer !== null) clearTimeout(entry.timer)
    const delayMs = Math.ceil(Math.max(0, entry.at - this.now()) / this.#speed)
    entry.timer = setTimeout(() => {
      this.#drop(entry)
      entry.callback()
    }, delayMs)
  }

  #drop(entry: Entry): void {
    if (entry.timer !== null) clearTimeout(entry.timer)
    this.#entries.delete(entry)
  }
}

interface Entry {
  readonly at: Monotonic
  readonly callback: () => void
  timer: NodeJS.Timeout | null
}
