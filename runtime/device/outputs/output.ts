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

/** How an output stood when it was left, for the one that takes its place. */
export interface OutputPast {
  /** What the device has, or undefined if nobody knows. */
  readonly value: Value | undefined
  readonly isLost: boolean
  readonly isAway: boolean
  /** When it counts as lost if no link comes up; null if one is up. */
  readonly lossAt: Monotonic | null
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
 * 6. One that takes the place of another, under a new profile, goes on where that one was: neither the dwell nor the time without
 *    a link is cut short, and what is lost stays lost.
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
  #lossAt: Monotonic | null = null
  #cancelLoss: () => void = () => undefined
  #cancelVerify: () => void = () => undefined
  #onIdle: () => void = () => undefined

  constructor(options: OutputOptions) {
    this.#options = options
    this.#isLost = options.rules.safeAfterMs !== null
  }

  /**
   * @param wanted what the state wants already
   * @param past of the one that has driven the device until now, under another profile
   */
  start(wanted: Value | undefined, past: OutputPast | null = null): void {
    if (past !== null) this.#goOn(past)
    // What it has, or else its safe value, comes first and stays for a dwell: no start is a reason to switch twice.
    if (past === null || past.value !== undefined) this.#settle()
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
      this.#endLoss()
      this.#isLost = false
      this.#settle()
    } else if (this.#isLost) {
      if (!this.#isLossTold) logger.warn(`${name}: no link is up, so it has its safe value until one is`)
      this.#isLossTold = true
    } else if (this.#lossAt === null) this.#loseAt(clock.now() + rules.safeAfterMs)
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
  leave(): OutputPast {
    // What a write under way comes to, nobody will be told.
    const value = this.#isWriting ? undefined : this.#written
    const past = { value, isLost: this.#isLost, isAway: this.#isAway, lossAt: this.#lossAt }
    this.#isLeft = true
    this.#endLoss()
    this.#cancelVerify()
    this.#cancelNext()
    return past
  }

  /** Sets the safe value, if there is one. Resolves when that has been tried once: whether the device is safe. */
  async end(): Promise<boolean> {
    this.#isEnding = true
    this.#endLoss()
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

  #goOn({ value, isLost, isAway, lossAt }: OutputPast): void {
    this.#wanted = value
    this.#isLost = isLost
    this.#isAway = isAway
    if (lossAt !== null) this.#loseAt(lossAt)
  }

  #loseAt(at: Monotonic): void {
    this.#lossAt = at
    this.#cancelLoss = this.#options.clock.schedule(at, () => {
      this.#lossAt = null
      this.#isLost = true
      this.#settle()
      this.noteLinks(false)
    })
  }

  #endLoss(): void {
    this.#cancelLoss()
    this.#lossAt = null
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
