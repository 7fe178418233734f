import { RecentTexts } from '../base/recent-texts.ts'
import { KNOWN_PATHS_MAX, PATH_BYTES_MAX, PATH_SEGMENTS_MAX } from '../base/limits.ts'

/** Names one point of the device-state object: segments joined by `/`, as in `line1/pump3/speed`. */
export type Path = string & { readonly brand: 'Path' }

/** A path in which `*` stands for any one segment, and a last `**` for all that is below. */
export type PathPattern = string

/** Null for a valid path, else one clear reason. */
export function pathProblem(text: unknown): string | null {
  if (typeof text !== 'string') return 'a path is text such as line1/pump3/speed'
  if (known.has(text)) return null
  const problem = problemOf(text)
  if (problem === null && ASCII.test(text)) noteValid(text as Path)
  return problem
}

export function isPath(text: unknown): text is Path {
  return pathProblem(text) === null
}

/** Paths that were read lately. */
export const recentPaths: RecentTexts<Path> = new RecentTexts(KNOWN_PATHS_MAX)

/** Notes a valid path that was read. @returns the same text as long as it is known, so that many operations hold it once */
export function notePathRead(path: Path): Path {
  const same = known.get(path)?.[0] ?? path
  recentPaths.keep(same)
  return same
}

/** The list of one path, which all operations of this point alone share while it is known. */
export function aloneOf(path: Path): readonly Path[] {
  return known.get(path) ?? [path]
}

/** Paths in ASCII that were valid, lately: most come again and again. */
const known = new Map<string, readonly [Path]>()

const ASCII = /^[ -~]*$/

function noteValid(path: Path): void {
  // Whoever sends paths that nobody has must not cost memory.
  if (known.size >= KNOWN_PATHS_MAX) known.clear()
  known.set(path, [path])
}

function problemOf(text: string): string | null {
  if (text.length === 0) return 'a path is not empty'
  // A UTF-16 unit takes at most three bytes, so short texts need no count.
  if (text.length * 3 > PATH_BYTES_MAX && Buffer.byteLength(text) > PATH_BYTES_MAX) {
    return `a path has at most ${PATH_BYTES_MAX} bytes`
  }
  if (FORBIDDEN.test(text)) return 'a path has no control characters, no * and no lone surrogates'
  return segmentsProblem(text)
}

/** Null for a pattern that paths can match, else one clear reason. */
export function patternProblem(pattern: string): string | null {
  const names = pattern.split('/')
  const asPath = names.map((name, at) => (name === '*' || (name === '**' && at === names.length - 1) ? 'name' : name))
  if (asPath.some((name) => name.includes('*')))
    return 'an asterisk stands for a whole segment, and two of them only for the last'
  return problemOf(asPath.join('/'))
}

/**
 * True if `path` is matched by `pattern`: a name stands for itself, one asterisk for any one segment, and two asterisks
 * at the end for everything below, the point above included.
 */
export function matchesPattern(path: string, pattern: PathPattern): boolean {
  if (pattern === path || pattern === '**') return true
  // Without lists of names: every change is held against every watch.
  let at = 0
  for (let from = 0; ;) {
    const wantedEnd = endOfName(pattern, from)
    const isLast = wantedEnd === pattern.length
    if (isLast && pattern.startsWith('**', from) && wantedEnd - from === 2) return true
    if (at > path.length) return false
    const end = endOfName(path, at)
    const isAny = wantedEnd - from === 1 && pattern[from] === '*'
    if (!isAny && !isSameName(path, at, end, pattern, from, wantedEnd)) return false
    if (isLast) return end === path.length
    at = end + 1
    from = wantedEnd + 1
  }
}

/** Where the name ends that begins at `from`. */
function endOfName(text: string, from: number): number {
  const end = text.indexOf('/', from)
  return end < 0 ? text.length : end
}

function isSameName(path: string, at: number, end: number, pattern: string, from: number, wantedEnd: number): boolean {
  if (end - at !== wantedEnd - from) return false
  for (let index = 0; index < end - at; index++)
    if (path.charCodeAt(at + index) !== pattern.charCodeAt(from + index)) return false
  return true
}

/** The device that a point belongs to: the first name of its path. */
export function deviceOf(path: Path): string {
  const end = path.indexOf('/')
  return end < 0 ? path : path.slice(0, end)
}

/** What follows the device and its slash; empty for a point that is named like a device. */
export function belowDevice(path: Path): string {
  const end = path.indexOf('/')
  return end < 0 ? '' : path.slice(end + 1)
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f*]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

function segmentsProblem(text: string): string | null {
  let segments = 1
  let start = 0
  for (let at = text.indexOf('/'); at >= 0; at = text.indexOf('/', start)) {
    if (at === start) return 'a path has no empty segment'
    segments += 1
    start = at + 1
  }
  if (start === text.length) return 'a path does not end with /'
  return segments > PATH_SEGMENTS_MAX ? `a path has at most ${PATH_SEGMENTS_MAX} segments` : null
}
