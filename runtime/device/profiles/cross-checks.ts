import { digestOf } from '../../base/digest.ts'
import { FleetstepError } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import { encodeRules } from '../../state/rules/rules-codec.ts'
import { isDiskQuantity, isSystemQuantity, unitsOfQuantity } from '../system/system-quantity.ts'
import { checkBinding, checkSharing, warnOfBinding } from './attribute-checks.ts'
import { showValue } from '../../state/rules/show-value.ts'
import { sameScalar } from '../../state/rules/value-check.ts'
import {
  elementType,
  isNumberType,
  isReadable,
  isWritable,
  numberRange,
  numberTypeOf,
} from '../../state/rules/value-type.ts'
import type { DeviceCommand, DeviceProfile, DeviceResource, ResourceOperation } from './profile.ts'
import { rulesOfProfile } from './rules.ts'
import type { ProfileProblem } from './schema-words.ts'
import { isKnownUnit } from './units.ts'
import { checkType, checkValue } from './value-check.ts'
import { parseValue } from './value-text.ts'

type Path = readonly (string | number)[]

export interface CrossChecked {
  readonly problems: readonly ProfileProblem[]
  /** What will work, but is probably not what was meant. */
  readonly warnings: readonly ProfileProblem[]
}

/** What a schema cannot see: whether the fields of a profile fit each other. */
export function crossCheck(profile: DeviceProfile): CrossChecked {
  const problems: ProfileProblem[] = []
  const warnings: ProfileProblem[] = []
  findDuplicates(profile.deviceResources, 'deviceResources', problems)
  findDuplicates(profile.deviceCommands, 'deviceCommands', problems)
  for (const [index, resource] of profile.deviceResources.entries()) {
    const path: Path = ['deviceResources', index]
    problems.push(...checkResource(resource, path))
    warnings.push(...warnOfResource(resource, path), ...warnOfBinding(resource, path, profile))
  }
  problems.push(...checkSharing(profile))
  for (const [index, command] of profile.deviceCommands.entries()) {
    problems.push(...checkCommand(command, ['deviceCommands', index], profile))
  }
  return { problems: problems.length === 0 ? checkRules(profile) : problems, warnings }
}

function findDuplicates(named: readonly { readonly name: string }[], key: string, problems: ProfileProblem[]): void {
  const seen = new Set<string>()
  for (const [index, { name }] of named.entries()) {
    if (seen.has(name))
      problems.push({ path: [key, index, 'name'], message: `"${name}" is used twice; names are unique` })
    seen.add(name)
  }
}

/** Every member of the fleet judges by a profile, so it must fit what one operation carries. */
function checkRules(profile: DeviceProfile): ProfileProblem[] {
  try {
    encodeRules(rulesOfProfile(profile, ANY_NODE, digestOf('')))
    return []
  } catch (error) {
    if (!(error instanceof FleetstepError)) throw error
    return [{ path: ['deviceResources'], message: `is too much for one device: ${error.message}` }]
  }
}

/** As long as that of any gateway. */
const ANY_NODE = 'ffffffffffffffff' as NodeId

function checkResource(resource: DeviceResource, path: Path): ProfileProblem[] {
  const properties: Path = [...path, 'properties']
  return [
    ...checkRange(resource, properties),
    ...checkScaling(resource, properties),
    ...checkValues(resource, properties),
    ...checkFit(resource, properties),
    ...checkBinding(resource, path),
    ...checkSystemDriver(resource, path),
  ]
}

function checkRange({ properties }: DeviceResource, path: Path): ProfileProblem[] {
  const { valueType, minimum, maximum } = properties
  const problems: ProfileProblem[] = []
  const type = numberTypeOf(valueType)
  for (const [field, bound] of [['minimum', minimum] as const, ['maximum', maximum] as const]) {
    if (bound === undefined) continue
    const message = type === null ? `has no meaning for ${valueType}; remove it` : boundProblem(bound, type)
    if (message !== null) problems.push({ path: [...path, field], message })
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    problems.push({ path: [...path, 'minimum'], message: `is ${minimum}, above the maximum ${maximum}` })
  }
  return problems
}

function boundProblem(bound: number | bigint, type: Parameters<typeof numberRange>[0]): string | null {
  const range = numberRange(type)
  if (range.whole && typeof bound === 'number' && !Number.isInteger(bound)) {
    return `must be a whole number, since the type is ${type}, but is ${bound}`
  }
  if (bound >= range.minimum && bound <= range.maximum) return null
  return `must be from ${range.minimum} to ${range.maximum}, what ${type} can hold, but is ${bound}`
}

/** A fraction times a whole number of a whole type would lose its fraction in silence. */
function checkScaling({ properties }: DeviceResource, path: Path): ProfileProblem[] {
  const type = numberTypeOf(properties.valueType)
  const problems: ProfileProblem[] = []
  for (const field of ['base', 'scale', 'offset', 'mask', 'shift'] as const) {
    const value = properties[field]
    if (value === undefined) continue
    if (type === null) {
      problems.push({ path: [...path, field], message: `has no meaning for ${properties.valueType}; remove it` })
    } else if (numberRange(type).whole && typeof value === 'number' && !Number.isInteger(value)) {
      const message = `is ${value}, and ${properties.valueType} would lose the fraction; use valueType Float32 or Float64`
      problems.push({ path: [...path, field], message })
    }
  }
  return problems
}

function checkValues(resource: DeviceResource, path: Path): ProfileProblem[] {
  const { properties } = resource
  const problems: ProfileProblem[] = []
  for (const field of ['defaultValue', 'assertion'] as const) {
    const text = properties[field]
    const message = text === undefined ? null : textProblem(resource, text)
    if (message !== null) problems.push({ path: [...path, field], message })
  }
  for (const [index, value] of (properties.optional.enum ?? []).entries()) {
    const at = [...path, 'optional', 'enum', index]
    const message = checkType(properties, value)
    if (message !== null) problems.push({ path: at, message })
    else if (properties.optional.enum?.findIndex((other) => sameScalar(other, value)) !== index) {
      problems.push({ path: at, message: `${showValue(value)} is listed twice` })
    }
  }
  const { safeValue } = properties.optional
  const message = safeValue === undefined ? null : checkValue(resource, safeValue)
  if (message !== null) problems.push({ path: [...path, 'optional', 'safeValue'], message })
  return problems
}

function textProblem(resource: DeviceResource, text: string): string | null {
  const { valueType } = resource.properties
  const value = parseValue(valueType, text)
  return value === undefined ? `${showValue(text)} is no value of type ${valueType}` : checkValue(resource, value)
}

/** Fields that need a certain type or access. */
function checkFit({ properties }: DeviceResource, path: Path): ProfileProblem[] {
  const { valueType, readWrite, optional } = properties
  const isArray = elementType(valueType) !== null
  const hasLength = valueType === 'String' || valueType === 'Binary' || isArray
  const rules: readonly (readonly [holds: boolean, field: readonly string[], message: string])[] = [
    [valueType !== 'Binary' || properties.mediaType !== undefined, ['mediaType'], 'is missing; Binary needs it'],
    [valueType === 'Binary' || properties.mediaType === undefined, ['mediaType'], 'is for Binary only; remove it'],
    [
      optional.enum === undefined || valueType === 'String' || isNumberType(valueType),
      ['optional', 'enum'],
      `has no meaning for ${valueType}; it is for String and numbers`,
    ],
    [
      optional.pattern === undefined || valueType === 'String',
      ['optional', 'pattern'],
      `has no meaning for ${valueType}; it is for String`,
    ],
    [
      optional.maxLength === undefined || hasLength,
      ['optional', 'maxLength'],
      `has no meaning for ${valueType}; it is for String, Binary and arrays`,
    ],
    [
      optional.merge !== 'counter' || isNumberType(valueType),
      ['optional', 'merge'],
      `counter needs a number, but the type is ${valueType}`,
    ],
    [
      optional.merge !== 'append' || isArray,
      ['optional', 'merge'],
      `append needs an array, but the type is ${valueType}`,
    ],
    [
      optional.onChangeThreshold === undefined || isNumberType(valueType),
      ['optional', 'onChangeThreshold'],
      `has no meaning for ${valueType}; it is for numbers`,
    ],
    [
      optional.onChangeThreshold === undefined || isReadable(readWrite),
      ['optional', 'onChangeThreshold'],
      'is for points that are read, and this one is W',
    ],
    [
      optional.interval === undefined || isReadable(readWrite),
      ['optional', 'interval'],
      'is for points that are read, and this one is W',
    ],
    [
      optional.safeValue === undefined || isWritable(readWrite),
      ['optional', 'safeValue'],
      'is for points that are set, and this one is R',
    ],
    [
      optional.owner !== 'desired' || isWritable(readWrite),
      ['optional', 'owner'],
      'cannot be desired, since nobody can set a point that is R',
    ],
    [
      optional.owner !== 'reported' || isReadable(readWrite),
      ['optional', 'owner'],
      'cannot be reported, since nobody can read a point that is W',
    ],
    [
      properties.assertion === undefined || isReadable(readWrite),
      ['assertion'],
      'is for points that are read, and this one is W',
    ],
  ]
  return rules.flatMap(([holds, field, message]) => (holds ? [] : [{ path: [...path, ...field], message }]))
}

function checkSystemDriver({ attributes, properties }: DeviceResource, path: Path): ProfileProblem[] {
  if (attributes['driver'] !== 'system') return []
  const { source } = attributes
  // What is no source is told with the form of the attributes.
  if (!isSystemQuantity(source)) return []
  const problems: ProfileProblem[] = []
  const units = unitsOfQuantity(source)
  if (!isNumberType(properties.valueType)) {
    const message = `must be a number for the source ${source}, but is ${properties.valueType}`
    problems.push({ path: [...path, 'properties', 'valueType'], message })
  }
  if (properties.readWrite !== 'R') {
    problems.push({ path: [...path, 'properties', 'readWrite'], message: `must be R, since ${source} cannot be set` })
  }
  if (properties.units !== undefined && !units.has(properties.units)) {
    const message = `must be one of ${[...units.keys()].join(', ')} for the source ${source}, but is "${properties.units}"`
    problems.push({ path: [...path, 'properties', 'units'], message })
  }
  const where = attributes['path']
  if (where !== undefined && (!isDiskQuantity(source) || typeof where !== 'string' || !where.startsWith('/'))) {
    const message = 'is for the sources of a disk: an absolute path on the one that is meant'
    problems.push({ path: [...path, 'attributes', 'path'], message })
  }
  return problems
}

function warnOfResource({ properties }: DeviceResource, path: Path): ProfileProblem[] {
  const warnings: ProfileProblem[] = []
  const { units } = properties
  if (units !== undefined && !isKnownUnit(units)) {
    const message = `"${units}" is not on the list of units; write it as a UCUM code if it has one (Cel, L/min, MiBy)`
    warnings.push({ path: [...path, 'properties', 'units'], message })
  }
  return warnings
}

function checkCommand(command: DeviceCommand, path: Path, profile: DeviceProfile): ProfileProblem[] {
  return command.resourceOperations.flatMap((operation, index) => {
    const at: Path = [...path, 'resourceOperations', index]
    const resource = profile.deviceResources.find((one) => one.name === operation.deviceResource)
    if (resource !== undefined) return checkOperation(command, operation, resource, at)
    const message = `names "${operation.deviceResource}", but there is no such device resource`
    return [{ path: [...at, 'deviceResource'], message }]
  })
}

function checkOperation(
  command: DeviceCommand,
  operation: ResourceOperation,
  resource: DeviceResource,
  path: Path,
): ProfileProblem[] {
  const problems: ProfileProblem[] = []
  const { readWrite } = resource.properties
  if (
    (isReadable(command.readWrite) && !isReadable(readWrite)) ||
    (isWritable(command.readWrite) && !isWritable(readWrite))
  ) {
    const message = `is ${readWrite}, but the command ${command.name} is ${command.readWrite}`
    problems.push({ path: [...path, 'deviceResource'], message })
  }
  const message = operation.defaultValue === undefined ? null : textProblem(resource, operation.defaultValue)
  if (message !== null) problems.push({ path: [...path, 'defaultValue'], message })
  return problems
}
