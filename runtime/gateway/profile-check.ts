import { FleetstepError } from '../base/errors.ts'
import type { DeviceProfile, DeviceResource } from '../device/profiles/profile.ts'
import { isWritable } from '../device/profiles/profile.ts'
import { hasTwoSides, healthProblem, type PointSide, sideOf } from '../device/profiles/points.ts'
import { checkReading, checkSet } from '../device/profiles/value-check.ts'
import type { OperationRequest } from '../state/operation.ts'

/** How soon a change is committed: at once, or gathered with others for a shorter or a longer while. */
export type Persist = 'always' | 'batched' | 'volatile'

/** The soonest first. */
const PERSIST: readonly Persist[] = ['always', 'batched', 'volatile']

type PlainWrite = OperationRequest['writes'][number]

/** What the profile of this gateway's device says of the points below `<device>/`. Other points are free. */
export class ProfileCheck {
  readonly #prefix: string
  #profile: DeviceProfile | null
  #resources: ReadonlyMap<string, DeviceResource> = new Map()

  constructor(device: string, profile: DeviceProfile | null) {
    this.#prefix = `${device}/`
    this.#profile = profile
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
  }

  /** @throws FleetstepError `path-unknown`, `operation-refused`, `operation-invalid` */
  assertMaySet(write: PlainWrite): void {
    const point = this.#pointOf(write.path)
    if (point === null) return
    if (point.side !== 'point' || !isWritable(point.resource.properties.readWrite)) {
      throw new FleetstepError('operation-refused', `${write.path} is read only: the device reports it`)
    }
    if (write.kind === 'set') assertFits(write, checkSet(point.resource, write.argument))
  }

  /** @throws FleetstepError `path-unknown`, `operation-refused`, `operation-invalid` */
  assertIsReading(write: PlainWrite): void {
    const point = this.#pointOf(write.path)
    if (point === null) return
    const { side, resource } = point
    if (side === 'health') return assertFits(write, healthProblem(write.argument))
    if (hasTwoSides(resource) !== (side === 'reported')) {
      throw new FleetstepError('operation-refused', `${write.path} is what people wish for: the device does not set it`)
    }
    assertFits(write, checkReading(resource, write.argument))
  }

  /** One write that is to be on the card sooner brings the others along. */
  persistOf(writes: readonly PlainWrite[]): Persist {
    const wanted = writes.map((write) => this.#find(write.path)?.resource.properties.optional.persist ?? 'always')
    return PERSIST.find((persist) => wanted.includes(persist)) ?? 'always'
  }

  /** Telemetry is gathered unless its profile says otherwise. */
  readingPersistOf(path: string): Persist {
    return this.#find(path)?.resource.properties.optional.persist ?? 'batched'
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

function assertFits(write: PlainWrite, problem: string | null): void {
  if (problem !== null) throw new FleetstepError('operation-invalid', `${write.path}: ${problem}`)
}
