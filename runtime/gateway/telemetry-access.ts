import type { Clock } from '../base/clock.ts'
import type { Path } from '../state/path.ts'
import type { Value } from '../state/value.ts'
import type { StatedQuality } from '../sync/message.ts'
import type { Replica } from '../sync/replica.ts'
import type { ShownReading } from '../sync/shown-readings.ts'
import type { Pump } from './pump.ts'

/**
 * Readings of the whole fleet that are no operations: the newest of each point, in memory alone. `state.report` makes them, and
 * `state.get`, `entries` and `watch` show their values; here stand their quality and age too.
 */
export class TelemetryAccess {
  readonly #replica: Replica
  readonly #pump: Pump
  readonly #clock: Clock

  constructor(replica: Replica, pump: Pump, clock: Clock) {
    this.#replica = replica
    this.#pump = pump
    this.#clock = clock
  }

  /** At and below `prefix`, by path. All of them without a prefix. */
  list(prefix: string = ''): readonly ShownReading[] {
    return [...this.#replica.readings.shown.readings(this.#clock.now())]
      .filter(({ path }) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`))
      .sort((left, right) => (left.path < right.path ? -1 : 1))
  }

  /** Null where there is none, or an operation has written the point. */
  get(path: string): ShownReading | null {
    return this.#replica.readings.shown.reading(path as Path, this.#clock.now())
  }

  /**
   * How lately the value of a point was read, whether it is telemetry or an operation; null where nobody says so. By the
   * monotonic clocks of this gateway and of the one that reads it.
   */
  freshness(path: string): ShownReading | null {
    return this.get(path) ?? this.#replica.readings.shown.vouched(path as Path, this.#clock.now())
  }

  /** Whether a reading of this gateway is telemetry at `path`: not if other nodes may write the point, or an operation has. */
  takes(path: Path): boolean {
    return this.#replica.readings.mayReport(path)
  }

  /** @throws FleetstepError as {@link Replica.report} */
  report(path: Path, value: Value, quality: StatedQuality, ageMs: number): void {
    this.#pump.report({ path, value, quality, ageMs })
  }

  /** This gateway has read the same again: its reading becomes younger. It costs nothing. */
  confirm(path: string): void {
    this.#replica.readings.confirm(path as Path, this.#clock.now())
  }

  /** This gateway has read what an operation of its own says at a point that it alone writes: the others learn how old that is. */
  vouch(path: string, quality: StatedQuality = 'good', ageMs: number = 0): void {
    this.#pump.vouch({ path: path as Path, quality, ageMs })
  }

  /** This gateway does not read the point any more. Others show it as stale, and then forget it. */
  withdraw(path: string): void {
    this.#pump.withdraw(path as Path)
  }
}
