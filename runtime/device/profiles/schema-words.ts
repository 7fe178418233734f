// valibot: checks and describes data in one place with the smallest cost in memory of those that were measured; MIT.
import * as v from 'valibot'
import type { CborData } from '../../base/cbor.ts'
import { PROFILE_ENTRIES_MAX, PROFILE_NAME_LENGTH_MAX, PROFILE_TEXT_LENGTH_MAX } from '../../base/limits.ts'
import { INTERVAL_FORM, intervalProblem, parseInterval } from './interval.ts'
import { patternProblem } from '../../state/rules/pattern.ts'
import { ACCESSES, type Access } from '../../state/rules/value-type.ts'
import type { Attributes } from './profile.ts'
import { showValue } from '../../state/rules/show-value.ts'

/*
 * What the schemas of a profile are made of. Each says in one line what is wrong, and carries what the schema for editors
 * needs: a description, and the JSON form of what is checked by a function.
 */

/** A part of a profile that becomes a `Type`. */
export type Schema<Type> = v.GenericSchema<unknown, Type>

/** One thing that is wrong in a profile. `path` leads to it from the root. */
export interface ProfileProblem {
  readonly path: readonly (string | number)[]
  /** The last step of the path is wrong itself, not the value that it leads to. */
  readonly isAboutKey?: boolean
  readonly message: string
}

/** Checks `data` whole. */
export function parseWith<Type>(schema: Schema<Type>, data: unknown): Type | readonly ProfileProblem[] {
  const parsed = v.safeParse(schema, data)
  if (parsed.success) return parsed.output
  return parsed.issues.map((issue) => ({
    path: issue.path?.map((item) => (typeof item.key === 'number' ? item.key : String(item.key))) ?? [],
    isAboutKey: issue.type === 'strict_object' && issue.expected === 'never',
    message: issue.message,
  }))
}

/** A map with exactly these fields; the message of a stray one says which there are. */
export function fields<const Entries extends v.ObjectEntries>(
  what: string,
  entries: Entries,
): Schema<v.InferOutput<v.StrictObjectSchema<Entries, undefined>>> {
  const strict = v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') return `is unknown; ${what} has ${Object.keys(entries).join(', ')}`
    return `is missing; ${what} needs it`
  })
  // The library takes a list for an object.
  return v.pipe(v.custom<Readonly<Record<string, unknown>>>(isMap, mustBe(`a map with the fields of ${what}`)), strict)
}

/** The same schema, with what an editor shows beside it. */
export function about<Type>(description: string, schema: Schema<Type>): Schema<Type> {
  return v.pipe(schema, v.description(description))
}

export function mustBe(wanted: string): (issue: { readonly input: unknown }) => string {
  return (issue) => `must be ${wanted}, but is ${showValue(issue.input)}`
}

export function oneOf<const Options extends readonly string[]>(options: Options): Schema<Options[number]> {
  return v.picklist(options, mustBe(options.length === 1 ? `"${options[0]}"` : `one of ${options.join(', ')}`))
}

export function textOf(lengthMax: number): Schema<string> {
  const wanted = `text of 1 to ${lengthMax} characters`
  return v.pipe(v.string(mustBe(wanted)), v.minLength(1, mustBe(wanted)), v.maxLength(lengthMax, mustBe(wanted)))
}

export function matching(pattern: RegExp, wanted: string): Schema<string> {
  return v.pipe(v.string(mustBe(wanted)), v.regex(pattern, mustBe(wanted)))
}

/** Values that EdgeX keeps as text whatever their type is. */
export function valueText(): Schema<string> {
  const wanted = `text of at most ${PROFILE_TEXT_LENGTH_MAX} characters; put it into quotes`
  return v.pipe(v.string(mustBe(wanted)), v.maxLength(PROFILE_TEXT_LENGTH_MAX, mustBe(wanted)))
}

export function listOf<Item>(item: Schema<Item>, lengthMax: number): Schema<readonly Item[]> {
  const wanted = `a list of at most ${lengthMax}`
  return v.pipe(v.array(item, mustBe(wanted)), v.maxLength(lengthMax, mustBe(wanted)))
}

export function nonEmptyListOf<Item>(item: Schema<Item>, lengthMax: number, noun: string): Schema<readonly Item[]> {
  const wanted = `a list of at most ${lengthMax}`
  return v.pipe(
    v.array(item, mustBe(wanted)),
    v.maxLength(lengthMax, mustBe(wanted)),
    v.minLength(1, mustBe(`a list of at least one ${noun}`)),
  )
}

/** A whole number, both ends included. */
export function wholeFrom(minimum: number, maximum: number): Schema<number> {
  return custom(
    (input) => Number.isInteger(input) && Number(input) >= minimum && Number(input) <= maximum,
    `a whole number from ${minimum} to ${maximum}`,
    { type: 'integer', minimum, maximum },
  )
}

export function oneOfNumbers<const Options extends readonly number[]>(options: Options): Schema<Options[number]> {
  return custom((input) => options.some((option) => option === input), `one of ${options.join(', ')}`, {
    enum: options,
  })
}

/** @param json what a JSON schema says of it */
export function custom<Type>(
  isWanted: (input: unknown) => boolean,
  wanted: string,
  json: Readonly<Record<string, unknown>>,
): Schema<Type> {
  return v.pipe(v.custom<Type>(isWanted, mustBe(wanted)), v.metadata(json))
}

export function isFiniteNumber(input: unknown): boolean {
  return typeof input === 'number' && Number.isFinite(input)
}

export function isNumeric(input: unknown): boolean {
  return typeof input === 'bigint' || isFiniteNumber(input)
}

function isMap(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === 'object' && input !== null && !Array.isArray(input)
}

/** Names are parts of paths and addresses: unreserved characters only (RFC 3986, section 2.3). */
export const NAME: Schema<string> = matching(
  new RegExp(`^(?!\\.{1,2}$)[A-Za-z0-9._~-]{1,${PROFILE_NAME_LENGTH_MAX}}$`),
  `1 to ${PROFILE_NAME_LENGTH_MAX} of the characters A-Z a-z 0-9 - . _ ~`,
)
export const TEXT: Schema<string> = textOf(PROFILE_TEXT_LENGTH_MAX)
export const LABEL: Schema<string> = textOf(PROFILE_NAME_LENGTH_MAX)
export const YES_OR_NO: Schema<boolean> = v.boolean(mustBe('true or false'))
export const NUMERIC: Schema<number | bigint> = custom(isNumeric, 'a number without quotes', { type: 'number' })
export const NUMBER: Schema<number> = custom(isFiniteNumber, 'a number without quotes', { type: 'number' })
export const ACCESS: Schema<Access> = oneOf(ACCESSES)
export const ATTRIBUTES: Schema<Attributes> = custom(
  (input) => isMap(input) && Object.keys(input).length <= PROFILE_ENTRIES_MAX,
  `a map of at most ${PROFILE_ENTRIES_MAX} entries`,
  { type: 'object', maxProperties: PROFILE_ENTRIES_MAX },
)
/** The document reader has let through nothing but plain data of bounded depth. */
export const PLAIN: Schema<CborData> = v.custom<CborData>((input) => input !== undefined)

export const INTERVAL: Schema<string> = v.pipe(
  v.string(mustBe('text such as 500ms, 10s, 5m')),
  v.check(
    (text) => intervalProblem(text) === null,
    ({ input }) => intervalProblem(input) ?? '',
  ),
  v.metadata({ pattern: INTERVAL_FORM.source }),
)

/** {@link INTERVAL}, or no time at all. */
export const INTERVAL_OR_ZERO: Schema<string> = v.pipe(
  v.string(mustBe('text such as 200ms, 2s, or 0ms')),
  v.check(
    (text) => parseInterval(text) === 0 || intervalProblem(text) === null,
    ({ input }) => intervalProblem(input) ?? '',
  ),
  v.metadata({ pattern: INTERVAL_FORM.source }),
)

/** A regular expression that may judge text from outside. */
export const PATTERN: Schema<string> = v.pipe(
  TEXT,
  v.check(
    (text) => patternProblem(text) === null,
    ({ input }) => patternProblem(input) ?? '',
  ),
)

/** Text to text: the second is a value in the form of `parseValue`. */
export const MAPPINGS: Schema<Readonly<Record<string, string>>> = v.pipe(
  v.record(v.string(), valueText(), mustBe(`a map of at most ${PROFILE_ENTRIES_MAX} entries`)),
  v.check(
    (input) => Object.keys(input).length <= PROFILE_ENTRIES_MAX,
    mustBe(`a map of at most ${PROFILE_ENTRIES_MAX} entries`),
  ),
)
