import type { Clock, Monotonic } from '../../base/clock.ts'
import { assert, unreachable } from '../../base/errors.ts'
import { READING_INTERVAL_DEFAULT_MS, SYSTEM_ABSENT_INTERVAL_MS } from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import { assertionProblem } from '../profiles/assertion.ts'
import { parseInterval } from '../profiles/interval.ts'
import type { DeviceProfile, DeviceResource } from '../profiles/profile.ts'
import { checkReading } from '../profiles/value-check.ts'
import { isNumberType, numberRange } from '../../state/rules/value-type.ts'
import { isSystemQuantity, unitsOfQuantity, type SystemQuantity } from './system-quantity.ts'
import type { SystemSource } from './system-source.ts'

export interface SystemDriverOptions {
  readonly profile: DeviceProfile
  readonly source: SystemSource
  readonly clock: Clock
  readonly logger: Logger
  /** Called for each value that is worth a report: the first one, and then each that changed by the threshold. */
  readonly onReading: (resourceName: string, value: number) => void
  /** Called for each reading that is good, whether it is worth a report or not. */
  readonly onTaken?: ((resourceName: string) => void) | undefined
  /** Called when a resource works again or does not any more. @param problem null, or one line */
  readonly onHealth?: ((resourceName: string, problem: string | null) => void) | undefined
}

/** What the driver did since it was made. */
export interface SystemDriverCounters {
  readonly taken: number
  readonly reported: number
  /** Outside of the range or type that the profile declares; never reported. */
  readonly outOfRange: number
  /** The machine could not be read. */
  readonly failed: number
}

/**
 * Gives the readings of a profile's resources with `attributes: { driver: system, source: … }`, each at its own
 * `interval`, by exception: a value that moved by less than `onChangeThreshold` since the last report is kept back.
 */
export class SystemDriver {
  readonly #options: SystemDriverOptions
  readonly #points: readonly Point[]
  readonly #counters = { taken: 0, reported: 0, outOfRange: 0, failed: 0 }
  #isRunning = false

  /** @param options.profile has passed the checks of `loadProfile` */
  constructor(options: SystemDriverOptions) {
    this.#options = options
    this.#points = options.profile.deviceResources.flatMap((resource) => bind(resource) ?? [])
  }

  get counters(): SystemDriverCounters {
    return { ...this.#counters }
  }

  /** Takes the first readings as soon as the clock runs, not within this call. */
  start(): void {
    assert(!this.#isRunning, 'a driver is started once at a time')
    this.#isRunning = true
    const now = this.#options.clock.now()
    for (const point of this.#points) this.#schedule(point, now)
  }

  /** After this no reading is reported. The driver may be started again and then reports every value anew. */
  stop(): void {
    this.#isRunning = false
    for (const point of this.#points) {
      point.cancel?.()
      point.cancel = null
      point.lastReported = null
      point.isHealthy = null
      point.trouble = null
    }
  }

  #schedule(point: Point, at: Monotonic): void {
    point.cancel = this.#options.clock.schedule(at, () => {
      point.cancel = null
      this.#take(point, at)
    })
  }

  /** @param dueAt when this reading was due: the next one is counted from there, so that the rhythm does not drift */
  #take(point: Point, dueAt: Monotonic): void {
    const reading = this.#options.source.read(point.quantity, point.path)
    const isLeftOut = reading.kind === 'absent' && !point.wasRead
    const pauseMs = isLeftOut ? Math.max(point.intervalMs, SYSTEM_ABSENT_INTERVAL_MS) : point.intervalMs
    const now = this.#options.clock.now()
    const nextAt = dueAt + pauseMs
    this.#schedule(point, nextAt > now ? nextAt : now + pauseMs)
    if (isLeftOut) return this.#leaveOut(point, reading.reason)
    this.#counters.taken += 1
    switch (reading.kind) {
      case 'absent':
      case 'failed':
        this.#counters.failed += 1
        return this.#complain(point, 'failed', reading.reason)
      case 'value':
        point.wasRead = true
        return this.#judge(point, inUnits(point, reading.value))
      default:
        return unreachable(reading)
    }
  }

  /** Some come late: a disk that is mounted, a radio whose driver is loaded. */
  #leaveOut(point: Point, reason: string): void {
    if (!point.isLeftOut) this.#options.logger.info(`${point.resource.name} is left out on this machine: ${reason}`)
    point.isLeftOut = true
  }

  #judge(point: Point, value: number): void {
    const problem = checkReading(point.resource, value)
    if (problem !== null) {
      this.#counters.outOfRange += 1
      return this.#complain(point, 'outOfRange', problem)
    }
    point.trouble = null
    if (isWorthReport(point, value)) {
      point.lastReported = value
      this.#counters.reported += 1
      this.#options.onReading(point.resource.name, value)
    }
    this.#options.onTaken?.(point.resource.name)
    this.#noteHealth(point, assertionProblem(point.resource, value))
  }

  #noteHealth(point: Point, problem: string | null): void {
    const isHealthy = problem === null
    if (point.isHealthy === isHealthy) return
    point.isHealthy = isHealthy
    this.#options.onHealth?.(point.resource.name, problem)
  }

  /** Says a trouble when it begins; the counters tell how long it lasts. */
  #complain(point: Point, trouble: 'failed' | 'outOfRange', reason: string): void {
    this.#noteHealth(point, reason)
    if (point.trouble === trouble) return
    point.trouble = trouble
    this.#options.logger.warn(`a reading of ${point.resource.name} is dropped: ${reason}`)
  }
}

/** One bound resource. */
interface Point {
  readonly resource: DeviceResource
  readonly quantity: SystemQuantity
  readonly path: string
  readonly intervalMs: number
  readonly threshold: number
  readonly divisor: number
  cancel: (() => void) | null
  /** What was there once is missing if it is gone, not absent. */
  wasRead: boolean
  /** It is not there, and that was said. */
  isLeftOut: boolean
  lastReported: number | null
  /** Null before the first reading. */
  isHealthy: boolean | null
  trouble: 'failed' | 'outOfRange' | null
}

function bind(resource: DeviceResource): Point | null {
  const { driver, source, path } = resource.attributes
  if (driver !== 'system') return null
  assert(isSystemQuantity(source), 'the profile was checked')
  const { units, optional } = resource.properties
  return {
    resource,
    quantity: source,
    path: typeof path === 'string' ? path : '/',
    intervalMs: parseInterval(optional.interval ?? '') ?? READING_INTERVAL_DEFAULT_MS,
    threshold: optional.onChangeThreshold ?? 0,
    divisor: units === undefined ? 1 : (unitsOfQuantity(source).get(units) ?? 1),
    cancel: null,
    wasRead: false,
    isLeftOut: false,
    lastReported: null,
    isHealthy: null,
    trouble: null,
  }
}

/** In the unit and with the scale of the profile; three decimals, since what is finer is noise. */
function inUnits(point: Point, raw: number): number {
  const { valueType, scale = 1, offset = 0 } = point.resource.properties
  const value = (raw / point.divisor) * scale + offset
  const isWhole = isNumberType(valueType) && numberRange(valueType).whole
  return isWhole ? Math.round(value) : Math.round(value * 1000) / 1000
}

function isWorthReport(point: Point, value: number): boolean {
  if (point.lastReported === null) return true
  return value !== point.lastReported && Math.abs(value - point.lastReported) >= point.threshold
}
