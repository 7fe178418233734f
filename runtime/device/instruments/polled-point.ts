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
  /** Repetitions of the request that is under way. */
  #repeated = 0
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
    const { clock, intervalMs, reporter, ask } = this.#options
    const answer = await askOnce(ask)
    if (this.#isOver || (answer.kind === 'failed' && this.#isAskedAgain(answer, dueAt))) return
    this.#repeated = 0
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

  /** Each repetition takes a turn of its own: what is to be set, a safe value perhaps, does not wait for all of them. */
  #isAskedAgain(answer: Failure, dueAt: Monotonic): boolean {
    const { retries, turns } = this.#options
    if (answer.isFinal || this.#repeated >= retries) return false
    this.#repeated += 1
    return turns.add(async () => await this.#take(dueAt), false)
  }
}

/** What became of a request. */
export type Answer<Type> = { readonly kind: 'answer'; readonly value: Type } | Failure

interface Failure {
  readonly kind: 'failed'
  readonly reason: string
  readonly isGone: boolean
  /** Neither a port that is not there nor a device that refuses does better the next moment. */
  readonly isFinal: boolean
}

/** Asks until there is an answer, or one that is final. @param retries repetitions of a request that failed */
export async function askRepeatedly<Type>(ask: () => Promise<Type>, retries: number): Promise<Answer<Type>> {
  for (let repeated = 0; ; repeated++) {
    const answer = await askOnce(ask)
    if (answer.kind === 'answer' || answer.isFinal || repeated >= retries) return answer
  }
}

async function askOnce<Type>(ask: () => Promise<Type>): Promise<Answer<Type>> {
  try {
    return { kind: 'answer', value: await ask() }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const isGone = error instanceof PortGone
    return { kind: 'failed', reason, isGone, isFinal: isGone || error instanceof Refused }
  }
}

/** The device has answered, but with a refusal. */
export class Refused extends Error {}

/** The port itself is not there. */
export class PortGone extends Error {}
