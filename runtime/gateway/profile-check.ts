import { digestOf } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import { healthProblem, type PointSide, reportedPath, sideOf } from '../device/profiles/points.ts'
import type { DeviceProfile, DeviceResource } from '../device/profiles/profile.ts'
import { rulesOfProfile } from '../device/profiles/rules.ts'
import type { OperationRequest } from '../state/operation.ts'
import { objectionTo } from '../state/rules/judge.ts'
import { RuleTable } from '../state/rules/rules.ts'
import { isWritable } from '../state/rules/value-type.ts'
import { refusalFor } from '../sync/permission.ts'

/** How soon a change is committed: at once, or gathered with others for a shorter or a longer while. */
export type Persist = 'always' | 'batched' | 'volatile'

/** The soonest first. */
const PERSIST: readonly Persist[] = ['always', 'batched', 'volatile']

type PlainWrite = OperationRequest['writes'][number]

/**
 * What the profile of this gateway's device says of the points below `<device>/`, by the function with which every member judges
 * them. Other points are free. Beyond it, people may not set what the device of their own gateway reports.
 */
export class ProfileCheck {
  readonly #prefix: string
  readonly #node: NodeId
  #profile: DeviceProfile | null = null
  #resources: ReadonlyMap<string, DeviceResource> = new Map()
  #table: RuleTable | null = null

  constructor(device: string, node: NodeId, profile: DeviceProfile | null) {
    this.#prefix = `${device}/`
    this.#node = node
    if (profile !== null) this.use(profile)
  }

  /** Null: every point is free. */
  get profile(): DeviceProfile | null {
    return this.#profile
  }

  /** Judges by `profile` from now on. */
  use(profile: DeviceProfile): void {
    this.#profile = profile
    this.#resources = new Map(profile.deviceResources.map((resource) => [resource.name, resource]))
    this.#table = new RuleTable(rulesOfProfile(profile, this.#node, NO_VERSION))
  }

  /** @throws FleetstepError `path-unknown`, `operation-refused`, `operation-invalid` */
  assertMaySet(write: PlainWrite): void {
    // What was there before the profile may go.
    if (write.kind === 'delete' && this.#find(write.path) === null) return
    const point = this.#pointOf(write.path)
    if (point === null) return
    if (point.side !== 'point' || !isWritable(point.resource.properties.readWrite)) {
      throw new FleetstepError('operation-refused', `${write.path} is read only: the device reports it`)
    }
    this.#assertFits(write)
  }

  /** @throws FleetstepError `path-unknown`, `operation-refused`, `operation-invalid` */
  assertIsReading(write: PlainWrite): void {
    const point = this.#pointOf(write.path)
    if (point === null) return
    const { side, resource } = point
    if (side !== 'health' && this.reportedPathOf(resource.name) !== write.path) {
      throw new FleetstepError('operation-refused', `${write.path} is what people wish for: the device does not set it`)
    }
    const problem = side === 'health' ? healthProblem(write.argument) : null
    if (problem !== null) throw new FleetstepError('operation-invalid', `${write.path} ${problem}`)
    this.#assertFits(write)
  }

  /** One write that is to be on the card sooner brings the others along. */
  persistOf(writes: readonly PlainWrite[]): Persist {
    const wanted = writes.map((write) => this.#find(write.path)?.resource.properties.optional.persist ?? 'always')
    return PERSIST.find((persist) => wanted.includes(persist)) ?? 'always'
  }

  /** Telemetry is gathered unless its profile says otherwise. */
  readingPersistOf(path: string): Persist {
    const point = this.#find(path)
    const persist = point?.resource.properties.optional.persist ?? 'batched'
    // How the hardware fares stays in the state, whatever becomes of its readings.
    return point?.side === 'health' && persist === 'volatile' ? 'batched' : persist
  }

  /** Where the device says what it has, or null for what is no resource of the profile. */
  reportedPathOf(name: string): string | null {
    const resource = this.#resources.get(name)
    return resource === undefined ? null : reportedPath(this.#prefix.slice(0, -1), resource)
  }

  /** Null if the profile does not name the point; else whether this gateway alone writes it. */
  isReported(path: string): boolean | null {
    const rule = this.#find(path) === null ? null : (this.#table?.ruleOf(path.slice(this.#prefix.length)) ?? null)
    return rule === null ? null : this.#table?.writerOf(rule) === this.#node
  }

  #assertFits(write: PlainWrite): void {
    const objection = this.#table === null ? null : objectionTo(write, this.#node, this.#table)
    if (objection !== null) throw refusalFor(objection)
  }

  #pointOf(path: string): Point | null {
    if (this.#profile === null || !path.startsWith(this.#prefix)) return null
    const point = this.#find(path)
    if (point !== null) return point
    const known = [...this.#resources.keys()].join(', ')
    throw new FleetstepError('path-unknown', `${path} is not in this device's profile, which has: ${known}`)
  }

  #find(path: string): Point | null {
    if (!path.startsWith(this.#prefix)) return null
    const { side, name } = sideOf(path.slice(this.#prefix.length))
    const resource = this.#resources.get(name)
    return resource === undefined ? null : { side, resource }
  }
}

interface Point {
  readonly side: PointSide
  readonly resource: DeviceResource
}

/** These rules never leave this gateway, so nobody asks which version they are. */
const NO_VERSION = digestOf('')
