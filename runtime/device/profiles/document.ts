// yaml: the maintained YAML 1.2 parser whose nodes know their place in the text, so that an error names line and column; ISC.
import { Composer, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, Parser, type CST, type Document } from 'yaml'
import type { CborData } from '../../base/cbor.ts'
import { digestOf, type Digest } from '../../base/digest.ts'
import { PROFILE_BYTES_MAX, PROFILE_DEPTH_MAX, PROFILE_PROBLEMS_MAX } from '../../base/limits.ts'
import { crossCheck } from './cross-checks.ts'
import type { DeviceProfile } from './profile.ts'
import { parseProfile } from './schema.ts'
import type { ProfileProblem } from './schema-words.ts'

export type ProfileReading =
  | { readonly kind: 'accepted'; readonly profile: LoadedProfile }
  /** At least one and at most {@link PROFILE_PROBLEMS_MAX}, in the order of the text. */
  | { readonly kind: 'refused'; readonly problems: readonly Remark[] }

export interface LoadedProfile {
  readonly profile: DeviceProfile
  /**
   * Digest of what the profile says: of its JSON with sorted keys and the defaults filled in.
   * Comments, order and layout of the file do not change it.
   */
  readonly hash: Digest
  readonly warnings: readonly Remark[]
}

/** What is to be said about one place of the text; line and column count from 1. */
export interface Remark {
  readonly line: number
  readonly column: number
  readonly message: string
}

/** Reads the YAML text of a profile and checks it whole. Pure; never throws for any text. */
export function readProfileText(text: string): ProfileReading {
  if (Buffer.byteLength(text) > PROFILE_BYTES_MAX) {
    return refusedAtStart(`is larger than ${PROFILE_BYTES_MAX} bytes; split the profile`)
  }
  const lines = new LineCounter()
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  // The parser of the library is iterative; what comes after it is recursive and would end the process.
  const tooDeep = findTooDeep(tokens)
  if (tooDeep !== null) {
    return refused([{ ...place(lines, tooDeep), message: `is nested deeper than ${PROFILE_DEPTH_MAX} levels` }])
  }
  const [document, second] = new Composer(COMPOSER_OPTIONS).compose(tokens, true, text.length)
  if (document === undefined) return refusedAtStart('is empty')
  if (document.errors.length > 0) {
    return refused(document.errors.map((error) => ({ ...place(lines, error.pos[0]), message: clean(error.message) })))
  }
  if (second !== undefined) {
    return refused([
      { ...place(lines, second.range[0]), message: 'starts a second document; a file holds one profile' },
    ])
  }
  return readDocument(document, lines)
}

const COMPOSER_OPTIONS = { intAsBigInt: true, stringKeys: true, prettyErrors: false, logLevel: 'silent' } as const

function readDocument(document: Document.Parsed, lines: LineCounter): ProfileReading {
  const locate = (found: ProfileProblem): Remark => ({
    ...place(lines, offsetOf(document, found)),
    message: found.path.length === 0 ? found.message : `${formatPath(found.path)} ${found.message}`,
  })
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (error) {
    // The library throws for an alias without an anchor and for one that would unfold without end.
    return refusedAtStart(`cannot be read: ${clean(error instanceof Error ? error.message : String(error))}`)
  }
  const plain = toPlain(data, 0)
  if (plain === undefined) {
    return refusedAtStart('holds something that is neither text, number, list nor map, or unfolds too deep')
  }
  const parsed = parseProfile(plain)
  if (isProblems(parsed)) return refused(parsed.map(locate))
  const { problems, warnings } = crossCheck(parsed)
  if (problems.length > 0) return refused(problems.map(locate))
  const unclear = document.warnings.map((one) => ({ ...place(lines, one.pos[0]), message: clean(one.message) }))
  return {
    kind: 'accepted',
    profile: { profile: parsed, hash: contentHash(parsed), warnings: [...unclear, ...warnings.map(locate)] },
  }
}

/** Uses of anchors in one profile; the library counts what they unfold to. */
const ALIASES_MAX = 100

/** The offset of a token that lies too deep, or null. */
function findTooDeep(tokens: readonly CST.Token[]): number | null {
  const waiting: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }))
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next
    if (depth > PROFILE_DEPTH_MAX) return token.offset
    if (token.type === 'document' && token.value !== undefined) waiting.push({ token: token.value, depth })
    if (!('items' in token)) continue
    for (const { key, value } of token.items) {
      if (key) waiting.push({ token: key, depth: depth + 1 })
      if (value) waiting.push({ token: value, depth: depth + 1 })
    }
  }
  return null
}

/**
 * Whole numbers come as bigints, so that none is rounded; those that a number holds become numbers again.
 * The depth is looked at once more, because aliases of aliases are deeper than the text.
 */
function toPlain(data: unknown, depth: number): CborData | undefined {
  if (depth > PROFILE_DEPTH_MAX) return undefined
  switch (typeof data) {
    case 'bigint':
      return data <= Number.MAX_SAFE_INTEGER && data >= Number.MIN_SAFE_INTEGER ? Number(data) : data
    case 'string':
    case 'boolean':
    case 'number':
      return data
    case 'object':
      break
    default:
      return undefined
  }
  if (data === null) return null
  if (Array.isArray(data)) {
    const list = data.map((child) => toPlain(child, depth + 1))
    return list.every((one) => one !== undefined) ? list : undefined
  }
  const map: Record<string, CborData> = {}
  for (const [key, child] of Object.entries(data)) {
    const plain = toPlain(child, depth + 1)
    if (plain === undefined || key === '__proto__') return undefined
    map[key] = plain
  }
  return map
}

/** Where in the text `path` is, or the nearest thing above it that is there: a missing field has no place. */
function offsetOf(document: Document.Parsed, { path, isAboutKey }: ProfileProblem): number {
  let node: unknown = document.contents
  let offset = document.contents?.range[0] ?? 0
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      )
      if (pair === undefined) break
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step]
      offset = startOf(node) ?? offset
    } else break
  }
  // A wrong plain value is pointed at itself, a wrong list or map by its key.
  return isScalar(node) && isAboutKey !== true ? (startOf(node) ?? offset) : offset
}

function startOf(node: unknown): number | null {
  if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) return node.range?.[0] ?? null
  return null
}

function contentHash(profile: DeviceProfile): Digest {
  return digestOf(canonicalJson(profile))
}

/** Bigints are written as the digits they have. */
function canonicalJson(data: unknown): string {
  if (typeof data === 'bigint') return data.toString()
  if (Array.isArray(data)) return `[${data.map(canonicalJson).join(',')}]`
  if (typeof data !== 'object' || data === null) return JSON.stringify(data)
  const entries = Object.entries(data).sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${canonicalJson(value)}`).join(',')}}`
}

/** `deviceResources[2].properties.minimum`. */
function formatPath(path: readonly (string | number)[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${step}`)).join('')
}

/** Messages are one line, without control characters that a garbled file may have put into them. */
function clean(message: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return message.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 200)
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function isProblems(parsed: DeviceProfile | readonly ProfileProblem[]): parsed is readonly ProfileProblem[] {
  return Array.isArray(parsed)
}

function refusedAtStart(message: string): ProfileReading {
  return refused([{ line: 1, column: 1, message }])
}

function refused(problems: readonly Remark[]): ProfileReading {
  const ordered = problems.toSorted((left, right) => left.line - right.line || left.column - right.column)
  return { kind: 'refused', problems: ordered.slice(0, PROFILE_PROBLEMS_MAX) }
}
