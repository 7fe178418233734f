import type { Digest } from '../../base/digest.ts'
import { isDigest } from '../../base/digest.ts'
import { isNodeId, type NodeId } from '../../base/ids.ts'
import {
  ENUM_VALUES_MAX,
  PROFILE_NAME_LENGTH_MAX,
  PROFILE_TEXT_LENGTH_MAX,
  RULES_PATTERNS_MAX,
  RULES_POINTS_MAX,
  VALUE_BYTES_MAX,
} from '../../base/limits.ts'
import { matchesPattern, pathProblem } from '../path.ts'
import { patternProblem } from './pattern.ts'
import type { ValueRule } from './value-check.ts'
import { ACCESSES, type Access, numberTypeOf, VALUE_TYPES, type ValueType } from './value-type.ts'

/**
 * What may be written to the points of one device, which are all those below `<device>/`: a point that no rule names does not
 * exist. It is what a device profile says, less what only the gateway of the device needs to know.
 */
export interface DeviceRules {
  /** The node that has the device: it alone writes what is read only or reported. Null for a device of nobody. */
  readonly node: NodeId | null
  /** The profile that it was made of, and what people call its version. */
  readonly profile: { readonly name: string; readonly digest: Digest }
  /** In any order here, by path once it is encoded. */
  readonly points: readonly PointRule[]
}

/** The rule of one point, or of all that a pattern matches. */
export interface PointRule extends Omit<ValueRule, 'valueType'> {
  /** Below the device: `speed`, `channel/1/level`; or with `*` for any one segment, and a last `**` for all below. */
  readonly path: string
  /** `Any` is every value. */
  readonly valueType: ValueType | 'Any'
  readonly access: Access
  /**
   * Who may write it: whoever wishes (`desired`, also if it is absent), the node that has the device (`reported`), or one node.
   * Access R means `reported` unless a node is named.
   */
  readonly owner?: 'desired' | 'reported' | NodeId
  /** Which kinds of write it takes besides set and delete: toggle, add or append. All that fit its type if it is absent. */
  readonly merge?: Merge
}

export const MERGES = ['set', 'counter', 'append'] as const
export type Merge = (typeof MERGES)[number]

/** Null for rules that can judge, else one clear reason. */
export function rulesProblem({ node, profile, points }: DeviceRules): string | null {
  if (node !== null && !isNodeId(node)) return 'the node of the device is not a node id'
  if (!isText(profile.name, PROFILE_NAME_LENGTH_MAX)) return 'the name of the profile is empty or too long'
  if (!isDigest(profile.digest)) return 'the digest of the profile is none'
  if (points.length > RULES_POINTS_MAX) return `a device has rules for at most ${RULES_POINTS_MAX} points`
  const paths = new Set<string>()
  let patterns = 0
  for (const point of points) {
    const problem = pointProblem(point) ?? (node === null ? nobodyProblem(point) : null)
    if (problem !== null) return `${point.path}: ${problem}`
    if (paths.has(point.path)) return `${point.path}: it has two rules`
    paths.add(point.path)
    if (point.path.includes('*') && (patterns += 1) > RULES_PATTERNS_MAX)
      return `rules have at most ${RULES_PATTERNS_MAX} patterns`
  }
  return null
}

/** The rules of a device, ready to judge. */
export class RuleTable {
  readonly rules: DeviceRules
  readonly #exact = new Map<string, PointRule>()
  readonly #patterns: PointRule[] = []

  constructor(rules: DeviceRules) {
    this.rules = rules
    for (const point of rules.points) {
      if (point.path.includes('*')) this.#patterns.push(point)
      else this.#exact.set(point.path, point)
    }
  }

  /** The rule that names the point, else the first pattern that matches it. @param below what follows `<device>/` */
  ruleOf(below: string): PointRule | null {
    const exact = this.#exact.get(below)
    if (exact !== undefined) return exact
    return this.#patterns.find(({ path }) => matchesPattern(below, path)) ?? null
  }

  /** The only node that may write the point, or null if any may. */
  writerOf({ access, owner }: PointRule): NodeId | null {
    if (owner === 'reported' || (access === 'R' && (owner === undefined || owner === 'desired'))) return this.rules.node
    return owner === undefined || owner === 'desired' ? null : owner
  }
}

/** True if both say the same of a point, to whoever writes it. @param below what follows `<device>/` */
export function sameRuling(left: RuleTable | null, right: RuleTable | null, below: string): boolean {
  if (left === right) return true
  if (left === null || right === null) return false
  const [one, other] = [left.ruleOf(below), right.ruleOf(below)]
  if (one === null || other === null) return one === other
  return left.writerOf(one) === right.writerOf(other) && FIELDS.every((field) => sameField(one[field], other[field]))
}

const FIELDS = ['valueType', 'access', 'merge', 'minimum', 'maximum', 'enum', 'pattern', 'maxLength'] as const

function sameField(left: PointRule[keyof PointRule], right: PointRule[keyof PointRule]): boolean {
  if (left === right) return true
  if (!Array.isArray(left) || !Array.isArray(right)) return false
  return left.length === right.length && left.every((one, index) => one === right[index])
}

function pointProblem(point: PointRule): string | null {
  const { path, valueType, access, owner, merge } = point
  const problem = relativePathProblem(path)
  if (problem !== null) return problem
  if (valueType !== 'Any' && !VALUE_TYPES.includes(valueType)) return 'its type is not known'
  if (!ACCESSES.includes(access)) return 'its access is not R, W or RW'
  if (owner !== undefined && owner !== 'desired' && owner !== 'reported' && !isNodeId(owner))
    return 'its owner is not a node id'
  if (merge !== undefined && !MERGES.includes(merge)) return 'its merge is not known'
  return valueRuleProblem(point)
}

/** A pattern has `*` in place of names. */
function relativePathProblem(path: string): string | null {
  if (typeof path !== 'string') return 'a path is text'
  const names = path.split('/').map((name, index, all) => {
    const isWild = name === '*' || (name === '**' && index === all.length - 1)
    return isWild ? 'name' : name
  })
  return pathProblem(names.join('/'))
}

function valueRuleProblem(point: PointRule): string | null {
  const { valueType, minimum, maximum, enum: allowed, pattern, maxLength, units } = point
  if (units !== undefined && !isText(units, PROFILE_NAME_LENGTH_MAX)) return 'its units are empty or too long'
  const isNumeric = valueType !== 'Any' && numberTypeOf(valueType) !== null
  if (minimum !== undefined || maximum !== undefined) {
    if (!isNumeric) return 'only numbers have a range'
    if (![minimum, maximum].every((bound) => bound === undefined || isNumber(bound)))
      return 'a bound is a finite number'
    if (minimum !== undefined && maximum !== undefined && minimum > maximum) return 'its minimum is above its maximum'
  }
  if (allowed !== undefined) {
    if (allowed.length === 0 || allowed.length > ENUM_VALUES_MAX)
      return `an enumeration has 1 to ${ENUM_VALUES_MAX} values`
    if (!allowed.every((one) => isNumber(one) || isText(one, PROFILE_TEXT_LENGTH_MAX, 0)))
      return 'an enumeration has texts and numbers'
  }
  if (pattern !== undefined) {
    if (valueType !== 'String') return 'only text has a pattern'
    const problem = typeof pattern === 'string' ? patternProblem(pattern) : 'is not text'
    if (problem !== null) return `its pattern ${problem}`
  }
  if (maxLength === undefined || (Number.isInteger(maxLength) && maxLength >= 0 && maxLength <= VALUE_BYTES_MAX))
    return null
  return `its length is not from 0 to ${VALUE_BYTES_MAX}`
}

function nobodyProblem({ access, owner }: PointRule): string | null {
  if (owner !== 'reported' && (access !== 'R' || isNodeId(owner))) return null
  return 'nobody could write it: it is reported, and the rules name no node that has the device'
}

function isNumber(value: unknown): boolean {
  if (typeof value === 'bigint') return value >= -(2n ** 63n) && value < 2n ** 64n
  return typeof value === 'number' && Number.isFinite(value)
}

function isText(value: unknown, lengthMax: number, lengthMin: number = 1): boolean {
  return typeof value === 'string' && value.length >= lengthMin && value.length <= lengthMax && value.isWellFormed()
}
