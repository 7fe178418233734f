import { PATTERN_LENGTH_MAX, PATTERN_TEXT_LENGTH_MAX } from '../../base/limits.ts'

/**
 * Null for a pattern that may judge values, else one clear reason.
 *
 * A pattern is a JavaScript regular expression that matches the whole text. The matcher backtracks, so a careless
 * pattern could hold up a gateway for hours. What cannot do so on a bounded text is allowed: few repetitions, little behind
 * them, none of them around another one or around alternatives, no references back, no looking around.
 *
 * All members judge alike, whatever Node they run on: nothing is taken that another release reads in another way.
 */
export function patternProblem(pattern: string): string | null {
  if (pattern.length > PATTERN_LENGTH_MAX) return `must have at most ${PATTERN_LENGTH_MAX} characters`
  try {
    // A pattern that grows too large when it is unrolled is only found out when it is first used.
    compile(pattern).test('')
  } catch (error) {
    return `is no regular expression: ${error instanceof Error ? error.message : String(error)}`
  }
  return costProblem(pattern)
}

/** @param pattern one without a {@link patternProblem}; compiled once */
export function compilePattern(pattern: string): RegExp {
  const known = COMPILED.get(pattern)
  if (known !== undefined) return known
  // Patterns come from profiles only, so this is reached by a fleet that edits profiles all day, not by values.
  if (COMPILED.size >= COMPILED_MAX) COMPILED.clear()
  const compiled = compile(pattern)
  COMPILED.set(pattern, compiled)
  return compiled
}

const COMPILED = new Map<string, RegExp>()
const COMPILED_MAX = 1024

/** Power of two of the ways to match that may have to be tried: two open repetitions on the longest text. */
const WAYS_BITS_MAX: number = 2 * Math.log2(PATTERN_TEXT_LENGTH_MAX)
/** Single parts that may have to be tried for that: some of them behind each way, 4 ms on a desktop. */
const STEPS_MAX: number = 8 * 2 ** WAYS_BITS_MAX

function compile(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u')
}

/** What it may cost to match a part: `bits` is the power of two of the ways, `steps` is how many single parts are tried for them. */
interface Cost {
  bits: number
  steps: number
}

/** A part in brackets, and what its finished parts cost. */
interface Group extends Cost {
  bars: number
}

const NOTHING: Cost = { bits: 0, steps: 0 }

/** Walks over a valid regular expression of the `u` grammar (ECMA-262, Patterns) and multiplies the ways to match. */
function costProblem(pattern: string): string | null {
  const groups: Group[] = []
  const names = new Set<string>()
  let group: Group = { bits: 0, steps: 0, bars: 0 }
  let atom = NOTHING
  for (let at = 0; at < pattern.length;) {
    const rest = pattern.slice(at)
    const quantifier = QUANTIFIER.exec(rest)
    if (quantifier !== null) {
      const cost = repeated(atom, quantifier[0])
      if (cost === null) return 'repeats a group that itself repeats or has alternatives; that can take for ever'
      atom = cost
      at += quantifier[0].length
      continue
    }
    take(group, atom)
    atom = NOTHING
    const token = TOKEN.exec(rest)?.[0] ?? rest.charAt(0)
    at += token.length
    const problem = tokenProblem(token, names)
    if (problem !== null) return problem
    if (token === '|') group.bars += 1
    if (token.startsWith('(')) {
      groups.push(group)
      group = { bits: 0, steps: 0, bars: 0 }
    } else if (token === ')') {
      const outer = groups.pop()
      if (outer === undefined) return 'is no regular expression: a bracket is closed that was not opened'
      atom = costOf(group)
      group = outer
    } else if (token !== '|') atom = { bits: 0, steps: 1 }
  }
  take(group, atom)
  const { bits, steps } = costOf(group)
  if (bits > WAYS_BITS_MAX) return 'repeats too many parts; use fewer of * + ? {} or bound them'
  return steps <= STEPS_MAX ? null : 'has too much behind parts that repeat; use fewer of * + ? {} or bound them'
}

function tokenProblem(token: string, names: Set<string>): string | null {
  if (/^\\[1-9k]/.test(token)) return 'refers back to a group; that can take for ever'
  if (token === '(?') return 'looks around or switches modes; that is not taken'
  // Each release of Node has the Unicode of its time.
  if (/\\p/i.test(token.replace(/\\[^pP]/g, '')))
    return 'asks for a property of Unicode, which changes; name the characters'
  if (!token.startsWith('(?<')) return null
  if (names.has(token)) return 'names two groups alike, which only some releases of Node take'
  names.add(token)
  return null
}

const QUANTIFIER = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/
/** An escape, a class, the head of a group (a lone `(?` if it is none of those that are taken). */
const TOKEN = /^(?:\\[^]|\[(?:\\[^]|[^\]\\])*\]|\(\?:|\(\?<[^=!>][^>]*>|\(\?|\()/

/** Whatever stands behind the parts of a group is tried once for each way to match those. */
function take(group: Group, { bits, steps }: Cost): void {
  group.steps += 2 ** group.bits * steps
  group.bits += bits
}

function costOf({ bits, steps, bars }: Group): Cost {
  return { bits: bits + Math.log2(1 + bars), steps }
}

/** Null if the repetition would multiply its own ways without end. */
function repeated({ bits, steps }: Cost, quantifier: string): Cost | null {
  if (quantifier.startsWith('?')) return { bits: bits + 1, steps }
  const [, least = '0', comma, most = ''] = /^\{(\d+)(,)?(\d*)\}/.exec(quantifier) ?? []
  const isFixed = comma === undefined && quantifier.startsWith('{')
  if (isFixed)
    return { bits: bits * Number(least), steps: steps * (bits > 0 ? 2 ** (bits * Number(least)) : Number(least)) }
  if (bits > 0) return null
  const bound = most === '' ? PATTERN_TEXT_LENGTH_MAX : Math.min(Number(most), PATTERN_TEXT_LENGTH_MAX)
  const ways = Math.min(Math.max(2, bound - Number(least) + 1), PATTERN_TEXT_LENGTH_MAX)
  return { bits: Math.log2(ways), steps: steps * Math.max(bound, Number(least)) }
}
