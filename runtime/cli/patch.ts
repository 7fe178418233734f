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
  const patch = {
    set: unique([...points.filter(([, value]) => value !== null), ...pairs('--set', options.set)]),
    delete: [...points.filter(([, value]) => value === null).map(([path]) => path), ...(options.rm ?? [])],
    toggle: options.toggle ?? [],
    add: unique(pairs('--add', options.add)),
    append: unique(pairs('--append', options.append)),
    expect: (options.expect ?? []).map(parseCondition),
  }
  const changes = [patch.set, patch.delete, patch.toggle, patch.add, patch.append]
  if (changes.every((part) => Object.keys(part).length === 0)) {
    throw new FleetstepError('usage', 'the patch changes nothing: see fleetstep state patch --help')
  }
  return patch
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

/** One operation writes a point once, so the second word is a slip. */
function unique(entries: readonly (readonly [string, unknown])[]): Readonly<Record<string, unknown>> {
  const seen = new Map<string, unknown>()
  for (const [path, value] of entries) {
    if (seen.has(path)) throw new FleetstepError('usage', `${path} is given twice: one operation changes a point once`)
    seen.set(path, value)
  }
  return Object.fromEntries(seen)
}

/** `path=value`, `path>=value` and so on; a path alone asks that it exists. */
function parseCondition(word: string): readonly [string, string, unknown] {
  const match = /^(.+?)(==|!=|<=|>=|=|<|>)(.*)$/s.exec(word)
  if (match === null) return [word, 'exists', true]
  const [, path = '', comparison = '', value = ''] = match
  return [path, comparison === '=' ? '==' : comparison, parseValue(value)]
}
