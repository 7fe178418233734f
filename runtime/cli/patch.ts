import { FleetstepError } from '../base/errors.ts'
import { isRecord } from '../gateway/control-protocol.ts'
import { parseExactJson } from '../gateway/exact-json.ts'
import { parseValue } from './value-argument.ts'

/** The options of `state patch`, each as often as it was given. */
export interface PatchOptions {
  readonly set?: readonly string[]
  readonly add?: readonly string[]
  readonly append?: readonly string[]
  readonly toggle?: readonly string[]
  readonly rm?: readonly string[]
  readonly expect?: readonly string[]
}

/** The params of the control method `state.patch`. */
export interface Patch extends Readonly<Record<string, unknown>> {
  readonly set: Readonly<Record<string, unknown>>
  readonly delete: readonly string[]
  readonly toggle: readonly string[]
  readonly add: Readonly<Record<string, unknown>>
  readonly append: Readonly<Record<string, unknown>>
  readonly expect: readonly (readonly [path: string, comparison: string, value: unknown])[]
}

/**
 * One operation out of the JSON object and the options.
 * @param json an object of path to new value, where null removes; null if there is none
 * @throws FleetstepError `usage`
 */
export function readPatch(json: string | null, options: PatchOptions): Patch {
  const points = json === null ? [] : Object.entries(parseObject(json))
  const set = [...points.filter(([, value]) => value !== null), ...pairs('--set', options.set)]
  const remove = [...points.filter(([, value]) => value === null).map(([path]) => path), ...(options.rm ?? [])]
  const toggle = options.toggle ?? []
  const add = pairs('--add', options.add)
  const append = pairs('--append', options.append)
  checkPaths([...[...set, ...add, ...append].map(([path]) => path), ...remove, ...toggle])
  return {
    set: Object.fromEntries(set),
    delete: remove,
    toggle,
    add: Object.fromEntries(add),
    append: Object.fromEntries(append),
    expect: (options.expect ?? []).map(parseCondition),
  }
}

function parseObject(json: string): Readonly<Record<string, unknown>> {
  let object: unknown
  try {
    object = parseExactJson(json, 'usage')
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new FleetstepError('usage', `the patch is not JSON: ${cause.message}`, {
      cause,
    })
  }
  if (isRecord(object)) return object
  throw new FleetstepError('usage', 'the patch is a JSON object of path to new value, as {"lamp": true}')
}

function pairs(option: string, words: readonly string[] = []): [string, unknown][] {
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at < 1) throw new FleetstepError('usage', `${option} ${word} has no value: write PATH=VALUE`)
    return [word.slice(0, at), parseValue(word.slice(at + 1))]
  })
}

/** One operation writes a point once, and in no order that the words have, so the second word is a slip. */
function checkPaths(paths: readonly string[]): void {
  if (paths.length === 0)
    throw new FleetstepError('usage', 'the patch changes nothing: see fleetstep state patch --help')
  const seen = new Set<string>()
  for (const path of paths) {
    if (seen.has(path)) throw new FleetstepError('usage', `${path} is given twice: one operation changes a point once`)
    seen.add(path)
  }
}

/** `path=value`, `path>=value` and so on; a path alone asks that it exists. */
function parseCondition(word: string): readonly [string, string, unknown] {
  const match = /^(.+?)(==|!=|<=|>=|=|<|>)(.*)$/s.exec(word)
  if (match === null) return [word, 'exists', true]
  const [, path = '', comparison = '', value = ''] = match
  return [path, comparison === '=' ? '==' : comparison, parseValue(value)]
}
