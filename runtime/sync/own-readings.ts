import { earlier, type Monotonic } from '../base/clock.ts'
import { FleetstepError } from '../base/errors.ts'
import {
  TELEMETRY_GATHER_MS,
  TELEMETRY_MESSAGE_BYTES_TARGET,
  TELEMETRY_POINTS_PER_MEMBER_MAX,
  TELEMETRY_READINGS_PER_MESSAGE_MAX,
} from '../base/limits.ts'
import { deviceOf, type Path } from '../state/path.ts'
import { equalValues, type Value } from '../state/value.ts'
import type { StatedQuality } from './message.ts'
import { readingBytes } from './telemetry-codec.ts'

/** What this node has read last at one of its points. */
export interface OwnReading {
  readonly path: Path
  readonly value: Value
  readonly quality: StatedQuality
  readonly readAt: Monotonic
  /** An operation says the value; this says how old it is. */
  readonly isVouched: boolean
}

/** The newest readings of this node, which of them the others do not know, and when they are told. */
export class OwnReadings {
  readonly #readings = new Map<Path, OwnReading>()
  readonly #changed = new Set<Path>()
  #saidAt: Monotonic = -Infinity
  #sayAt: Monotonic | null = null
  #sayAllAt: Monotonic | null = null

  get size(): number {
    return this.#readings.size
  }

  get(path: Path): OwnReading | undefined {
    return this.#readings.get(path)
  }

  all(): IterableIterator<OwnReading> {
    return this.#readings.values()
  }

  /** Whether one more point may be reported, if `path` is one. */
  hasRoomFor(path: Path): boolean {
    return this.#readings.has(path) || this.size < TELEMETRY_POINTS_PER_MEMBER_MAX
  }

  /** When something is to be said, or null. */
  get wakeAt(): Monotonic | null {
    return earlier(this.#sayAt, this.#sayAllAt)
  }

  /**
   * What says the same as before only makes it younger: the others hear that when everything is said again.
   * @param intervalMs shortest time between two messages
   * @throws FleetstepError `limit-reached`
   */
  put(reading: OwnReading, intervalMs: number, refreshMs: number, now: Monotonic): void {
    const { path } = reading
    const before = this.#readings.get(path)
    if (!this.hasRoomFor(path))
      throw new FleetstepError('limit-reached', `a gateway reports at most ${TELEMETRY_POINTS_PER_MEMBER_MAX} points`)
    this.#readings.set(path, reading)
    this.#sayAllAt ??= now + refreshMs
    if (before?.quality === reading.quality && equalValues(before.value, reading.value)) return
    this.#changed.add(path)
    this.#sayAt ??= Math.max(now + TELEMETRY_GATHER_MS, this.#saidAt + intervalMs)
  }

  remove(path: Path): void {
    this.#readings.delete(path)
    this.#changed.delete(path)
  }

  /** Somebody may not know any of them. */
  sayAllBy(at: Monotonic): void {
    this.#sayAllAt = Math.min(this.#sayAllAt ?? at, at)
  }

  /** Nothing can be said at present. @param retryAt when it is tried again, or null for when a link is up */
  postpone(retryAt: Monotonic | null): void {
    this.#sayAt = retryAt
    this.#sayAllAt = retryAt
  }

  /** What is to be said now, and counts as said: what is new, or everything. @param nextAt when everything is due again */
  takeDue(now: Monotonic, nextAt: Monotonic): OwnReading[] {
    const isAll = this.#sayAllAt !== null && this.#sayAllAt <= now
    const paths = isAll ? [...this.#readings.keys()] : [...this.#changed]
    if (isAll) this.#sayAllAt = this.size === 0 ? null : nextAt
    this.#sayAt = null
    this.#saidAt = now
    this.#changed.clear()
    return paths.flatMap((path) => this.#readings.get(path) ?? [])
  }
}

/** In as few messages as hold them, each of one device. */
export function* portionsOf(readings: readonly OwnReading[]): Generator<[OwnReading, ...OwnReading[]]> {
  const portions = new Map<string, { readings: [OwnReading, ...OwnReading[]]; bytes: number }>()
  for (const reading of readings) {
    const device = deviceOf(reading.path)
    const portion = portions.get(device)
    const bytes = readingBytes(reading)
    const isFull =
      portion !== undefined &&
      (portion.bytes + bytes > TELEMETRY_MESSAGE_BYTES_TARGET ||
        portion.readings.length === TELEMETRY_READINGS_PER_MESSAGE_MAX)
    if (isFull) yield portion.readings
    if (portion === undefined || isFull) portions.set(device, { readings: [reading], bytes })
    else {
      portion.readings.push(reading)
      portion.bytes += bytes
    }
  }
  for (const portion of portions.values()) yield portion.readings
}
