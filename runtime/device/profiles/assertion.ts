import { showValue } from '../../state/rules/show-value.ts'
import { sameScalar } from '../../state/rules/value-check.ts'
import type { DeviceResource } from './profile.ts'
import { parseValue } from './value-text.ts'

/** Null for the reading of a healthy device, else one clear reason without the name of the resource. */
export function assertionProblem({ properties }: DeviceResource, value: unknown): string | null {
  const { assertion, valueType } = properties
  if (assertion === undefined || sameScalar(value, parseValue(valueType, assertion))) return null
  return `the reading is ${showValue(value)}, and that of a healthy device is ${assertion}`
}
