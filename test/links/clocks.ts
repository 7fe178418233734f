import type { Clock, Monotonic } from '../../runtime/base/clock.ts'

export const realClock: Clock = {
  now: () => performance.now(),
  schedule(at, callback) {
    const timer = setTimeout(callback, Math.max(0, at - performance.now()))
    return () => clearTimeout(timer)
  },
}

/** Stands still until `step` jumps to the next callback. */
export class SteppedClock implements Clock {
  private time: Monotonic = 0
  private entries: { readonly at: Monotonic; readonly callback: () => void }[] = []

  now(): Monotonic {
    return this.time
  }

  schedule(at: Monotonic, callback: () => void): () => void {
    const entry = { at, callback }
    const after = this.entries.findIndex((other) => other.at > at)
    this.entries.splice(after < 0 ? this.entries.length : after, 0, entry)
    return () => {
      this.entries = this.entries.filter((other) => other !== entry)
    }
  }

  /** @returns false if nothing is scheduled */
  step(): boolean {
    const entry = this.entries.shift()
    if (entry === undefined) return false
    this.time = Math.max(this.time, entry.at)
    entry.callback()
    return true
  }
}

/** Waits, in real time, for something that other processes or sockets bring about. */
export async function until(condition: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
}
