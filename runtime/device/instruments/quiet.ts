import type { Clock, Monotonic } from '../../base/clock.ts'

/**
 * After a request that was not answered in time nothing is asked for as long again: its answer may still come, and nothing in it
 * tells whose answer it is. Taken for that of the next request, it would put each reading of a slow instrument one place further.
 */
export class Quiet {
  readonly #clock: Clock
  #until: Monotonic = -Infinity
  #endWait: () => void = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param timeoutMs within which the answer should have come */
  begin(timeoutMs: number): void {
    this.#until = this.#clock.now() + timeoutMs
  }

  async over(): Promise<void> {
    if (this.#clock.now() >= this.#until) return
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.schedule(this.#until, resolve)
      this.#endWait = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Nobody waits any more. */
  end(): void {
    this.#until = -Infinity
    this.#endWait()
  }
}
