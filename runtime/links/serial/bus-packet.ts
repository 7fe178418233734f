import { fromHex, toHex } from '../../base/bytes.ts'
import type { NodeId } from '../../base/ids.ts'
import { SERIAL_BUS_ADDRESS_MAX, SERIAL_PAYLOAD_MAX } from '../../base/limits.ts'
import { type Acknowledgement, type Stream, STREAMS } from './packet.ts'

/** The content of a frame on a bus. Every station hears every frame; `from` is the address of the one that sent it. */
export type BusPacket =
  /** `to` may speak now. What the sender has heard of others rides on it. */
  | {
      readonly kind: 'token'
      readonly from: number
      readonly to: number
      readonly heard: readonly BusAcknowledgement[]
    }
  /** Whoever is not in the ring may answer now. */
  | { readonly kind: 'invitation'; readonly from: number }
  | { readonly kind: 'here'; readonly from: number }
  | { readonly kind: 'hello'; readonly from: number; readonly hello: BusHello }
  | { readonly kind: 'goodbye'; readonly from: number }
  | { readonly kind: 'data'; readonly from: number; readonly data: BusData }

export interface BusAcknowledgement extends Acknowledgement {
  /** Whose frames. */
  readonly of: number
}

export interface BusHello {
  readonly version: number
  readonly fleet: string
  readonly node: NodeId
  readonly incarnation: number
  readonly payloadMax: number
  /** The sender has heard a station that does not keep anything for it yet, and wants its HELLO. */
  readonly isAsking: boolean
  /** For whom the sender keeps what was not acknowledged. */
  readonly roster: readonly RosterEntry[]
}

/** The sender's streams begin at `start` for the station `address` in its life `incarnation`. */
export interface RosterEntry {
  readonly address: number
  readonly incarnation: number
  /** Counts how often the sender has taken this station in, modulo 256: another count is another beginning. */
  readonly pairing: number
  readonly start: number
}

export interface BusData {
  readonly stream: Stream
  readonly seq: number
  readonly transmission: number
  /** The payload begins with a message, so that a station that has just come can begin here. */
  readonly isFirst: boolean
  readonly payload: Uint8Array
}

const TOKEN = 0xc0
const INVITATION = 0xc1
const HERE = 0xc2
const HELLO = 0xc3
const GOODBYE = 0xc4
const DATA = 0xd0
const FIRST = 0x04
const WITH_BITMAP = 0x80
const HELLO_BYTES = 27
/** Bit of the flags in a HELLO. */
const ASKING = 1
const ROSTER_BYTES = 7
export const BUS_DATA_HEADER_BYTES = 4

export function encodeBusPacket(packet: BusPacket): Uint8Array {
  const { from } = packet
  switch (packet.kind) {
    case 'token':
      return Uint8Array.from([TOKEN, from, packet.to, ...packet.heard.flatMap(acknowledgementBytes)])
    case 'invitation':
      return Uint8Array.of(INVITATION, from)
    case 'here':
      return Uint8Array.of(HERE, from)
    case 'goodbye':
      return Uint8Array.of(GOODBYE, from)
    case 'hello':
      return encodeHello(packet.hello, from)
    case 'data': {
      const { stream, seq, transmission, isFirst, payload } = packet.data
      const bytes = new Uint8Array(BUS_DATA_HEADER_BYTES + payload.length)
      bytes.set([DATA | STREAMS.indexOf(stream) | (isFirst ? FIRST : 0), from, seq, transmission])
      bytes.set(payload, BUS_DATA_HEADER_BYTES)
      return bytes
    }
  }
}

/** @returns null for what this version does not know, or what is not well formed */
export function decodeBusPacket(content: Uint8Array): BusPacket | null {
  const [head = 0, from = 0, third = 0, fourth = 0] = content
  if (!isAddress(from)) return null
  switch (head) {
    case TOKEN: {
      const heard = readAcknowledgements(content.subarray(3))
      return content.length < 3 || !isAddress(third) || heard === null
        ? null
        : { kind: 'token', from, to: third, heard }
    }
    case INVITATION:
      return { kind: 'invitation', from }
    case HERE:
      return { kind: 'here', from }
    case GOODBYE:
      return { kind: 'goodbye', from }
    case HELLO:
      return decodeHello(content, from)
  }
  const stream = STREAMS[head & 0x03]
  const payload = content.subarray(BUS_DATA_HEADER_BYTES)
  if ((head & 0xf8) !== DATA || stream === undefined || payload.length === 0 || payload.length > SERIAL_PAYLOAD_MAX)
    return null
  const isFirst = (head & FIRST) !== 0
  return { kind: 'data', from, data: { stream, seq: third, transmission: fourth, isFirst, payload } }
}

function isAddress(address: number): boolean {
  return address >= 1 && address <= SERIAL_BUS_ADDRESS_MAX
}

function acknowledgementBytes({ of, ack, transmission, bitmap }: BusAcknowledgement): number[] {
  if (bitmap === 0) return [of, ack, transmission]
  const word = [24, 16, 8, 0].map((shift) => (bitmap >>> shift) & 0xff)
  return [of | WITH_BITMAP, ack, transmission, ...word]
}

function readAcknowledgements(bytes: Uint8Array): BusAcknowledgement[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const found: BusAcknowledgement[] = []
  for (let at = 0; at < bytes.length;) {
    const hasBitmap = (view.getUint8(at) & WITH_BITMAP) !== 0
    const length = hasBitmap ? 7 : 3
    if (at + length > bytes.length) return null
    const of = view.getUint8(at) & ~WITH_BITMAP
    const bitmap = hasBitmap ? view.getUint32(at + 3) : 0
    found.push({ of, ack: view.getUint8(at + 1), transmission: view.getUint8(at + 2), bitmap })
    at += length
  }
  return found
}

function encodeHello(hello: BusHello, from: number): Uint8Array {
  const bytes = new Uint8Array(HELLO_BYTES + hello.roster.length * ROSTER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set([HELLO, from, hello.version])
  bytes.set(fromHex(hello.fleet), 3)
  bytes.set(fromHex(hello.node), 11)
  view.setUint32(19, hello.incarnation)
  view.setUint16(23, hello.payloadMax)
  view.setUint8(25, hello.isAsking ? ASKING : 0)
  view.setUint8(26, hello.roster.length)
  for (const [index, { address, incarnation, pairing, start }] of hello.roster.entries()) {
    const at = HELLO_BYTES + index * ROSTER_BYTES
    view.setUint8(at, address)
    view.setUint32(at + 1, incarnation)
    view.setUint8(at + 5, pairing)
    view.setUint8(at + 6, start)
  }
  return bytes
}

/** A later version may append to it. */
function decodeHello(content: Uint8Array, from: number): BusPacket | null {
  if (content.length < HELLO_BYTES) return null
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  const count = view.getUint8(26)
  if (content.length < HELLO_BYTES + count * ROSTER_BYTES || count > SERIAL_BUS_ADDRESS_MAX) return null
  const roster = Array.from({ length: count }, (_, index): RosterEntry => {
    const at = HELLO_BYTES + index * ROSTER_BYTES
    return {
      address: view.getUint8(at),
      incarnation: view.getUint32(at + 1),
      pairing: view.getUint8(at + 5),
      start: view.getUint8(at + 6),
    }
  })
  const hello: BusHello = {
    version: view.getUint8(2),
    fleet: toHex(content.subarray(3, 11)),
    node: toHex(content.subarray(11, 19)) as NodeId,
    incarnation: view.getUint32(19),
    payloadMax: view.getUint16(23),
    isAsking: (view.getUint8(25) & ASKING) !== 0,
    roster,
  }
  return { kind: 'hello', from, hello }
}
