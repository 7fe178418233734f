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

/** A wait ends with its condition, so it costs nothing that it may take as long as a slow and busy machine needs. */
export const PATIENCE_MS = 60_000

/** Waits, in real time, for something that other processes or sockets bring about. */
export async function until(condition: () => boolean, what: string, patienceMs: number = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
}

/** As `until`, where it takes a call to know: of another process, say. @returns what the call gave when it was enough */
export async function untilAnswered<Answer>(
  ask: () => Promise<Answer>,
  isEnough: (answer: Answer) => boolean,
  what: string,
): Promise<Answer> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await ask()
    if (isEnough(answer)) return answer
    if (performance.now() > deadline) {
      throw new Error(`waited ${PATIENCE_MS} ms in vain until ${what}: ${JSON.stringify(answer).slice(0, 4000)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
}
