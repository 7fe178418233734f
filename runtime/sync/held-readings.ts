import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { TELEMETRY_BYTES_MAX, TELEMETRY_POINTS_PER_MEMBER_MAX, TELEMETRY_READINGS_MAX } from '../base/limits.ts'
import type { Path } from '../state/path.ts'
import type { RuleTable } from '../state/rules/rules.ts'
import { valueMemoryBytes } from '../state/memory.ts'
import type { Reading } from './message.ts'
import { readingBytes } from './telemetry-codec.ts'

/** The newest reading that another member has said of a point. */
export interface HeldReading extends Reading {
  readonly member: MemberId
  /** Place of its message among those of its member. */
  readonly start: number
  readonly number: number
  readonly heardAt: Monotonic
  /** Under which it fits, or null. */
  judgedBy: RuleTable | null
  isStale: boolean
}

/** Readings of others: one of each member and point, bounded. */
export class HeldReadings {
  /** The one that was heard longest ago first. */
  readonly #all = new Map<string, HeldReading>()
  readonly #byPath = new Map<Path, HeldReading[]>()
  readonly #counts = new Map<MemberId, number>()
  #bytes = 0

  get size(): number {
    return this.#all.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(member: MemberId, path: Path): HeldReading | undefined {
    return this.#byPath.get(path)?.find((one) => one.member === member)
  }

  /** What the members say of one point. */
  of(path: Path): readonly HeldReading[] {
    return this.#byPath.get(path) ?? NONE
  }

  all(): IterableIterator<HeldReading> {
    return this.#all.values()
  }

  paths(): IterableIterator<Path> {
    return this.#byPath.keys()
  }

  /** Whether a member has said something of as many points as it may. */
  isSpentBy(member: MemberId): boolean {
    return (this.#counts.get(member) ?? 0) >= TELEMETRY_POINTS_PER_MEMBER_MAX
  }

  /** The reading that has to go, since there are too many; null if there are not. */
  get surplus(): HeldReading | null {
    if (this.size <= TELEMETRY_READINGS_MAX && this.#bytes <= TELEMETRY_BYTES_MAX) return null
    return this.#all.values().next().value ?? null
  }

  /** In place of the one that was held. */
  put(reading: HeldReading): void {
    const before = this.get(reading.member, reading.path)
    if (before !== undefined) this.remove(before)
    this.#all.set(keyOf(reading), reading)
    this.#byPath.set(reading.path, [...this.of(reading.path), reading])
    this.#counts.set(reading.member, (this.#counts.get(reading.member) ?? 0) + 1)
    this.#bytes += bytesInMemory(reading)
  }

  remove(reading: HeldReading): void {
    if (!this.#all.delete(keyOf(reading))) return
    const others = this.of(reading.path).filter((one) => one !== reading)
    if (others.length === 0) this.#byPath.delete(reading.path)
    else this.#byPath.set(reading.path, others)
    const count = (this.#counts.get(reading.member) ?? 0) - 1
    if (count === 0) this.#counts.delete(reading.member)
    else this.#counts.set(reading.member, count)
    this.#bytes -= bytesInMemory(reading)
  }
}

const NONE: readonly HeldReading[] = []

function bytesInMemory(reading: HeldReading): number {
  return readingBytes(reading) + valueMemoryBytes(reading.value)
}

function keyOf({ member, path }: HeldReading): string {
  return `${member} ${path}`
}
