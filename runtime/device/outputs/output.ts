import type { Clock, Monotonic } from '../../base/clock.ts'
import { OUTPUT_VERIFY_INTERVAL_MS } from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import { equalValues, type Value } from '../../state/value.ts'
import { showValue } from '../../state/rules/show-value.ts'
import { retryDelayMs } from '../drivers/back-off.ts'
import type { OutputRules } from './rules.ts'

export interface OutputOptions {
  /** For people. */
  readonly name: string
  readonly rules: OutputRules
  readonly clock: Clock
  readonly logger: Logger
  /** Sets the device; `done` is called once: null, or why it failed. */
  readonly write: (value: Value, done: (problem: string | null) => void) => void
  /** What the device has, or null where that cannot be told. */
  readonly readBack: () => Value | null
  /** The device took a value, or did not (then with the reason). */
  readonly onResult: (value: Value, problem: string | null) => void
}

/**
 * One output follows what the state wants, by these rules:
 *
 * 1. It is safe from the start on, until the state wants something; and after `safeAfter` without any link, until one is
 *    up again (from the start on too: no link has been up yet). Safe means `safeValue`; without one nothing is done.
 * 2. Otherwise it takes what is wanted, but never changes twice within `dwell`: of all that is wanted meanwhile only the
 *    last counts, so two that fight over it move it no faster than that.
 * 3. The safe value of a lost link and of the end does not wait for `dwell`.
 * 4. A device that refuses is asked again with growing pauses, for what is wanted then. One that did not answer gets its
 *    value again when it does; and it is looked at now and then whether it still has it, where that can be seen.
 * 5. One whose plug was pulled begins anew when it is back, as at the start: its safe value first, and that for a dwell.
 */
export class Output {
  readonly #options: OutputOptions
  #wanted: Value | undefined
  /** No link has been up for `safeAfter`. */
  #isLost: boolean
  #isLossTold = false
  #isEnding = false
  #isLeft = false
  /** Its port was not there, and it has not had its safe value since. */
  #isAway = false
  /** What the device has taken, or undefined if nobody knows. */
  #written: Value | undefined
  #changedAt: Monotonic = -Infinity
  #isWriting = false
  #failures = 0
  #retryAt: Monotonic = -Infinity
  #cancelNext: () => void = () => undefined
  #cancelLoss: (() => void) | null = null
  #cancelVerify: () => void = () => undefined
  #onIdle: () => void = () => undefined

  constructor(options: OutputOptions) {
    this.#options = options
    this.#isLost = options.rules.safeAfterMs !== null
  }

  /**
   * @param wanted what the state wants already
   * @param isTakenOver the device has been following the state until now, under another profile
   */
  start(wanted: Value | undefined, isTakenOver: boolean = false): void {
    if (isTakenOver) this.#isLost = false
    // Otherwise the safe value comes first, and stays for a dwell: the start of a gateway is no reason to switch twice.
    else this.#settle()
    this.#wanted = wanted
    this.#settle()
    this.#verifyLater()
  }

  /** The state wants another value, or none any more. */
  want(value: Value | undefined): void {
    this.#wanted = value
    this.#settle()
  }

  noteLinks(isAnyUp: boolean): void {
    const { name, clock, logger, rules } = this.#options
    if (rules.safeAfterMs === null || this.#isEnding) return
    if (isAnyUp) {
      this.#isLossTold = false
      this.#cancelLoss?.()
      this.#cancelLoss = null
      this.#isLost = false
      this.#settle()
    } else if (this.#isLost) {
      if (!this.#isLossTold) logger.warn(`${name}: no link is up, so it has its safe value until one is`)
      this.#isLossTold = true
    } else {
      this.#cancelLoss ??= clock.schedule(clock.now() + rules.safeAfterMs, () => {
        this.#isLost = true
        this.#settle()
        this.noteLinks(false)
      })
    }
  }

  /** The port of the device is not there. */
  noteAway(): void {
    this.#isAway = this.#options.rules.safeValue !== undefined
    this.#written = undefined
  }

  /** The device answers again, and may have begun anew with a value of its own: it gets what it should have. */
  renew(): void {
    if (this.#isWriting) return
    this.#written = undefined
    this.#settle()
  }

  /** Does nothing any more, and leaves the device as it is. */
  leave(): void {
    this.#isLeft = true
    this.#cancelLoss?.()
    this.#cancelVerify()
    this.#cancelNext()
  }

  /** Sets the safe value, if there is one. Resolves when that has been tried once: whether the device is safe. */
  async end(): Promise<boolean> {
    this.#isEnding = true
    this.#cancelLoss?.()
    this.#cancelVerify()
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
    this.#settle()
    if (this.#isWriting) await idle
    this.#cancelNext()
    const { safeValue } = this.#options.rules
    return safeValue === undefined || equalValues(safeValue, this.#written)
  }

  #settle(): void {
    this.#cancelNext()
    if (this.#isLeft) return
    const { clock, rules } = this.#options
    const isSafe = this.#isLost || this.#isEnding || this.#isAway
    const target = isSafe || this.#wanted === undefined ? rules.safeValue : this.#wanted
    if (this.#isWriting || target === undefined || equalValues(target, this.#written)) return
    const now = clock.now()
    const dwellUntil = isSafe ? -Infinity : this.#changedAt + rules.dwellMs
    const dueAt = this.#isEnding ? -Infinity : Math.max(dwellUntil, this.#retryAt)
    if (dueAt > now) this.#cancelNext = clock.schedule(dueAt, () => this.#settle())
    else this.#write(target)
  }

  #write(value: Value): void {
    this.#isWriting = true
    this.#options.write(value, (problem) => {
      this.#isWriting = false
      const now = this.#options.clock.now()
      if (problem === null) {
        this.#written = value
        if (equalValues(value, this.#options.rules.safeValue)) this.#isAway = false
        this.#changedAt = now
        this.#failures = 0
        this.#retryAt = -Infinity
      } else {
        // It may have been taken or not.
        this.#written = undefined
        this.#failures += 1
        this.#retryAt = now + retryDelayMs(this.#failures)
      }
      this.#options.onResult(value, problem)
      // In the end one that refuses is asked once, for the safe value.
      const isTried = this.#isEnding && problem !== null && equalValues(value, this.#options.rules.safeValue)
      if (!isTried) this.#settle()
      if (!this.#isWriting) this.#onIdle()
    })
  }

  #verifyLater(): void {
    const { clock } = this.#options
    this.#cancelVerify = clock.schedule(clock.now() + OUTPUT_VERIFY_INTERVAL_MS, () => {
      this.#verifyLater()
      this.#verify()
    })
  }

  #verify(): void {
    const { name, logger, readBack } = this.#options
    if (this.#isWriting || this.#written === undefined) return
    const actual = readBack()
    if (actual === null || equalValues(actual, this.#written)) return
    logger.warn(`${name} is ${showValue(actual)}, though it was set to ${showValue(this.#written)}: it is set again`)
    this.#written = undefined
    this.#settle()
  }
}
