import { FleetstepError } from '../base/errors.ts'
import { VALUE_DEPTH_MAX } from '../base/limits.ts'
import { type Value, valueProblem } from '../state/value.ts'

/**
 * The control protocol between a daemon and its users on the same machine: lines of JSON over a Unix socket.
 *
 * request:  {"id": 1, "method": "state.set", "params": {"path": "a/b", "value": 1}}
 * answer:   {"id": 1, "result": …} or {"id": 1, "error": {"code": "path-unknown", "message": "…"}}
 * event:    {"id": 1, "event": …}, any number, after the answer of a `…watch` request, until the connection ends
 *
 * Values that JSON lacks are objects with one key: {"$bytes": "<base64>"} and {"$int": "<decimal digits>"}. A map with just one
 * such key stands in another one: {"$map": {"$int": 1}}.
 */
export interface ControlRequest {
  readonly id: number
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

export type ControlAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly event: unknown }
  | { readonly id: number | null; readonly error: { readonly code: string; readonly message: string } }

/** @throws FleetstepError `request-invalid` */
export function parseRequest(line: string): ControlRequest {
  let request: unknown
  try {
    request = JSON.parse(line)
  } catch (cause) {
    throw new FleetstepError('request-invalid', 'a request is one line of JSON', { cause })
  }
  if (!isRecord(request) || typeof request['id'] !== 'number' || typeof request['method'] !== 'string') {
    throw new FleetstepError('request-invalid', 'a request has a number id and a text method')
  }
  const params = request['params'] ?? {}
  if (!isRecord(params)) throw new FleetstepError('request-invalid', 'params are an object')
  return { id: request['id'], method: request['method'], params }
}

/** The JSON form of a value; an absent one is undefined. */
export function valueToJson(value: Value | undefined): unknown {
  if (typeof value === 'bigint') return { $int: value.toString() }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map((item: Value) => valueToJson(item))
  if (typeof value === 'object' && value !== null) {
    const map = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, valueToJson(item)]))
    return looksLikeMark(map) ? { $map: map } : map
  }
  return value
}

/** The inverse of {@link valueToJson}. @throws FleetstepError `request-invalid` */
export function valueFromJson(json: unknown): Value {
  // What JSON lacks takes one level more than its value.
  const value = fromJson(json, VALUE_DEPTH_MAX + 1)
  const problem = valueProblem(value)
  if (problem !== null) throw new FleetstepError('request-invalid', problem)
  return value as Value
}

export function isRecord(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}

/** @param depth levels that may follow: text of some kilobytes can hold more of them than the stack */
function fromJson(json: unknown, depth: number): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (depth === 0) throw new FleetstepError('request-invalid', `a value has at most ${VALUE_DEPTH_MAX} levels`)
  if (Array.isArray(json)) return json.map((item: unknown) => fromJson(item, depth - 1))
  if (!isRecord(json)) return json
  if (!looksLikeMark(json)) return mapFromJson(json, depth)
  const { $int, $bytes, $map } = json
  if (typeof $int === 'string') return integerOf($int)
  if (typeof $bytes === 'string') return bytesOf($bytes)
  return mapFromJson(isRecord($map) && looksLikeMark($map) ? $map : json, depth)
}

function mapFromJson(json: Readonly<Record<string, unknown>>, depth: number): unknown {
  return Object.fromEntries(Object.keys(json).map((key) => [key, fromJson(json[key], depth - 1)]))
}

/** Whether a map has the form of a value that JSON lacks, or of one that only looks like it. */
function looksLikeMark(map: Readonly<Record<string, unknown>>): boolean {
  const [key, ...others] = Object.keys(map)
  return others.length === 0 && (key === '$int' || key === '$bytes' || key === '$map')
}

function integerOf(text: string): bigint {
  if (/^-?[0-9]{1,20}$/.test(text)) return BigInt(text)
  throw new FleetstepError('request-invalid', `${shown(text)} is no whole number of 64 bits, which "$int" holds`)
}

/** Whole or not at all: the decoder of Node.js leaves out what it does not know. */
function bytesOf(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') === text) return new Uint8Array(bytes)
  throw new FleetstepError('request-invalid', `${shown(text)} is not base64, which "$bytes" holds, with = at its end`)
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
