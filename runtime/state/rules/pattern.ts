import { PATTERN_LENGTH_MAX, PATTERN_TEXT_LENGTH_MAX } from '../../base/limits.ts'

/**
 * Null for a pattern that may judge values, else one clear reason.
 *
 * A pattern is a JavaScript regular expression that matches the whole text. The matcher backtracks, so a careless
 * pattern could hold up a gateway for hours. What cannot do so on a bounded text is allowed: few repetitions, none of
 * them around another one or around alternatives, no references back, no looking around.
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

/** Power of two of the ways to match that may have to be tried: two open repetitions on the longest text, 0.3 ms on a desktop. */
const WAYS_BITS_MAX: number = 2 * Math.log2(PATTERN_TEXT_LENGTH_MAX)

function compile(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u')
}

/** A part in brackets; `bits` is the power of two of the ways in which its finished atoms can match. */
interface Group {
  bits: number
  bars: number
}

/** Walks over a valid regular expression of the `u` grammar (ECMA-262, Patterns) and multiplies the ways to match. */
function costProblem(pattern: string): string | null {
  const groups: Group[] = []
  let group: Group = { bits: 0, bars: 0 }
  let atomBits = 0
  for (let at = 0; at < pattern.length;) {
    const rest = pattern.slice(at)
    const quantifier = QUANTIFIER.exec(rest)
    if (quantifier !== null) {
      const bits = repeatedBits(atomBits, quantifier[0])
      if (bits === null) return 'repeats a group that itself repeats or has alternatives; that can take for ever'
      atomBits = bits
      at += quantifier[0].length
      continue
    }
    group.bits += atomBits
    atomBits = 0
    const token = TOKEN.exec(rest)?.[0] ?? rest.charAt(0)
    at += token.length
    if (/^\\[1-9k]/.test(token)) return 'refers back to a group; that can take for ever'
    if (token === '(?') return 'looks around or switches modes; that is not taken'
    if (token === '|') group.bars += 1
    if (token.startsWith('(')) {
      groups.push(group)
      group = { bits: 0, bars: 0 }
    } else if (token === ')') {
      const outer = groups.pop()
      if (outer === undefined) return 'is no regular expression: a bracket is closed that was not opened'
      atomBits = groupBits(group)
      group = outer
    }
  }
  group.bits += atomBits
  return groupBits(group) <= WAYS_BITS_MAX ? null : 'repeats too many parts; use fewer of * + ? {} or bound them'
}

const QUANTIFIER = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/
/** An escape, a class, the head of a group (a lone `(?` if it is none of those that are taken). */
const TOKEN = /^(?:\\[^]|\[(?:\\[^]|[^\]\\])*\]|\(\?:|\(\?<[^=!>][^>]*>|\(\?|\()/

function groupBits(group: Group): number {
  return group.bits + Math.log2(1 + group.bars)
}

/** Null if the repetition would multiply its own ways without end. */
function repeatedBits(atomBits: number, quantifier: string): number | null {
  if (quantifier.startsWith('?')) return atomBits + 1
  const [, least = '0', comma, most = ''] = /^\{(\d+)(,)?(\d*)\}/.exec(quantifier) ?? []
  const isFixed = comma === undefined && quantifier.startsWith('{')
  if (isFixed) return atomBits * Number(least)
  if (atomBits > 0) return null
  const bound = most === '' ? PATTERN_TEXT_LENGTH_MAX : Math.min(Number(most), PATTERN_TEXT_LENGTH_MAX)
  return Math.log2(Math.min(Math.max(2, bound - Number(least) + 1), PATTERN_TEXT_LENGTH_MAX))
}
