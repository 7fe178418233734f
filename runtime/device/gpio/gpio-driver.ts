import type { Clock } from '../../base/clock.ts'
import { assert, FleetstepError } from '../../base/errors.ts'
import type { Logger } from '../../base/logger.ts'
import type { Value } from '../../state/value.ts'
import { retryDelayMs } from '../drivers/back-off.ts'
import type { Bound } from '../drivers/bound.ts'
import type { DeviceDriver, DriverEvents } from '../drivers/driver.ts'
import { Reporter } from '../drivers/reporter.ts'
import type { GpioBinding } from '../profiles/attributes.ts'
import type { HeldWrite, InputPin, OutputPin, PinBackend } from './pin.ts'

type BoundLine = Bound<GpioBinding>
type Bias = NonNullable<GpioBinding['bias']>

export interface GpioDriverOptions {
  readonly bindings: readonly BoundLine[]
  /** Loaded when the first line is needed. Rejects with FleetstepError `gpio-unusable`. */
  readonly openBackend: () => Promise<PinBackend>
  /** Sets the pull of a line; sysfs cannot. @returns why it did not work, or null */
  readonly setBias: (chip: string, line: number, bias: Bias) => Promise<string | null>
  readonly clock: Clock
  readonly logger: Logger
  readonly events: DriverEvents
}

/** GPIO lines: inputs that report their level, outputs that are opened with the first value they get. */
export class GpioDriver implements DeviceDriver {
  readonly #options: GpioDriverOptions
  readonly #inputs: readonly Input[]
  readonly #outputs: ReadonlyMap<string, Line>
  #backend: Promise<PinBackend> | null = null
  #isClosed = false

  constructor(options: GpioDriverOptions) {
    this.#options = options
    const { bindings, events } = options
    this.#inputs = bindings.flatMap((bound) => (bound.output === null ? [inputOf(bound, events)] : []))
    this.#outputs = new Map(
      bindings
        .filter(({ output }) => output !== null)
        .map((bound) => [bound.resource.name, { bound, reporter: new Reporter(bound.resource, events), pin: null }]),
    )
  }

  start(): void {
    for (const input of this.#inputs) void this.#openInput(input)
  }

  write(resource: string, value: Value, done: (problem: string | null) => void): void {
    const line = this.#outputs.get(resource)
    assert(line !== undefined && typeof value === 'boolean', 'the profile was checked, and the value too')
    const { pin, reporter } = line
    const end = (problem: string | null): void => {
      if (problem === null) reporter.takeSet(value)
      else reporter.fail(problem)
      done(problem)
    }
    if (pin !== null) {
      const problem = problemIn(() => pin.write(value))
      // Its chip may have gone, and the line with it: the next try takes it into use anew.
      if (problem !== null) line.pin = null
      return end(problem)
    }
    this.#openOutput(line, value).then(
      () => end(null),
      (error: unknown) => end(problemOf(error)),
    )
  }

  readBack(resource: string): Value | null {
    try {
      return this.#outputs.get(resource)?.pin?.read() ?? null
    } catch {
      return null
    }
  }

  /** What somebody else has to write to give an output `value`; null if it is not open, or no file stands for it. */
  hold(resource: string, value: boolean): HeldWrite | null {
    return this.#outputs.get(resource)?.pin?.hold(value) ?? null
  }

  close(): Promise<void> {
    this.#isClosed = true
    for (const input of this.#inputs) {
      input.cancel()
      closeQuietly(input.pin)
    }
    for (const { pin } of this.#outputs.values()) closeQuietly(pin)
    return Promise.resolve()
  }

  async #openOutput(line: Line, initial: boolean): Promise<void> {
    const { chip, line: number, activeLow } = line.bound.wiring
    const backend = await this.#open()
    const pin = await backend.openOutput({ chip, line: number, activeLow, initial })
    line.pin = pin
  }

  async #openInput(input: Input): Promise<void> {
    const { chip, line, activeLow, edge, debounceMs, bias } = input.bound.wiring
    try {
      if (bias !== undefined) await this.#setBias(chip, line, bias)
      const backend = await this.#open()
      const events = { edge: (value: boolean) => input.reporter.take(value) }
      const pin = await backend.openInput({ chip, line, activeLow, edge, debounceMs }, events)
      if (this.#isClosed) return pin.close()
      input.pin = pin
      this.#look(input)
    } catch (error) {
      if (!this.#isClosed) this.#openLater(input, problemOf(error))
    }
  }

  #openLater(input: Input, problem: string): void {
    const { clock } = this.#options
    closeQuietly(input.pin)
    input.pin = null
    input.failures += 1
    input.reporter.fail(problem)
    input.cancel = clock.schedule(clock.now() + retryDelayMs(input.failures), () => void this.#openInput(input))
  }

  async #setBias(chip: string, line: number, bias: Bias): Promise<void> {
    const problem = await this.#options.setBias(chip, line, bias)
    if (problem !== null) this.#options.logger.warn(`the pull of GPIO ${line} is left as it is: ${problem}`)
  }

  #open(): Promise<PinBackend> {
    this.#backend ??= this.#options.openBackend()
    return this.#backend
  }

  /** An edge that was missed is found at the next look. A line that cannot be read may have gone with its chip. */
  #look(input: Input): void {
    const { clock } = this.#options
    const { pin, reporter, bound } = input
    if (pin === null) return
    const problem = problemIn(() => reporter.take(pin.read()))
    if (problem !== null) return this.#openLater(input, problem)
    input.failures = 0
    input.cancel = clock.schedule(clock.now() + bound.intervalMs, () => this.#look(input))
  }
}

interface Line {
  readonly bound: BoundLine
  readonly reporter: Reporter
  pin: OutputPin | null
}

interface Input {
  readonly bound: BoundLine
  readonly reporter: Reporter
  pin: InputPin | null
  failures: number
  cancel: () => void
}

function inputOf(bound: BoundLine, events: DriverEvents): Input {
  return { bound, reporter: new Reporter(bound.resource, events), pin: null, failures: 0, cancel: () => undefined }
}

function problemIn(action: () => void): string | null {
  try {
    action()
    return null
  } catch (error) {
    return problemOf(error)
  }
}

/** A bug is not the hardware's fault. */
function problemOf(error: unknown): string {
  if (error instanceof FleetstepError) return error.message
  throw error
}

function closeQuietly(pin: { close(): void } | null): void {
  try {
    pin?.close()
  } catch (error) {
    if (!(error instanceof FleetstepError)) throw error
  }
}
