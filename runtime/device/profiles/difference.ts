import { equalValues, type Value } from '../../state/value.ts'
import type { DeviceProfile } from './profile.ts'

/** One thing in which two profiles differ. */
export interface ProfileDifference {
  /** `flowSetpoint.properties.maximum`; a resource by its name, a command behind `deviceCommands`. */
  readonly what: string
  /** Undefined: it is not there. */
  readonly before: Value | undefined
  readonly after: Value | undefined
}

/** What must be changed in `before` to have `after`, with defaults filled in on both sides; empty if they say the same. */
export function profileDifferences(before: DeviceProfile, after: DeviceProfile): readonly ProfileDifference[] {
  const differences: ProfileDifference[] = []
  const { deviceResources: pointsBefore, deviceCommands: commandsBefore, ...headBefore } = before
  const { deviceResources: pointsAfter, deviceCommands: commandsAfter, ...headAfter } = after
  compare('', valueOf(headBefore), valueOf(headAfter), differences)
  compareNamed('', pointsBefore, pointsAfter, differences)
  compareNamed('deviceCommands.', commandsBefore, commandsAfter, differences)
  return differences
}

interface Named {
  readonly name: string
}

/** In the order of `before`, and then what is new. */
function compareNamed(
  prefix: string,
  before: readonly Named[],
  after: readonly Named[],
  differences: ProfileDifference[],
): void {
  for (const old of before) {
    const now = after.find(({ name }) => name === old.name)
    compare(prefix + old.name, valueOf(old), now === undefined ? undefined : valueOf(now), differences)
  }
  for (const now of after) {
    if (before.every(({ name }) => name !== now.name)) {
      differences.push({ what: prefix + now.name, before: undefined, after: valueOf(now) })
    }
  }
}

function compare(
  what: string,
  before: Value | undefined,
  after: Value | undefined,
  differences: ProfileDifference[],
): void {
  if (equalValues(before, after)) return
  if (!isMap(before) || !isMap(after)) {
    differences.push({ what, before, after })
    return
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compare(what === '' ? key : `${what}.${key}`, before[key], after[key], differences)
  }
}

function isMap(value: Value | undefined): value is { readonly [key: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

/** What is read of YAML is plain data, and so is a value; a field that is not there is left out. */
function valueOf(part: object): Value {
  return part as Value
}
