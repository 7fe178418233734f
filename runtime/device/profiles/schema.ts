import * as v from 'valibot'
import type { CborData } from '../../base/cbor.ts'
import {
  ENUM_VALUES_MAX,
  PROFILE_COMMANDS_MAX,
  PROFILE_ENTRIES_MAX,
  PROFILE_RESOURCES_MAX,
  VALUE_BYTES_MAX,
} from '../../base/limits.ts'
import type { NodeId } from '../../base/ids.ts'
import { TIER_MAX } from '../../state/priority.ts'
import { VALUE_TYPES } from '../../state/rules/value-type.ts'
import type { DeviceProfile } from './profile.ts'
import {
  about,
  ACCESS,
  ATTRIBUTES,
  custom,
  fields,
  INTERVAL,
  isFiniteNumber,
  isNumeric,
  LABEL,
  listOf,
  MAPPINGS,
  mustBe,
  NAME,
  nonEmptyListOf,
  NUMBER,
  NUMERIC,
  oneOf,
  parseWith,
  PATTERN,
  PLAIN,
  type ProfileProblem,
  type Schema,
  TEXT,
  valueText,
  wholeFrom,
  YES_OR_NO,
} from './schema-words.ts'

/** Checks form only: which fields there are and what they look like. `cross-checks.ts` checks what they mean together. */
export function parseProfile(data: CborData): DeviceProfile | readonly ProfileProblem[] {
  return parseWith(PROFILE, data)
}

const OWNER = /^(desired|reported|[0-9a-f]{16})$/

const OPTIONAL = fields('properties.optional', {
  merge: v.exactOptional(
    about(
      'How concurrent changes meet: the later of two, a sum, or a list that grows.',
      oneOf(['set', 'counter', 'append']),
    ),
  ),
  persist: v.exactOptional(
    about(
      'How soon a change is on the card: at once, within 1 s, within 5 s.',
      oneOf(['always', 'batched', 'volatile']),
    ),
  ),
  onChangeThreshold: v.exactOptional(
    about(
      'Smallest change that is reported, in the unit of the point.',
      custom<number>((input) => isFiniteNumber(input) && Number(input) >= 0, 'a number of 0 or more, without quotes', {
        type: 'number',
        minimum: 0,
      }),
    ),
  ),
  interval: v.exactOptional(about('Time between two readings: 500ms, 10s, 5m, 1h.', INTERVAL)),
  enum: v.exactOptional(
    about(
      'The values that are allowed.',
      nonEmptyListOf(
        custom<string | number | bigint>((input) => typeof input === 'string' || isNumeric(input), 'text or a number', {
          type: ['string', 'number'],
        }),
        ENUM_VALUES_MAX,
        'value',
      ),
    ),
  ),
  pattern: v.exactOptional(about('Regular expression that the whole text matches.', PATTERN)),
  maxLength: v.exactOptional(
    about('Characters of a text, bytes of a binary, elements of an array.', wholeFrom(0, VALUE_BYTES_MAX)),
  ),
  owner: v.exactOptional(
    about(
      'Who writes it: people (desired), the gateway that has the device (reported), or one node by its id.',
      custom<'desired' | 'reported' | NodeId>(
        (input) => typeof input === 'string' && OWNER.test(input),
        'desired, reported, or a node id: 16 of 0-9 a-f in quotes',
        { type: 'string', pattern: OWNER.source, examples: ['desired', 'reported'] },
      ),
    ),
  ),
  safeValue: v.exactOptional(
    about('What an output takes at start, at shutdown, and when safeAfter has passed without a link.', PLAIN),
  ),
  requires: v.exactOptional(
    about('What must happen before a new value takes effect.', oneOf(['reboot', 'restart', 'none'])),
  ),
})

const PROPERTIES = fields('properties', {
  valueType: v.picklist(VALUE_TYPES, mustBe(`one of ${VALUE_TYPES.join(', ')}`)),
  readWrite: ACCESS,
  units: v.exactOptional(LABEL),
  minimum: v.exactOptional(NUMERIC),
  maximum: v.exactOptional(NUMERIC),
  defaultValue: v.exactOptional(valueText()),
  assertion: v.exactOptional(valueText()),
  base: v.exactOptional(
    custom<number>((input) => isFiniteNumber(input) && Number(input) >= 0, 'a number of 0 or more, without quotes', {
      type: 'number',
      minimum: 0,
    }),
  ),
  scale: v.exactOptional(
    custom<number>((input) => isFiniteNumber(input) && input !== 0, 'a number other than 0, without quotes', {
      type: 'number',
      not: { const: 0 },
    }),
  ),
  offset: v.exactOptional(NUMBER),
  mask: v.exactOptional(
    custom<number | bigint>(
      (input) => (typeof input === 'bigint' || Number.isInteger(input)) && Number(input) >= 0,
      'a whole number of 0 or more',
      { type: 'integer', minimum: 0 },
    ),
  ),
  shift: v.exactOptional(wholeFrom(-63, 63)),
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
  resourceOperations: nonEmptyListOf(
    fields('a resource operation', {
      deviceResource: NAME,
      defaultValue: v.exactOptional(valueText()),
      mappings: v.optional(MAPPINGS, {}),
    }),
    PROFILE_ENTRIES_MAX,
    'operation',
  ),
})

const PROFILE_OPTIONAL = fields('optional', {
  tier: v.exactOptional(
    about(
      'Tier of the gateway that has the device: in a conflict the higher one stands. Its token, or the list of members, is the ceiling.',
      wholeFrom(0, TIER_MAX),
    ),
  ),
})

/** The one definition of a profile's form; the schema for editors is made of it. */
export const PROFILE: Schema<DeviceProfile> = fields('a profile', {
  apiVersion: oneOf(['1']),
  name: NAME,
  description: v.exactOptional(TEXT),
  manufacturer: v.exactOptional(LABEL),
  model: v.exactOptional(LABEL),
  labels: v.optional(listOf(LABEL, PROFILE_ENTRIES_MAX), []),
  deviceResources: nonEmptyListOf(RESOURCE, PROFILE_RESOURCES_MAX, 'resource'),
  deviceCommands: v.optional(listOf(COMMAND, PROFILE_COMMANDS_MAX), []),
  optional: v.exactOptional(PROFILE_OPTIONAL),
})
