import type { ProfileDifference } from '../device/profiles/difference.ts'
import type { DeviceProfile } from '../device/profiles/profile.ts'
import type { Value } from '../state/value.ts'
import { valueToJson } from './control-protocol.ts'

/** A {@link ProfileDifference} in JSON; what is absent is left out. */
export interface JsonDifference {
  readonly what: string
  readonly before?: unknown
  readonly after?: unknown
}

export function differencesToJson(differences: readonly ProfileDifference[]): readonly JsonDifference[] {
  return differences.map(({ what, before, after }) => ({
    what,
    ...(before !== undefined && { before: valueToJson(before) }),
    ...(after !== undefined && { after: valueToJson(after) }),
  }))
}

/** Whole numbers beyond 2^53 are written as the control protocol writes them. */
export function profileToJson(profile: DeviceProfile): unknown {
  // A profile is plain data, as it was read of YAML.
  const data: unknown = profile
  return valueToJson(data as Value)
}
