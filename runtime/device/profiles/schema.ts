// valibot: checks and describes data in one place with the smallest cost in memory of those that were measured; MIT.
import * as v from 'valibot'
import type { CborData } from '../../base/cbor.ts'
import {
  ENUM_VALUES_MAX,
  PROFILE_COMMANDS_MAX,
  PROFILE_ENTRIES_MAX,
  PROFILE_NAME_LENGTH_MAX,
  PROFILE_RESOURCES_MAX,
  PROFILE_TEXT_LENGTH_MAX,
  VALUE_BYTES_MAX,
} from '../../base/limits.ts'
import type { NodeId } from '../../base/ids.ts'
import { intervalProblem } from './interval.ts'
import { patternProblem } from '../../state/rules/pattern.ts'
import { ACCESSES, VALUE_TYPES } from '../../state/rules/value-type.ts'
import type { Attributes, DeviceProfile } from './profile.ts'
import { showValue } from '../../state/rules/show-value.ts'

/** One thing that is wrong in a profile. `path` leads to it from the root. */
export interface ProfileProblem {
  readonly path: readonly (string | number)[]
  /** The last step of the path is wrong itself, not the value that it leads to. */
  readonly isAboutKey?: boolean
  readonly message: string
}

/** Checks form only: which fields there are and what they look like. `cross-checks.ts` checks what they mean together. */
export function parseProfile(data: CborData): DeviceProfile | readonly ProfileProblem[] {
  const parsed = v.safeParse(PROFILE, data)
  if (parsed.success) return parsed.output
  return parsed.issues.map((issue) => ({
    path: issue.path?.map((item) => (typeof item.key === 'number' ? item.key : String(item.key))) ?? [],
    isAboutKey: issue.type === 'strict_object' && issue.expected === 'never',
    message: issue.message,
  }))
}

/** A map with exactly these fields; the message of a stray one says which there are. */
function fields<const Entries extends v.ObjectEntries>(what: string, entries: Entries) {
  const strict = v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') return `is unknown; ${what} has ${Object.keys(entries).join(', ')}`
    return `is missing; ${what} needs it`
  })
  // The library takes a list for an object.
  return v.pipe(v.custom<Readonly<Record<string, unknown>>>(isMap, mustBe(`a map with the fields of ${what}`)), strict)
}

function mustBe(wanted: string) {
  return (issue: { readonly input: unknown }): string => `must be ${wanted}, but is ${showValue(issue.input)}`
}

function oneOf<const Options extends readonly string[]>(options: Options) {
  return v.picklist(options, mustBe(options.length === 1 ? `"${options[0]}"` : `one of ${options.join(', ')}`))
}

function textOf(lengthMax: number) {
  const wanted = `text of 1 to ${lengthMax} characters`
  return v.pipe(v.string(mustBe(wanted)), v.minLength(1, mustBe(wanted)), v.maxLength(lengthMax, mustBe(wanted)))
}

/** Values that EdgeX keeps as text whatever their type is. */
function valueText() {
  const wanted = `text of at most ${PROFILE_TEXT_LENGTH_MAX} characters; put it into quotes`
  return v.pipe(v.string(mustBe(wanted)), v.maxLength(PROFILE_TEXT_LENGTH_MAX, mustBe(wanted)))
}

function listOf<const Item extends v.GenericSchema>(item: Item, lengthMax: number) {
  const wanted = `a list of at most ${lengthMax}`
  return v.pipe(v.array(item, mustBe(wanted)), v.maxLength(lengthMax, mustBe(wanted)))
}

function custom<Type>(isWanted: (input: unknown) => boolean, wanted: string) {
  return v.custom<Type>(isWanted, mustBe(wanted))
}

function isFiniteNumber(input: unknown): boolean {
  return typeof input === 'number' && Number.isFinite(input)
}

function isNumeric(input: unknown): boolean {
  return typeof input === 'bigint' || isFiniteNumber(input)
}

function isMap(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === 'object' && input !== null && !Array.isArray(input)
}

/** Names are parts of paths and addresses: unreserved characters only (RFC 3986, section 2.3). */
const NAME_WORDS = `1 to ${PROFILE_NAME_LENGTH_MAX} of the characters A-Z a-z 0-9 - . _ ~`
const NAME = v.pipe(
  v.string(mustBe(NAME_WORDS)),
  v.regex(new RegExp(`^(?!\\.{1,2}$)[A-Za-z0-9._~-]{1,${PROFILE_NAME_LENGTH_MAX}}$`), mustBe(NAME_WORDS)),
)
const TEXT = textOf(PROFILE_TEXT_LENGTH_MAX)
const LABEL = textOf(PROFILE_NAME_LENGTH_MAX)
const YES_OR_NO = v.boolean(mustBe('true or false'))
const NUMERIC = custom<number | bigint>(isNumeric, 'a number without quotes')
const NUMBER = custom<number>(isFiniteNumber, 'a number without quotes')
const ACCESS = oneOf(ACCESSES)

const ATTRIBUTES_WANTED = `a map of at most ${PROFILE_ENTRIES_MAX} entries`
const ATTRIBUTES = custom<Attributes>(
  (input) => isMap(input) && Object.keys(input).length <= PROFILE_ENTRIES_MAX,
  ATTRIBUTES_WANTED,
)
/** The document reader has let through nothing but plain data of bounded depth. */
const PLAIN = v.custom<CborData>((input) => input !== undefined)

const OWNER_WORDS = 'desired, reported, or a node id: 16 of 0-9 a-f in quotes'
const NODE = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{16}$/),
  v.transform((text) => text as NodeId),
)

const OPTIONAL = fields('properties.optional', {
  merge: v.exactOptional(oneOf(['set', 'counter', 'append'])),
  persist: v.exactOptional(oneOf(['always', 'batched', 'volatile'])),
  onChangeThreshold: v.exactOptional(v.pipe(NUMBER, v.minValue(0, mustBe('0 or more')))),
  interval: v.exactOptional(
    v.pipe(
      v.string(mustBe('text such as 500ms, 10s, 5m')),
      v.check(
        (text) => intervalProblem(text) === null,
        ({ input }) => intervalProblem(input) ?? '',
      ),
    ),
  ),
  enum: v.exactOptional(
    v.pipe(
      listOf(
        custom<string | number | bigint>((input) => typeof input === 'string' || isNumeric(input), 'text or a number'),
        ENUM_VALUES_MAX,
      ),
      v.minLength(1, mustBe('a list of at least one value')),
    ),
  ),
  pattern: v.exactOptional(
    v.pipe(
      TEXT,
      v.check(
        (text) => patternProblem(text) === null,
        ({ input }) => patternProblem(input) ?? '',
      ),
    ),
  ),
  maxLength: v.exactOptional(
    custom<number>(
      (input) => Number.isInteger(input) && Number(input) >= 0 && Number(input) <= VALUE_BYTES_MAX,
      `a whole number from 0 to ${VALUE_BYTES_MAX}`,
    ),
  ),
  owner: v.exactOptional(v.union([v.picklist(['desired', 'reported']), NODE], mustBe(OWNER_WORDS))),
  safeValue: v.exactOptional(PLAIN),
  requires: v.exactOptional(oneOf(['reboot', 'restart', 'none'])),
})

const PROPERTIES = fields('properties', {
  valueType: v.picklist(VALUE_TYPES, mustBe(`one of ${VALUE_TYPES.join(', ')}`)),
  readWrite: ACCESS,
  units: v.exactOptional(LABEL),
  minimum: v.exactOptional(NUMERIC),
  maximum: v.exactOptional(NUMERIC),
  defaultValue: v.exactOptional(valueText()),
  assertion: v.exactOptional(valueText()),
  base: v.exactOptional(v.pipe(NUMBER, v.minValue(0, mustBe('0 or more')))),
  scale: v.exactOptional(
    custom<number>((input) => isFiniteNumber(input) && input !== 0, 'a number other than 0, without quotes'),
  ),
  offset: v.exactOptional(NUMBER),
  mask: v.exactOptional(
    custom<number | bigint>(
      (input) => (typeof input === 'bigint' || Number.isInteger(input)) && Number(input) >= 0,
      'a whole number of 0 or more',
    ),
  ),
  shift: v.exactOptional(
    custom<number>((input) => Number.isInteger(input) && Math.abs(Number(input)) < 64, 'a whole number from -63 to 63'),
  ),
  mediaType: v.exactOptional(LABEL),
  optional: v.optional(OPTIONAL, {}),
})

const RESOURCE = fields('a device resource', {
  name: NAME,
  description: v.exactOptional(TEXT),
  isHidden: v.optional(YES_OR_NO, false),
  tags: v.optional(ATTRIBUTES, {}),
  attributes: v.optional(ATTRIBUTES, {}),
  properties: PROPERTIES,
})

const COMMAND = fields('a device command', {
  name: NAME,
  isHidden: v.optional(YES_OR_NO, false),
  readWrite: ACCESS,
  resourceOperations: v.pipe(
    listOf(
      fields('a resource operation', {
        deviceResource: NAME,
        defaultValue: v.exactOptional(valueText()),
        mappings: v.optional(
          v.pipe(
            v.record(v.string(), valueText(), mustBe(ATTRIBUTES_WANTED)),
            v.check((input) => Object.keys(input).length <= PROFILE_ENTRIES_MAX, mustBe(ATTRIBUTES_WANTED)),
          ),
          {},
        ),
      }),
      PROFILE_ENTRIES_MAX,
    ),
    v.minLength(1, mustBe('a list of at least one operation')),
  ),
})

const PROFILE: v.GenericSchema<unknown, DeviceProfile> = fields('a profile', {
  apiVersion: oneOf(['1']),
  name: NAME,
  description: v.exactOptional(TEXT),
  manufacturer: v.exactOptional(LABEL),
  model: v.exactOptional(LABEL),
  labels: v.optional(listOf(LABEL, PROFILE_ENTRIES_MAX), []),
  deviceResources: v.pipe(
    listOf(RESOURCE, PROFILE_RESOURCES_MAX),
    v.minLength(1, mustBe('a list of at least one resource')),
  ),
  deviceCommands: v.optional(listOf(COMMAND, PROFILE_COMMANDS_MAX), []),
})
