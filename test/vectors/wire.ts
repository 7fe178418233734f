import { readFileSync } from 'node:fs'
import { fromHex } from '../../runtime/base/bytes.ts'
import type { Digest } from '../../runtime/base/digest.ts'
import { type MemberId, parseOperationId, type OperationId } from '../../runtime/base/ids.ts'
import {
  type Guard,
  type Join,
  type Operation,
  type Original,
  pathsMet,
  pathsOf,
  type Write,
} from '../../runtime/state/operation.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import type { MarkedRole } from '../../runtime/state/role.ts'
import type { Value } from '../../runtime/state/value.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { Message, SyncMessage } from '../../runtime/sync/message.ts'

/** A frame whose bytes must never change. What each field means stands in the file's own `_format`. */
export interface WireVector {
  readonly name: string
  readonly message: WireMessage
  readonly frame: string
}

export type WireMessage =
  | { readonly batch: WireBatch }
  | { readonly [kind in Exclude<Message['kind'], 'batch'>]?: unknown }

export interface WireBatch {
  readonly origin: MemberId
  readonly tier: number
  readonly link: Digest
  readonly operations: readonly WireOperation[]
}

interface WireOperation {
  readonly seq: number
  readonly stage: number
  readonly floor: number
  readonly previous: string | null
  readonly writes: readonly (readonly [Write['path'], Write['kind'], unknown, string | null])[]
  readonly guards: readonly (readonly [Guard['path'], Guard['comparison'], unknown])[]
  readonly join?: WireJoin
  readonly original?: readonly [kind: Original['kind'], id: string]
}

type WireJoin = readonly [
  member: MemberId,
  tier: number,
  key: string,
  token?: Digest | null,
  role?: MarkedRole | null,
  credential?: string,
]

export interface WireFile {
  readonly fleet: Digest
  readonly frames: readonly WireVector[]
}

export function readWireFile(): WireFile {
  const file = JSON.parse(readFileSync(new URL('wire.json', import.meta.url), 'utf8')) as WireFile
  return file
}

/** The message that a vector describes. */
export function messageOf(wire: WireMessage): Message {
  if (!isBatch(wire)) return otherMessageOf(wire)
  const { origin, tier, link, operations } = wire.batch
  const messages = operations.map((operation) => syncMessageOf(operation, origin, tier))
  return { kind: 'batch', batch: sealBatch(origin, link, messages) }
}

export function isBatch(wire: WireMessage): wire is { readonly batch: WireBatch } {
  return 'batch' in wire
}

/** Of the other kinds the file names the kind, and has what stands in the message by the names that the code has. */
function otherMessageOf(wire: WireMessage): Message {
  const [kind, content] = Object.entries(wire)[0] ?? []
  const field = FIELDS[kind ?? '']
  if (kind === undefined || field === undefined) throw new Error(`${kind} is no kind of message`)
  return { kind, [field]: reviveValue(content) } as unknown as Message
}

const FIELDS: Readonly<Record<string, string>> = {
  announcement: 'announcement',
  request: 'request',
  epoch: 'epoch',
  'join-request': 'request',
  refusal: 'refusal',
  offer: 'offer',
  'chunk-request': 'request',
  chunk: 'chunk',
  telemetry: 'telemetry',
}

/** A value of JSON, in which `{"$int": "…"}` is a whole number of 64 bits and `{"$bytes": "…"}` a byte string. */
export function reviveValue(value: unknown): Value {
  if (Array.isArray(value)) return value.map(reviveValue)
  if (typeof value !== 'object' || value === null) return value as Value
  if ('$int' in value) return BigInt(value.$int as string)
  if ('$bytes' in value) return fromHex(value.$bytes as string)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, reviveValue(child)]))
}

function syncMessageOf(wire: WireOperation, origin: MemberId, tier: number): SyncMessage {
  const writes = wire.writes.map(([path, kind, argument, replaces]) => {
    return { path, kind, argument: reviveValue(argument), replaces: replaces === null ? null : idOf(replaces) }
  })
  const guards = wire.guards.map(([path, comparison, value]) => ({ path, comparison, value: reviveValue(value) }))
  const join = wire.join ? joinOf(wire.join) : null
  const original = wire.original ? { kind: wire.original[0], id: idOf(wire.original[1]) } : null
  const current: Operation = {
    id: { member: origin, seq: wire.seq },
    stage: wire.stage,
    floor: wire.floor,
    priority: priorityOf(origin, tier),
    writes,
    guards,
    join,
    original,
    paths: pathsMet(pathsOf(writes, guards), origin, join, original),
  }
  return {
    current,
    previous: { id: wire.previous === null ? null : idOf(wire.previous), stage: wire.stage - 1 },
  }
}

function joinOf([member, tier, key, token, role, credential]: WireJoin): Join {
  const marks = role === undefined || role === null ? {} : { role }
  const join = { member, tier, key: fromHex(key), ...(token ? { token } : {}), ...marks }
  return credential === undefined ? join : { ...join, credential: fromHex(credential) }
}

function idOf(text: string): OperationId {
  const id = parseOperationId(text)
  if (id === null) throw new Error(`${text} is no operation id`)
  return id
}
