import { unreachable } from '../../base/errors.ts'
import {
  DRIVERS,
  isProblems,
  parseBinding,
  type Binding,
  type GpioBinding,
  type ModbusBinding,
  type PortWords,
  RAW_TYPES,
  type RawType,
  type SerialBinding,
} from './attributes.ts'
import { compilePattern } from '../../state/rules/pattern.ts'
import type { DeviceProfile, DeviceResource } from './profile.ts'
import type { ProfileProblem } from './schema-words.ts'
import { showValue } from '../../state/rules/show-value.ts'
import { checkValue } from './value-check.ts'
import { parseValue } from './value-text.ts'
import { isNumberType, isReadable, isWritable, numberRange } from '../../state/rules/value-type.ts'

type Path = readonly (string | number)[]
type Rule = readonly [holds: boolean, field: Path, message: string]

/** What is wrong with the attributes of one resource, by themselves and beside its properties. */
export function checkBinding(resource: DeviceResource, path: Path): ProfileProblem[] {
  const at: Path = [...path, 'attributes']
  const binding = parseBinding(resource)
  if (binding === null) return []
  if (isProblems(binding)) return binding.map((problem) => ({ ...problem, path: [...at, ...problem.path] }))
  return rulesOf(resource, binding).flatMap(([holds, field, message]) =>
    holds ? [] : [{ path: [...path, ...field], message }],
  )
}

/** Where two resources want the same line, register or port, each in its own way. */
export function checkSharing(profile: DeviceProfile): ProfileProblem[] {
  const problems: ProfileProblem[] = []
  const owners = new Map<string, string>()
  const ports = new Map<string, { readonly name: string; readonly driver: string; readonly settings: string }>()
  const listeners = new Map<string, { readonly name: string; readonly terminator: string }>()
  for (const [index, resource] of profile.deviceResources.entries()) {
    const path: Path = ['deviceResources', index, 'attributes']
    const binding = parseBinding(resource)
    if (binding === null || isProblems(binding)) continue
    const { field, what } = claimOf(resource, binding)
    const taken = what.find((one) => owners.has(one))
    if (taken === undefined) for (const one of what) owners.set(one, resource.name)
    else {
      const message = `${taken === what[0] ? 'is' : 'reaches'} ${taken}, which ${owners.get(taken)} has already`
      problems.push({ path: [...path, field], message })
    }
    if (!('port' in binding)) continue
    if (binding.driver === 'serial' && listens(binding)) {
      const { port, terminator } = binding
      const other = listeners.get(port)
      if (other === undefined) listeners.set(port, { name: resource.name, terminator })
      else if (other.terminator !== terminator) {
        const message = `is ${showValue(terminator)}, but lines on ${port} end with ${showValue(other.terminator)} for ${other.name}`
        problems.push({ path: [...path, 'terminator'], message })
      }
    }
    const settings = settingsOf(binding)
    const first = ports.get(binding.port)
    if (first === undefined) ports.set(binding.port, { name: resource.name, driver: binding.driver, settings })
    else if (first.driver !== binding.driver) {
      const message = `is ${binding.port}, on which ${first.name} speaks with driver ${first.driver}; a port has one driver`
      problems.push({ path: [...path, 'port'], message })
    } else if (first.settings !== settings) {
      const message = `is ${binding.port} with ${settings}, but ${first.name} has it with ${first.settings}`
      problems.push({ path: [...path, 'port'], message })
    }
  }
  return problems
}

/** Whether anything is read of the lines that come: all on one port who do agree on how a line ends. */
export function listens({ response, confirmation }: SerialBinding): boolean {
  return response !== undefined || confirmation !== undefined
}

/** What will work, but is probably not what was meant. */
export function warnOfBinding(resource: DeviceResource, path: Path, profile: DeviceProfile): ProfileProblem[] {
  const { driver } = resource.attributes
  if (driver !== undefined && !DRIVERS.some((one) => one === driver)) {
    const message = `${showValue(driver)} is no driver that comes with fleetstep (${DRIVERS.join(', ')})`
    return [{ path: [...path, 'attributes', 'driver'], message }]
  }
  const binding = parseBinding(resource)
  if (binding === null || isProblems(binding) || binding.driver !== 'gpio') return []
  const warnings: ProfileProblem[] = []
  const use = binding.chip === 'soc' ? headerUse(binding.line, profile) : null
  if (use !== null) warnings.push({ path: [...path, 'attributes', 'line'], message: use })
  if (isWritable(resource.properties.readWrite) && resource.properties.optional.safeValue === undefined) {
    const message = 'is missing: the output keeps its last value when nobody is in charge of it'
    warnings.push({ path: [...path, 'properties', 'optional', 'safeValue'], message })
  }
  return warnings
}

function rulesOf(resource: DeviceResource, binding: Binding): readonly Rule[] {
  switch (binding.driver) {
    case 'gpio':
      return [...outputRules(resource), ...gpioRules(resource, binding)]
    case 'serial':
      return [...outputRules(resource), ...serialRules(resource, binding)]
    case 'modbus':
      return [...outputRules(resource), ...modbusRules(resource, binding)]
    case 'system':
      return []
    default:
      return unreachable(binding)
  }
}

function gpioRules({ attributes, properties }: DeviceResource, binding: GpioBinding): readonly Rule[] {
  const isOutput = isWritable(properties.readWrite)
  const direction = isOutput ? 'out' : 'in'
  const onlyInput = (field: string): Rule => [
    attributes[field] === undefined || !isOutput,
    ['attributes', field],
    `is for inputs, and this one is ${properties.readWrite}; remove it`,
  ]
  return [
    [
      properties.valueType === 'Bool',
      ['properties', 'valueType'],
      `must be Bool with driver gpio, but is ${properties.valueType}`,
    ],
    [
      binding.direction === undefined || binding.direction === direction,
      ['attributes', 'direction'],
      `must be ${direction}, since the point is ${properties.readWrite}; or leave it out`,
    ],
    onlyInput('bias'),
    onlyInput('edge'),
    onlyInput('debounceMs'),
  ]
}

/** What only an output has. */
function outputRules({ attributes, properties }: DeviceResource): readonly Rule[] {
  const isOutput = isWritable(properties.readWrite)
  return [
    ...['drive', 'dwell', 'safeAfter'].map((field): Rule => [
      attributes[field] === undefined || isOutput,
      ['attributes', field],
      `is for points that are set, and this one is ${properties.readWrite}; remove it`,
    ]),
    [
      attributes['safeAfter'] === undefined || properties.optional.safeValue !== undefined,
      ['attributes', 'safeAfter'],
      'needs properties.optional.safeValue, which the output takes then',
    ],
  ]
}

function serialRules(resource: DeviceResource, binding: SerialBinding): readonly Rule[] {
  const { readWrite, valueType } = resource.properties
  const { response, command } = binding
  return [
    [
      valueType === 'Bool' || valueType === 'String' || isNumberType(valueType),
      ['properties', 'valueType'],
      `must be Bool, String or a number with driver serial, but is ${valueType}`,
    ],
    [
      !isReadable(readWrite) || response !== undefined,
      ['attributes', 'response'],
      `is missing; a point that is ${readWrite} needs it to read the line`,
    ],
    [
      response === undefined || hasGroup(response),
      ['attributes', 'response'],
      'has no group in brackets; the group is what is read: level=([0-9.]+)',
    ],
    [isReadable(readWrite) || response === undefined, ['attributes', 'response'], 'is for points that are read'],
    [isReadable(readWrite) || binding.request === undefined, ['attributes', 'request'], 'is for points that are read'],
    [
      !isWritable(readWrite) || command !== undefined,
      ['attributes', 'command'],
      `is missing; a point that is ${readWrite} needs it to be set`,
    ],
    [isWritable(readWrite) || command === undefined, ['attributes', 'command'], 'is for points that are set'],
    [
      command === undefined || command.includes('{value}'),
      ['attributes', 'command'],
      'does not hold {value}, which stands for what is set',
    ],
    [
      command !== undefined || binding.confirmation === undefined,
      ['attributes', 'confirmation'],
      'is for points with a command',
    ],
    ...Object.entries(binding.mappings).map(([text, value]): Rule => {
      const problem = mappingProblem(resource, value)
      return [problem === null, ['attributes', 'mappings', text], problem ?? '']
    }),
  ]
}

function mappingProblem(resource: DeviceResource, text: string): string | null {
  const { valueType } = resource.properties
  const value = parseValue(valueType, text)
  return value === undefined ? `${showValue(text)} is no value of type ${valueType}` : checkValue(resource, value)
}

/** Whether a pattern without problems holds a group that captures. */
function hasGroup(pattern: string): boolean {
  return new RegExp(`${compilePattern(pattern).source}|`, 'u').exec('')?.length !== 1
}

function modbusRules({ properties }: DeviceResource, binding: ModbusBinding): readonly Rule[] {
  const { valueType, readWrite } = properties
  const { primaryTable, rawType } = binding
  const isBit = primaryTable === 'COILS' || primaryTable === 'DISCRETES_INPUT'
  const isInput = primaryTable === 'DISCRETES_INPUT' || primaryTable === 'INPUT_REGISTERS'
  const raw = rawTypeOf(properties.valueType, rawType)
  const isWhole = isNumberType(valueType) && numberRange(valueType).whole
  return [
    [
      !isInput || readWrite === 'R',
      ['properties', 'readWrite'],
      `must be R, since ${primaryTable} cannot be set, but is ${readWrite}`,
    ],
    [
      !isBit || valueType === 'Bool',
      ['properties', 'valueType'],
      `must be Bool for ${primaryTable}, but is ${valueType}`,
    ],
    [!isBit || rawType === undefined, ['attributes', 'rawType'], `is for registers, and not for ${primaryTable}`],
    [
      isBit || isNumberType(valueType),
      ['properties', 'valueType'],
      `must be a number for ${primaryTable}, but is ${valueType}`,
    ],
    [
      isBit || !isNumberType(valueType) || raw !== null,
      ['attributes', 'rawType'],
      `is missing; no register holds ${valueType}, so say what it holds`,
    ],
    [
      !isWhole || raw === null || !raw.startsWith('Float'),
      ['attributes', 'rawType'],
      `is ${raw}, and ${valueType} would lose the fraction; use valueType Float32 or Float64`,
    ],
    [
      isBit || binding.startingAddress + registersOf(raw ?? 'Int16') <= 65_536,
      ['attributes', 'startingAddress'],
      'leaves no room for all registers of this type',
    ],
  ]
}

/** What the registers of a point hold; null if nothing says it. */
export function rawTypeOf(valueType: string, rawType: RawType | undefined): RawType | null {
  return rawType ?? RAW_BY_VALUE_TYPE.get(valueType) ?? null
}

export function registersOf(rawType: RawType): 1 | 2 | 4 {
  return rawType.endsWith('16') ? 1 : rawType.endsWith('32') ? 2 : 4
}

const RAW_BY_VALUE_TYPE: ReadonlyMap<string, RawType> = new Map(RAW_TYPES.map((type) => [type, type]))

/** What only one resource may have. */
/** What nobody else may have: a line, or each of the registers that are written. */
function claimOf({ properties }: DeviceResource, binding: Binding): Claim {
  switch (binding.driver) {
    case 'gpio':
      return { field: 'line', what: [`line ${binding.line} of chip ${binding.chip}`] }
    case 'modbus': {
      if (!isWritable(properties.readWrite)) return NO_CLAIM
      const { unitId, primaryTable, startingAddress, port, rawType } = binding
      const raw = rawTypeOf(properties.valueType, rawType)
      const what = Array.from(
        { length: raw === null ? 1 : registersOf(raw) },
        (_, index) => `${primaryTable} ${startingAddress + index} of unit ${unitId} on ${port}`,
      )
      return { field: 'startingAddress', what }
    }
    case 'serial':
    case 'system':
      return NO_CLAIM
    default:
      return unreachable(binding)
  }
}

interface Claim {
  readonly field: string
  readonly what: readonly string[]
}

const NO_CLAIM: Claim = { field: '', what: [] }

/** Such as `9600 baud 8N1`. */
function settingsOf({ baudRate, dataBits, parity, stopBits }: PortWords): string {
  return `${baudRate} baud ${dataBits}${parity.charAt(0).toUpperCase()}${stopBits}`
}

/**
 * What else a line of the 40-pin header is used for by this profile or by the board; null if it is free.
 * Source: Raspberry Pi documentation, "GPIO and the 40-pin header", and the pinout of the HAT specification.
 */
function headerUse(line: number, profile: DeviceProfile): string | null {
  if (line === 0 || line === 1) return `BCM ${line} is for the identification EEPROM of a HAT; take another line`
  if (line === 2 || line === 3) return `BCM ${line} is the I2C bus, with a fixed pull-up; it is free only without one`
  if (line !== 14 && line !== 15) return null
  const ports = profile.deviceResources.flatMap((resource) => {
    const binding = parseBinding(resource)
    return binding !== null && 'port' in binding ? [binding.port] : []
  })
  const port = ports.find((path) => HEADER_UARTS.has(path))
  const name = line === 14 ? 'TXD' : 'RXD'
  return `BCM ${line} is ${name} of the UART${port === undefined ? ', which must be switched off' : `, and this profile speaks on ${port}`}`
}

/** Names that the UART of the header has on one model or another. */
const HEADER_UARTS: ReadonlySet<string> = new Set(['/dev/serial0', '/dev/ttyAMA0', '/dev/ttyS0', '/dev/ttyAMA10'])
