import { FleetstepError } from '../base/errors.ts'
import type { DeviceProfile, DeviceResource } from '../device/profiles/profile.ts'
import { isWritable } from '../state/rules/value-type.ts'
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
  readonly #resources: ReadonlyMap<string, DeviceResource> | null

  constructor(device: string, profile: DeviceProfile | null) {
    this.#prefix = `${device}/`
    this.#resources =
      profile === null ? null : new Map(profile.deviceResources.map((resource) => [resource.name, resource]))
  }

  /** @throws FleetstepError `path-unknown`, `operation-refused`, `operation-invalid` */
  assertMaySet(write: PlainWrite): void {
    const resource = this.#resourceOf(write.path)
    if (resource === null) return
    if (!isWritable(resource.properties.readWrite)) {
      throw new FleetstepError('operation-refused', `${write.path} is read only: the device reports it`)
    }
    if (write.kind === 'set') assertFits(write, checkSet(resource, write.argument))
  }

  assertIsReading(write: PlainWrite): void {
    const resource = this.#resourceOf(write.path)
    if (resource !== null) assertFits(write, checkReading(resource, write.argument))
  }

  /** One write that is to be on the card sooner brings the others along. */
  persistOf(writes: readonly PlainWrite[]): Persist {
    const wanted = writes.map((write) => this.#find(write.path)?.properties.optional.persist ?? 'always')
    return PERSIST.find((persist) => wanted.includes(persist)) ?? 'always'
  }

  /** Telemetry is gathered unless its profile says otherwise. */
  readingPersistOf(path: string): Persist {
    return this.#find(path)?.properties.optional.persist ?? 'batched'
  }

  #resourceOf(path: string): DeviceResource | null {
    if (this.#resources === null || !path.startsWith(this.#prefix)) return null
    const resource = this.#find(path)
    if (resource !== null) return resource
    const known = [...this.#resources.keys()].join(', ')
    throw new FleetstepError('path-unknown', `${path} is not in this device's profile, which has: ${known}`)
  }

  #find(path: string): DeviceResource | null {
    return path.startsWith(this.#prefix) ? (this.#resources?.get(path.slice(this.#prefix.length)) ?? null) : null
  }
}

function assertFits(write: PlainWrite, problem: string | null): void {
  if (problem !== null) throw new FleetstepError('operation-invalid', `${write.path}: ${problem}`)
}
