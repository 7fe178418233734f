import type { Clock, Monotonic } from '../../base/clock.ts'
import type { Value } from '../../state/value.ts'
import { retryDelayMs } from '../drivers/back-off.ts'
import type { Reporter } from '../drivers/reporter.ts'
import type { Turns } from './turns.ts'

export interface PolledPointOptions {
  readonly clock: Clock
  readonly intervalMs: number
  /** Repetitions of a request that failed. */
  readonly retries: number
  readonly turns: Turns
  readonly reporter: Reporter
  /** One request and its answer. Rejects with an Error whose message is one line for people. */
  readonly ask: () => Promise<Value>
}

/** Asks for one reading at its interval; after failures with growing pauses, so that a dead device does not fill the port. */
export class PolledPoint {
  readonly #options: PolledPointOptions
  #failures = 0
  #isOver = false
  #cancel: () => void = () => undefined

  constructor(options: PolledPointOptions) {
    this.#options = options
  }

  start(): void {
    this.#schedule(this.#options.clock.now())
  }

  stop(): void {
    this.#isOver = true
    this.#cancel()
  }

  #schedule(at: Monotonic): void {
    const { clock, turns } = this.#options
    this.#cancel = clock.schedule(at, () => {
      const isTaken = turns.add(async () => await this.#take(at), false)
      if (!isTaken) this.#schedule(clock.now() + this.#options.intervalMs)
    })
  }

  async #take(dueAt: Monotonic): Promise<void> {
    if (this.#isOver) return
    const { clock, intervalMs, reporter, ask, retries } = this.#options
    const answer = await askRepeatedly(ask, retries, () => this.#isOver)
    if (this.#isOver) return
    if (answer.kind === 'failed') {
      this.#failures += 1
      reporter.fail(answer.reason, answer.isGone)
    } else {
      this.#failures = 0
      reporter.take(answer.value)
    }
    const pauseMs = this.#failures === 0 ? intervalMs : Math.max(intervalMs, retryDelayMs(this.#failures))
    const nextAt = dueAt + pauseMs
    const now = clock.now()
    this.#schedule(nextAt > now ? nextAt : now + pauseMs)
  }
}

/** What became of a request that was repeated. */
export type Answer<Type> =
  | { readonly kind: 'answer'; readonly value: Type }
  | { readonly kind: 'failed'; readonly reason: string; readonly isGone: boolean }

export async function askRepeatedly<Type>(
  ask: () => Promise<Type>,
  retries: number,
  isOver: () => boolean,
): Promise<Answer<Type>> {
  let reason = ''
  let isGone = false
  for (let attempt = 0; attempt <= retries && !isOver(); attempt++) {
    try {
      return { kind: 'answer', value: await ask() }
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
      isGone = error instanceof PortGone
      // Neither a port that is not there nor a device that refuses does better the next moment.
      if (isGone || error instanceof Refused) break
    }
  }
  return { kind: 'failed', reason, isGone }
}

/** The device has answered, but with a refusal. */
export class Refused extends Error {}

/** The port itself is not there. */
export class PortGone extends Error {}
