import type { Clock } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import type { Value } from '../../state/value.ts'
import type { Bound } from '../drivers/bound.ts'
import type { DeviceDriver, DriverEvents } from '../drivers/driver.ts'
import { Reporter } from '../drivers/reporter.ts'
import { rawOfValue } from '../drivers/scaling.ts'
import { listens } from '../profiles/attribute-checks.ts'
import type { SerialBinding } from '../profiles/attributes.ts'
import { compilePattern } from '../../state/rules/pattern.ts'
import { parseValue } from '../profiles/value-text.ts'
import { isNumberType, numberRange } from '../../state/rules/value-type.ts'
import { LineSession } from './line-session.ts'
import { askRepeatedly, PolledPoint } from './polled-point.ts'
import type { OpenInstrumentPort } from './serial-port.ts'
import { Turns } from './turns.ts'

type BoundLine = Bound<SerialBinding>

export interface LineDriverOptions {
  /** All on one port, with the same settings. */
  readonly bindings: readonly BoundLine[]
  readonly openPort: OpenInstrumentPort
  readonly clock: Clock
  readonly events: DriverEvents
}

/**
 * An instrument that speaks lines of text, by request or by itself. A reading that streams is taken for dead when no line
 * has fitted for three intervals.
 */
export class LineDriver implements DeviceDriver {
  readonly #options: LineDriverOptions
  readonly #session: LineSession
  readonly #turns = new Turns()
  readonly #points: readonly LinePoint[]
  readonly #polled: readonly PolledPoint[]
  #isClosed = false

  constructor(options: LineDriverOptions) {
    this.#options = options
    const { bindings, openPort, clock, events } = options
    const [first] = bindings
    assert(first !== undefined, 'a driver is made for resources that name it')
    this.#points = bindings.map((bound) => pointOf(bound, events))
    this.#session = new LineSession({
      settings: first.wiring,
      terminator: (bindings.find(({ wiring }) => listens(wiring)) ?? first).wiring.terminator,
      openPort,
      clock,
      onLine: (line) => this.#takeLine(line),
      onGone: (cause) => this.#points.forEach(({ reporter }) => reporter.fail(cause, true)),
    })
    this.#polled = this.#points.flatMap((point) => this.#polledOf(point) ?? [])
  }

  start(): void {
    this.#session.start()
    for (const polled of this.#polled) polled.start()
    for (const point of this.#points) if (isStreamed(point.bound)) this.#watch(point)
  }

  write(resource: string, value: Value, done: (problem: string | null) => void): void {
    const point = this.#points.find(({ bound }) => bound.resource.name === resource)
    const command = point?.bound.wiring.command
    assert(point !== undefined && command !== undefined, 'the profile was checked')
    const { wiring } = point.bound
    const said = textOf(point.bound, value)
    const problem = wordingProblem(command, said)
    if (problem !== null) {
      point.reporter.fail(problem)
      return done(problem)
    }
    const text = command.replaceAll('{value}', () => said)
    const isTaken = this.#turns.add(async () => {
      const answer = await askRepeatedly(async () => await this.#tell(wiring, text), wiring.retries)
      if (answer.kind === 'answer') point.reporter.takeSet(value)
      else point.reporter.fail(answer.reason, answer.isGone)
      done(answer.kind === 'answer' ? null : answer.reason)
    }, true)
    if (!isTaken) done('too many requests wait for the port')
  }

  readBack(): null {
    return null
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const polled of this.#polled) polled.stop()
    for (const point of this.#points) point.cancel()
    this.#turns.clear()
    await this.#session.close()
  }

  async #tell({ confirmation, timeoutMs }: SerialBinding, text: string): Promise<void> {
    if (confirmation === undefined) return await this.#session.tell(text)
    const pattern = compilePattern(confirmation)
    await this.#session.ask(text, (line) => pattern.test(line), timeoutMs)
  }

  #polledOf({ bound, reporter }: LinePoint): PolledPoint | null {
    const { intervalMs, wiring } = bound
    const { request, response, retries, timeoutMs } = wiring
    if (request === undefined || response === undefined) return null
    const ask = async (): Promise<Value> => {
      const line = await this.#session.ask(request, (one) => valueIn(bound, one) !== undefined, timeoutMs)
      return valueIn(bound, line) ?? null
    }
    return new PolledPoint({ clock: this.#options.clock, intervalMs, retries, turns: this.#turns, reporter, ask })
  }

  #takeLine(line: string): void {
    if (this.#isClosed) return
    for (const point of this.#points) {
      if (!isStreamed(point.bound)) continue
      const value = valueIn(point.bound, line)
      if (value === undefined) continue
      point.reporter.take(value)
      this.#watch(point)
    }
  }

  #watch(point: LinePoint): void {
    const { clock } = this.#options
    const silenceMs = SILENT_INTERVALS * point.bound.intervalMs
    point.cancel()
    point.cancel = clock.schedule(clock.now() + silenceMs, () =>
      point.reporter.fail(
        `no line that fits has come for ${silenceMs / 1000} s: check the wiring, the baud and the pattern`,
      ),
    )
  }
}

/** Intervals without a fitting line after which an instrument that tells by itself is taken for dead. */
const SILENT_INTERVALS = 3

interface LinePoint {
  readonly bound: BoundLine
  readonly reporter: Reporter
  cancel: () => void
}

function pointOf(bound: BoundLine, events: DriverEvents): LinePoint {
  return { bound, reporter: new Reporter(bound.resource, events), cancel: () => undefined }
}

function isStreamed({ wiring: { request, response } }: BoundLine): boolean {
  return request === undefined && response !== undefined
}

/** What a line gives, or undefined if the pattern does not fit or what it found is no value of that type. */
function valueIn({ wiring, resource }: BoundLine, line: string): Value | undefined {
  const text = wiring.response === undefined ? undefined : compilePattern(wiring.response).exec(line)?.[1]
  if (text === undefined) return undefined
  const { valueType } = resource.properties
  const mapped = Object.hasOwn(wiring.mappings, text) ? wiring.mappings[text] : undefined
  if (mapped !== undefined) return parseValue(valueType, mapped) as Value | undefined
  // A type without fractions may come with one before it is scaled, and instruments write +1 and .5.
  if (isNumberType(valueType)) return numberIn(text)
  return parseValue(valueType, text) as Value | undefined
}

/** Scales write a gap behind the sign. */
function numberIn(text: string): number | bigint | undefined {
  const digits = text.replace(/\s+/g, '')
  const whole = parseValue('Int64', digits.replace(/^\+/, ''))
  if (typeof whole === 'bigint') return whole
  const number = Number(digits)
  return digits === '' || !Number.isFinite(number) ? undefined : number
}

function textOf({ wiring, resource: { properties } }: BoundLine, value: Value): string {
  assert(typeof value !== 'object', 'the profile was checked, and the value too')
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  const { valueType, scale, offset, base } = properties
  const word = Object.entries(wiring.mappings).find(([, text]) => parseValue(valueType, text) === value)?.[0]
  if (word !== undefined || !isNumber) return word ?? String(value)
  const isFloat = !(isNumberType(valueType) && numberRange(valueType).whole)
  const isScaled = scale !== undefined || offset !== undefined || base !== undefined
  return String(isScaled ? rawOfValue(properties, value, isFloat) : value)
}

/** Text from the state may not become another command, nor other characters than it has. */
function wordingProblem(command: string, said: string): string | null {
  const isOneLine = /[\r\n]/.test(command)
  if (isOneLine && /[\r\n]/.test(said))
    return 'a text with a line break cannot be told to the instrument: its command is one line'
  // Bytes stand for the characters of Latin-1.
  const isSaidWhole = Buffer.from(said, 'latin1').toString('latin1') === said
  return isSaidWhole ? null : 'a character beyond Latin-1 cannot be told to the instrument'
}
