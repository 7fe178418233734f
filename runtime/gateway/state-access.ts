import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import { BATCHED_COMMIT_WINDOW_MS, VOLATILE_COMMIT_WINDOW_MS } from '../base/limits.ts'
import type { Guard, OperationRequest, WriteKind } from '../state/operation.ts'
import { type Path, type PathPattern, pathProblem } from '../state/path.ts'
import type { Value } from '../state/value.ts'
import type { StatedQuality } from '../sync/message.ts'
import type { Replica } from '../sync/replica.ts'
import type { Persist, ProfileCheck } from './profile-check.ts'
import type { Pump } from './pump.ts'
import type { Receipt, Receipts } from './receipt.ts'
import type { TelemetryAccess } from './telemetry-access.ts'
import type { View, WatchCallback, Watchers } from './watchers.ts'

type PlainWrite = OperationRequest['writes'][number]

/** How a change is made durable. */
export interface ChangeOptions {
  /**
   * `always`: committed and sent at once. `batched`: within a second, together with others, to spare the card. `volatile`:
   * within five, for what the next change replaces. Whatever is gathered goes along with a change that cannot wait.
   * A reading that is `volatile` is no operation at all, and never on the card: see {@link StateAccess.report}.
   */
  readonly persist?: Persist
}

/** What the fleet learns of a reading beside its value. */
export interface ReportOptions extends ChangeOptions {
  /** `good` unless told otherwise. */
  readonly quality?: StatedQuality
  /** Time since it was read; 0 unless told otherwise. */
  readonly ageMs?: number
}

/**
 * The device-state object as the user holds it. Every change is checked, executed at once and given a receipt.
 * Each method that changes something throws FleetstepError: `operation-invalid` (it breaks a limit or its type),
 * `operation-refused` (the profile or this node's role forbids it), `path-unknown` (the profile has no such point),
 * `limit-reached`, `disk-full`. Nothing has changed then.
 */
export class StateAccess {
  readonly #replica: Replica
  readonly #pump: Pump
  readonly #receipts: Receipts
  readonly #watchers: Watchers
  readonly #profile: ProfileCheck
  readonly #telemetry: TelemetryAccess

  constructor(
    replica: Replica,
    pump: Pump,
    receipts: Receipts,
    watchers: Watchers,
    profile: ProfileCheck,
    telemetry: TelemetryAccess,
  ) {
    this.#replica = replica
    this.#pump = pump
    this.#receipts = receipts
    this.#watchers = watchers
    this.#profile = profile
    this.#telemetry = telemetry
  }

  /** The value as executed here, or as it was read last; undefined if there is none. */
  get(path: string): Value | undefined {
    const value = this.#replica.get(path as Path)
    return value === undefined ? this.#telemetry.get(path)?.value : value
  }

  /** The node whose operation has written the point last, or null. */
  writerOf(path: string): NodeId | null {
    return this.#replica.writerOf(path as Path)
  }

  /** The value that no member can change without a new operation, or undefined. */
  settled(path: string): Value | undefined {
    return this.#replica.settled(path as Path)
  }

  /**
   * Every point at or below `prefix` that has a value in this view, by path. All of them without a prefix. The settled view has
   * no telemetry.
   */
  entries(prefix: string = '', view: View = 'tentative'): [Path, Value][] {
    const below = `${prefix}/`
    const isWanted = (path: string): boolean => prefix === '' || path === prefix || path.startsWith(below)
    const entries = view === 'settled' ? this.#replica.settledEntries() : this.#replica.entries()
    const readings = view === 'settled' ? [] : this.#telemetry.list(prefix)
    return [...entries]
      .filter(([path]) => isWanted(path))
      .concat(readings.map(({ path, value }) => [path, value]))
      .sort(([left], [right]) => (left < right ? -1 : 1))
  }

  set(path: string, value: Value, options: ChangeOptions = {}): Receipt {
    return this.transaction((change) => change.set(path, value), options)
  }

  delete(path: string, options: ChangeOptions = {}): Receipt {
    return this.transaction((change) => change.delete(path), options)
  }

  toggle(path: string, options: ChangeOptions = {}): Receipt {
    return this.transaction((change) => change.toggle(path), options)
  }

  add(path: string, amount: number | bigint, options: ChangeOptions = {}): Receipt {
    return this.transaction((change) => change.add(path, amount), options)
  }

  append(path: string, item: Value, options: ChangeOptions = {}): Receipt {
    return this.transaction((change) => change.append(path, item), options)
  }

  /** Several changes as one operation: all of them or none, here and on every replica, under the guards it names. */
  transaction(describe: (change: Transaction) => void, options: ChangeOptions = {}): Receipt {
    const change = new Transaction()
    describe(change)
    for (const write of change.writes) this.#profile.assertMaySet(write)
    return this.#issue(change, options)
  }

  /**
   * A reading that a driver took: it may write what people may only read. It is gathered (`batched`) unless the profile or
   * `options` say otherwise.
   *
   * If it is `volatile`, it is telemetry: the fleet sees the newest one with quality and age, and nothing is ordered or stored.
   * Two kinds of points stay operations: those that other nodes may write too, and those that an operation has written, until
   * it is deleted. What the profile says that the device alone writes is deleted here, once.
   * @returns null for telemetry, which has no receipt
   */
  report(path: string, value: Value, options: ReportOptions = {}): Receipt | null {
    const change = new Transaction()
    change.set(path, value)
    for (const write of change.writes) this.#profile.assertIsReading(write)
    const persist = options.persist ?? this.#profile.readingPersistOf(path)
    if (persist === 'volatile' && this.#becomesTelemetry(path as Path)) {
      this.#telemetry.report(path as Path, value, options.quality ?? 'good', options.ageMs ?? 0)
      return null
    }
    const receipt = this.#issue(change, { persist })
    this.#telemetry.vouch(path, options.quality, options.ageMs)
    return receipt
  }

  /** Takes away what only this gateway's device reports, and people cannot delete. @throws FleetstepError as above */
  forget(path: string): Receipt {
    const change = new Transaction()
    change.delete(path)
    return this.#issue(change, { persist: 'batched' })
  }

  /** @returns a function that ends the watch. @throws FleetstepError `request-invalid`, `limit-reached` */
  watch(pattern: PathPattern, callback: WatchCallback, view: View = 'tentative'): () => void {
    return this.#watchers.add(pattern, view, callback)
  }

  #becomesTelemetry(path: Path): boolean {
    const isReported = this.#profile.isReported(path)
    if (isReported === false) return false
    if (isReported === true && this.#replica.get(path) !== undefined) {
      const change = new Transaction()
      change.delete(path)
      this.#issue(change, { persist: 'volatile' })
    }
    return this.#telemetry.takes(path)
  }

  #issue(change: Transaction, options: ChangeOptions): Receipt {
    const persist = options.persist ?? this.#profile.persistOf(change.writes)
    const issued = this.#pump.issue(change, COMMIT_WINDOW_MS[persist])
    return this.#receipts.add(issued)
  }
}

/** How long a change may wait for others that go onto the disk with it. */
const COMMIT_WINDOW_MS: Readonly<Record<Persist, number>> = {
  always: 0,
  batched: BATCHED_COMMIT_WINDOW_MS,
  volatile: VOLATILE_COMMIT_WINDOW_MS,
}

/** Collects the changes and guards of one operation. */
export class Transaction implements OperationRequest {
  readonly writes: PlainWrite[] = []
  readonly guards: Guard[] = []

  set(path: string, value: Value): void {
    this.#write(path, 'set', value)
  }

  delete(path: string): void {
    this.#write(path, 'delete', null)
  }

  toggle(path: string): void {
    this.#write(path, 'toggle', null)
  }

  add(path: string, amount: number | bigint): void {
    this.#write(path, 'add', amount)
  }

  append(path: string, item: Value): void {
    this.#write(path, 'append', item)
  }

  /** The operation is refused wherever `path` does not compare so at that moment; `==` unless told otherwise. */
  expect(path: string, value: Value, comparison: Guard['comparison'] = '=='): void {
    this.guards.push({ path: checkedPath(path), comparison, value })
  }

  #write(path: string, kind: WriteKind, argument: Value): void {
    this.writes.push({ path: checkedPath(path), kind, argument })
  }
}

function checkedPath(path: string): Path {
  const problem = pathProblem(path)
  if (problem !== null) throw new FleetstepError('operation-invalid', `${JSON.stringify(path)} is no path: ${problem}`)
  return path as Path
}
