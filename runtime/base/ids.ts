import { fromHex, toHex, wordAt } from './bytes.ts'
import { MEMBERS_MAX } from './limits.ts'

/** 8 bytes from hardware, as 16 lower-case hexadecimal digits. */
export type NodeId = string & { readonly brand: 'NodeId' }

/** One life of a node: node id and a nonce, as `<16 hex digits>.<8 hex digits>`. Shared PROTOCOL name: member id. */
export type MemberId = string & { readonly brand: 'MemberId' }

/** Names one operation of one member. `seq` counts 1, 2, 3 … without gaps. */
export interface OperationId {
  readonly member: MemberId
  readonly seq: number
}

const NODE_ID = /^[0-9a-f]{16}$/
const MEMBER_ID = /^[0-9a-f]{16}\.[0-9a-f]{8}$/

export function isNodeId(text: unknown): text is NodeId {
  return typeof text === 'string' && NODE_ID.test(text)
}

export function isMemberId(text: unknown): text is MemberId {
  return typeof text === 'string' && MEMBER_ID.test(text)
}

/** @param nonce drawn at random when the node became a draft; 0 for a member of the genesis */
export function memberIdOf(node: NodeId, nonce: number): MemberId {
  return `${node}.${nonce.toString(16).padStart(8, '0')}` as MemberId
}

/** True for a member of the genesis: it needs no join. */
export function isFounding(member: MemberId): boolean {
  return member.endsWith('.00000000')
}

export function nodeOf(member: MemberId): NodeId {
  return member.slice(0, 16) as NodeId
}

export function nonceOf(member: MemberId): number {
  return Number.parseInt(member.slice(17), 16)
}

/** 12 bytes: node id, then nonce, big-endian. Not to be changed: the same bytes for the same text, mostly. */
export function memberIdToBytes(member: MemberId): Uint8Array {
  const known = encoded.get(member)
  if (known !== undefined) return known
  // Of its own: what is kept for long must not keep its neighbours in a slab.
  const bytes = new Uint8Array(fromHex(member.slice(0, 16) + member.slice(17)))
  if (encoded.size >= MEMBERS_MAX) encoded.clear()
  encoded.set(member, bytes)
  return bytes
}

/**
 * The same text for the same bytes, so that looking up a member compares no characters.
 * @param bytes exactly 12
 */
export function memberIdFromBytes(bytes: Uint8Array): MemberId {
  return memberIdAt(bytes, 0)
}

/** The member id whose 12 bytes begin at `at`. */
export function memberIdAt(bytes: Uint8Array, at: number): MemberId {
  const high = wordAt(bytes, at)
  const low = wordAt(bytes, at + 4)
  const nonce = wordAt(bytes, at + 8)
  const slot = (Math.imul(high, 31) ^ low ^ (low >>> 15) ^ nonce ^ (nonce >>> 13)) & (READ_SLOTS - 1)
  const known = read[slot]
  if (known !== undefined && known.low === low && known.nonce === nonce && known.high === high) return known.id
  const hex = toHex(bytes.subarray(at, at + MEMBER_ID_BYTES))
  const id = `${hex.slice(0, 16)}.${hex.slice(16)}` as MemberId
  read[slot] = { high, low, nonce, id: interned(id) }
  return read[slot].id
}

export const MEMBER_ID_BYTES = 12

/** The one text for equal ones. */
function interned(id: MemberId): MemberId {
  const known = texts.get(id)
  if (known !== undefined) return known
  // Whoever sends ids that nobody has must not cost memory.
  if (texts.size >= MEMBERS_MAX) texts.clear()
  texts.set(id, id)
  return id
}

/** `<member id>:<seq>`, for people, for JSON and as a key. */
export function formatOperationId(id: OperationId): string {
  return `${id.member}:${id.seq}`
}

/** The inverse of {@link formatOperationId}; null for any other text. */
export function parseOperationId(text: string): OperationId | null {
  const at = text.indexOf(':')
  const member = text.slice(0, at)
  const seq = text.slice(at + 1)
  if (at < 0 || !isMemberId(member) || !/^[1-9][0-9]{0,15}$/.test(seq)) return null
  return Number.isSafeInteger(Number(seq)) ? { member, seq: Number(seq) } : null
}

export function sameOperationId(left: OperationId | null, right: OperationId | null): boolean {
  if (left === null || right === null) return left === right
  return left.seq === right.seq && left.member === right.member
}

/** Member ids that were written lately. */
const encoded = new Map<MemberId, Uint8Array>()

/** Member ids that were read lately, by their bytes. */
const READ_SLOTS = 2048
const read: (ReadId | undefined)[] = Array.from({ length: READ_SLOTS })

interface ReadId {
  readonly high: number
  readonly low: number
  readonly nonce: number
  readonly id: MemberId
}

/** And by themselves, for those that share a slot. */
const texts = new Map<MemberId, MemberId>()
