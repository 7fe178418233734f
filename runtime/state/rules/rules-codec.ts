import { equalBytes, fromHex, toHex } from '../../base/bytes.ts'
import { type CborData, decodeCbor, encodeCbor } from '../../base/cbor.ts'
import { type Digest, digestOf } from '../../base/digest.ts'
import { FleetstepError } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import { RULES_BYTES_MAX } from '../../base/limits.ts'
import type { Value } from '../value.ts'
import { type DeviceRules, MERGES, type PointRule, rulesProblem, RuleTable } from './rules.ts'
import { ACCESSES, VALUE_TYPES, type ValueType } from './value-type.ts'

/**
 * Rules as the state holds them: CBOR in one form (`rules` in sync.cddl), so that equal rules have equal bytes and one digest.
 * @throws FleetstepError `rules-invalid`
 */
export function encodeRules(rules: DeviceRules): Uint8Array {
  const problem = rulesProblem(rules)
  if (problem !== null) throw invalid(problem)
  const { node, profile, points } = rules
  const bytes = encodeCbor([
    FORMAT,
    node === null ? null : fromHex(node),
    profile.name,
    fromHex(profile.digest),
    [...points].sort(byPath).map(encodePoint),
  ])
  if (bytes.length <= RULES_BYTES_MAX) return bytes
  throw invalid(`they have ${bytes.length} bytes, and at most ${RULES_BYTES_MAX} are carried: split the device in two`)
}

/** @throws FleetstepError `rules-invalid` for anything that {@link encodeRules} does not write */
export function decodeRules(bytes: Uint8Array): DeviceRules {
  return ruleTableOf(bytes).rules
}

/** {@link decodeRules} of the same bytes is done once: the rules that stand judge every operation. */
function ruleTableOf(bytes: Uint8Array): RuleTable {
  const known = TABLES.get(bytes)
  if (known !== undefined) return known
  if (bytes.length > RULES_BYTES_MAX) throw invalid('they are too long')
  const rules = rulesFrom(dataOf(bytes))
  if (!equalBytes(encodeRules(rules), bytes)) throw invalid('they are not in their one form')
  const table = new RuleTable(rules)
  TABLES.set(bytes, table)
  return table
}

/** The rules that a point of rules holds, or null if it holds none. @param value one that was checked when it came */
export function ruleTableAt(value: Value | undefined): RuleTable | null {
  return value instanceof Uint8Array ? ruleTableOf(value) : null
}

/** True for what {@link encodeRules} writes. */
export function areRules(bytes: Uint8Array): boolean {
  try {
    ruleTableOf(bytes)
    return true
  } catch (error) {
    if (error instanceof FleetstepError) return false
    throw error
  }
}

/** Names a version of the rules: equal for equal rules. */
export function rulesDigest(bytes: Uint8Array): Digest {
  return digestOf(bytes)
}

/** Version of the form. */
const FORMAT = 1

const TABLES = new WeakMap<Uint8Array, RuleTable>()

const TYPES: readonly (ValueType | 'Any')[] = ['Any', ...VALUE_TYPES]

/** Levels: the rules, the points, a point, its enumeration. */
const DEPTH = 4

function encodePoint({ path, valueType, access, ...rest }: PointRule): CborData {
  const { owner = 'desired', merge, minimum, maximum, enum: allowed, pattern, maxLength, units } = rest
  const fields: CborData[] = [
    path,
    TYPES.indexOf(valueType),
    ACCESSES.indexOf(access),
    owner === 'desired' ? null : owner === 'reported' ? true : fromHex(owner),
    merge === undefined ? null : MERGES.indexOf(merge),
    minimum ?? null,
    maximum ?? null,
    allowed === undefined ? null : [...allowed],
    pattern ?? null,
    maxLength ?? null,
    units ?? null,
  ]
  while (fields.at(-1) === null) fields.pop()
  return fields
}

function dataOf(bytes: Uint8Array): CborData {
  try {
    // The library marks the bytes that it reads; those of the state stay plain.
    return decodeCbor(new Uint8Array(bytes), DEPTH)
  } catch (cause) {
    throw cause instanceof FleetstepError ? invalid(cause.message) : cause
  }
}

/** What a field may be is left to {@link rulesProblem}, and that nothing else was there to the comparison of the bytes. */
function rulesFrom(data: CborData): DeviceRules {
  if (!isList(data) || data[0] !== FORMAT) throw invalid('they are of another form: install the release that made them')
  const [, node, name, digest, points] = data
  if (!isList(points) || typeof name !== 'string' || !(digest instanceof Uint8Array)) throw invalid('a field is wrong')
  return {
    node: node instanceof Uint8Array ? (toHex(node) as NodeId) : null,
    profile: { name, digest: toHex(digest) as Digest },
    points: points.map(pointFrom),
  }
}

function pointFrom(data: CborData): PointRule {
  if (!isList(data)) throw invalid('a point is no list')
  const [path, type, access, owner, merge, minimum, maximum, allowed, pattern, maxLength, units] = data
  return {
    path: path as string,
    valueType: itemOf(TYPES, type, 'type'),
    access: itemOf(ACCESSES, access, 'access'),
    ...(owner === true ? { owner: 'reported' } : {}),
    ...(owner instanceof Uint8Array ? { owner: toHex(owner) as NodeId } : {}),
    ...(typeof merge === 'number' ? { merge: itemOf(MERGES, merge, 'merge') } : {}),
    ...(isPresent(minimum) ? { minimum: minimum as number } : {}),
    ...(isPresent(maximum) ? { maximum: maximum as number } : {}),
    ...(isList(allowed) ? { enum: allowed as readonly (string | number)[] } : {}),
    ...(isPresent(pattern) ? { pattern: pattern as string } : {}),
    ...(isPresent(maxLength) ? { maxLength: maxLength as number } : {}),
    ...(isPresent(units) ? { units: units as string } : {}),
  }
}

function itemOf<T>(items: readonly T[], index: CborData | undefined, what: string): T {
  const item = typeof index === 'number' ? items[index] : undefined
  if (item === undefined) throw invalid(`a ${what} is not known to this version`)
  return item
}

function isPresent(data: CborData | undefined): boolean {
  return data !== undefined && data !== null
}

function isList(data: CborData | undefined): data is readonly CborData[] {
  return Array.isArray(data)
}

function byPath(left: PointRule, right: PointRule): number {
  return left.path < right.path ? -1 : 1
}

function invalid(problem: string): FleetstepError {
  return new FleetstepError('rules-invalid', `the rules of a device are not valid: ${problem}`)
}
