import * as v from 'valibot'
import { assert } from '../../base/errors.ts'
import {
  GPIO_DEBOUNCE_MAX_MS,
  GPIO_DWELL_DEFAULT,
  GPIO_LINE_MAX,
  INSTRUMENT_BAUD_DEFAULT,
  INSTRUMENT_BAUD_MIN,
  INSTRUMENT_RETRIES_DEFAULT,
  INSTRUMENT_RETRIES_MAX,
  INSTRUMENT_TERMINATOR_LENGTH_MAX,
  INSTRUMENT_TEXT_LENGTH_MAX,
  INSTRUMENT_TIMEOUT_MAX_MS,
  INSTRUMENT_TIMEOUT_MIN_MS,
  MODBUS_TIMEOUT_DEFAULT_MS,
  SERIAL_BAUD_MAX,
  SERIAL_INSTRUMENT_TIMEOUT_DEFAULT_MS,
} from '../../base/limits.ts'
import { SYSTEM_QUANTITIES, type SystemQuantity } from '../system/system-quantity.ts'
import type { DeviceResource } from './profile.ts'
import {
  about,
  fields,
  INTERVAL,
  INTERVAL_OR_ZERO,
  LABEL,
  MAPPINGS,
  matching,
  oneOf,
  oneOfNumbers,
  parseWith,
  PATTERN,
  type ProfileProblem,
  type Schema,
  textOf,
  wholeFrom,
  YES_OR_NO,
} from './schema-words.ts'

/*
 * The words of `attributes` by driver. Names are those of EdgeX where it has them: device-modbus for `modbus`, device-gpio
 * for `gpio`. Unlike there, an unknown word is a mistake.
 */

/** What a resource is wired to, with the defaults filled in. */
export type Binding = GpioBinding | SerialBinding | ModbusBinding | SystemBinding

/** Of every output. */
interface OutputWords {
  readonly drive: Drive
  /** Shortest time between two changes of the output, as `200ms`; of what comes in between the last one counts. */
  readonly dwell: string
  /** Time without any link after which the output takes its `safeValue`, as `30s`; never if left out. */
  readonly safeAfter?: string
}

/** When an output follows: as soon as a change is executed here, or when no member can overturn it any more. */
export type Drive = 'tentative' | 'settled'

/** One line of a GPIO chip. */
export interface GpioBinding extends OutputWords {
  readonly driver: 'gpio'
  /** Label of the chip; `soc` is the one whose lines are on the 40-pin header, whatever its label is on this model. */
  readonly chip: string
  /** On `soc` the BCM number. */
  readonly line: number
  /** What `readWrite` says, unless it stands there. */
  readonly direction?: 'in' | 'out'
  readonly activeLow: boolean
  /** Of inputs; as the board has it if left out. */
  readonly bias?: 'none' | 'pull-up' | 'pull-down'
  /** Edges that wake the reader of an input. */
  readonly edge: 'both' | 'rising' | 'falling'
  /** Milliseconds for which an input is stable before it counts. */
  readonly debounceMs: number
}

/** A serial port and its settings. Equal everywhere in one profile for one port. */
export interface PortWords {
  /** A device file, `usb:VID:PID`, `usb:VID:PID:SERIAL`, `usb-socket:1-1.2`, or a name that the config gives to one. */
  readonly port: string
  readonly baudRate: number
  readonly dataBits: 7 | 8
  readonly parity: 'none' | 'even' | 'odd'
  readonly stopBits: 1 | 2
  readonly timeoutMs: number
  readonly retries: number
}

/** An instrument that speaks lines of text: one that is asked, or one that speaks by itself. */
export interface SerialBinding extends PortWords, OutputWords {
  readonly driver: 'serial'
  /** What asks for the reading, with its line ending; without it the instrument speaks by itself. */
  readonly request?: string
  /** Ends a line that comes. */
  readonly terminator: string
  /** The whole line; its first group is the text of the reading. */
  readonly response?: string
  /** What sets the value, with its line ending; `{value}` stands for the value. */
  readonly command?: string
  /** The whole line that confirms a command. */
  readonly confirmation?: string
  /** Text of the instrument to text of the value, as ON to true. */
  readonly mappings: Readonly<Record<string, string>>
}

/** A coil, an input or registers of a station on a Modbus RTU line. */
export interface ModbusBinding extends PortWords, OutputWords {
  readonly driver: 'modbus'
  readonly unitId: number
  readonly primaryTable: 'COILS' | 'DISCRETES_INPUT' | 'INPUT_REGISTERS' | 'HOLDING_REGISTERS'
  /** Counts from 0, as on the wire. */
  readonly startingAddress: number
  /** Of registers; the `valueType` if it is one of these. */
  readonly rawType?: RawType
  /** Bytes of each register are swapped. */
  readonly isByteSwap: boolean
  /** The low register comes first. */
  readonly isWordSwap: boolean
}

export const RAW_TYPES = ['Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Int64', 'Uint64', 'Float64'] as const
export type RawType = (typeof RAW_TYPES)[number]

/** A reading of the gateway itself. */
export interface SystemBinding {
  readonly driver: 'system'
  readonly source: SystemQuantity
  /** On the disk that `diskFree` is asked of. */
  readonly path?: string
}

export type Driver = Binding['driver']

/** What the resource is wired to; null if it lives in the state only or its driver is not one of ours. */
export function bindingOf(resource: DeviceResource): Binding | null {
  const binding = parseBinding(resource)
  assert(binding === null || !isProblems(binding), 'the profile was checked')
  return binding
}

/** {@link bindingOf} for attributes that nobody has checked; paths of problems begin below `attributes`. */
export function parseBinding({ attributes }: DeviceResource): Binding | null | readonly ProfileProblem[] {
  const driver = DRIVERS.find((one) => one === attributes['driver'])
  return driver === undefined ? null : parseWith<Binding>(DRIVER_ATTRIBUTES[driver], attributes)
}

export function isProblems(parsed: Binding | readonly ProfileProblem[]): parsed is readonly ProfileProblem[] {
  return Array.isArray(parsed)
}

const DRIVE = v.optional(
  about('When the output follows: at once, or when no member can overturn it.', oneOf(['tentative', 'settled'])),
  'tentative',
)
const SAFE_AFTER = v.exactOptional(
  about('Time without any link after which the output takes its safeValue; never if left out.', INTERVAL),
)

function dwell(otherwise: string) {
  return v.optional(about('Shortest time between two changes of the output.', INTERVAL_OR_ZERO), otherwise)
}

const PATH = matching(/^\/[^\s]{0,254}$/, 'an absolute path')
const PORT = matching(
  /^(\/[^\s]{1,254}|usb:[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:[^\s]{1,64})?|usb-socket:[^\s]{1,32}|[A-Za-z0-9._~-]{1,64})$/,
  '/dev/…, usb:VID:PID, usb:VID:PID:SERIAL, usb-socket:1-1.2 or a name of the ports in the config',
)

/** @param timeoutMs for an answer, unless the profile says otherwise */
function portWords(timeoutMs: number) {
  return {
    port: about('The port, by a name that stays with the adapter if it is USB: fleetstep serial list.', PORT),
    baudRate: v.optional(wholeFrom(INSTRUMENT_BAUD_MIN, SERIAL_BAUD_MAX), INSTRUMENT_BAUD_DEFAULT),
    dataBits: v.optional(oneOfNumbers([7, 8]), 8),
    parity: v.optional(oneOf(['none', 'even', 'odd']), 'none'),
    stopBits: v.optional(oneOfNumbers([1, 2]), 1),
    timeoutMs: v.optional(
      about(
        'Time in ms within which the instrument answers. After one that is missing nothing is asked for as long again.',
        wholeFrom(INSTRUMENT_TIMEOUT_MIN_MS, INSTRUMENT_TIMEOUT_MAX_MS),
      ),
      timeoutMs,
    ),
    retries: v.optional(
      about('How often it is asked again before it counts as down.', wholeFrom(0, INSTRUMENT_RETRIES_MAX)),
      INSTRUMENT_RETRIES_DEFAULT,
    ),
  }
}

const INSTRUMENT_TEXT = textOf(INSTRUMENT_TEXT_LENGTH_MAX)

/** The form of `attributes` by the driver that reads them. */
export const DRIVER_ATTRIBUTES: { readonly [Name in Driver]: Schema<Extract<Binding, { driver: Name }>> } = {
  gpio: fields('attributes with driver gpio', {
    driver: oneOf(['gpio']),
    chip: v.optional(about('Label of the chip; soc is the one of the 40-pin header.', LABEL), 'soc'),
    line: about('Line of the chip; on soc the BCM number, not the pin of the header.', wholeFrom(0, GPIO_LINE_MAX)),
    direction: v.exactOptional(oneOf(['in', 'out'])),
    activeLow: v.optional(about('True: a low level is true.', YES_OR_NO), false),
    bias: v.exactOptional(oneOf(['none', 'pull-up', 'pull-down'])),
    edge: v.optional(about('Edges that wake the reader of an input.', oneOf(['both', 'rising', 'falling'])), 'both'),
    debounceMs: v.optional(
      about('Time in ms for which an input is stable before it counts.', wholeFrom(0, GPIO_DEBOUNCE_MAX_MS)),
      0,
    ),
    drive: DRIVE,
    dwell: dwell(GPIO_DWELL_DEFAULT),
    safeAfter: SAFE_AFTER,
  }),
  serial: fields('attributes with driver serial', {
    driver: oneOf(['serial']),
    ...portWords(SERIAL_INSTRUMENT_TIMEOUT_DEFAULT_MS),
    request: v.exactOptional(
      about('Text that asks for the reading, with its line ending; left out for a stream.', INSTRUMENT_TEXT),
    ),
    terminator: v.optional(about('Ends a line that comes.', textOf(INSTRUMENT_TERMINATOR_LENGTH_MAX)), '\n'),
    response: v.exactOptional(about('Regular expression for the whole line; its first group is the reading.', PATTERN)),
    command: v.exactOptional(
      about('Text that sets the value, with its line ending; {value} stands for it.', INSTRUMENT_TEXT),
    ),
    confirmation: v.exactOptional(about('Regular expression for the line that confirms a command.', PATTERN)),
    mappings: v.optional(about('Text of the instrument to text of the value.', MAPPINGS), {}),
    drive: DRIVE,
    dwell: dwell('0ms'),
    safeAfter: SAFE_AFTER,
  }),
  modbus: fields('attributes with driver modbus', {
    driver: oneOf(['modbus']),
    ...portWords(MODBUS_TIMEOUT_DEFAULT_MS),
    unitId: v.optional(about('Address of the station on the line.', wholeFrom(1, 247)), 1),
    primaryTable: oneOf(['COILS', 'DISCRETES_INPUT', 'INPUT_REGISTERS', 'HOLDING_REGISTERS']),
    startingAddress: about('Address on the wire, from 0: 40001 of a manual is 0.', wholeFrom(0, 65_535)),
    rawType: v.exactOptional(about('What the registers hold; the valueType if left out.', oneOf(RAW_TYPES))),
    isByteSwap: v.optional(about('The bytes of each register are swapped.', YES_OR_NO), false),
    isWordSwap: v.optional(about('The low register comes first.', YES_OR_NO), false),
    drive: DRIVE,
    dwell: dwell('0ms'),
    safeAfter: SAFE_AFTER,
  }),
  system: fields('attributes with driver system', {
    driver: oneOf(['system']),
    source: oneOf(SYSTEM_QUANTITIES),
    path: v.exactOptional(about('On the disk that diskFree is asked of.', PATH)),
  }),
}

/** Drivers that come with the product. */
export const DRIVERS: readonly Driver[] = ['gpio', 'serial', 'modbus', 'system']
