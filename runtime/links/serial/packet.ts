import { fromHex, toHex } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import { type NodeId } from '../../base/ids.ts'
import { SERIAL_PAYLOAD_MAX, SERIAL_PAYLOAD_MIN, SERIAL_WINDOW } from '../../base/limits.ts'

/** The content of a frame between two gateways. Numbers are big-endian; `seq`, `ack` and `transmission` count modulo 256. */
export type Packet =
  | { readonly kind: 'hello'; readonly hello: Hello }
  /** The sender closes its link. */
  | { readonly kind: 'goodbye' }
  | { readonly kind: 'acknowledgement'; readonly acknowledgement: Acknowledgement }
  | { readonly kind: 'data'; readonly data: Data }

/**
 * Opens a session: both sides say who they are and what they take. A session is the pair of two incarnations; one that
 * ends makes a new incarnation, so that no sequence number of an old session counts in a new one.
 */
export interface Hello {
  readonly version: number
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly node: NodeId
  /** Drawn at random for each session, never 0. */
  readonly incarnation: number
  /** The incarnation that was heard from the other side, or 0. */
  readonly heard: number
  /** Bytes of payload that the sender takes in one frame. */
  readonly payloadMax: number
  /** Frames that the sender takes beyond the last one that it acknowledged: its credit, which does not change. */
  readonly window: number
  /** The sender has no session yet and wants an answer. */
  readonly isAsking: boolean
}

export interface Acknowledgement {
  /** The next seq that is expected: all before it are here. */
  readonly ack: number
  /** Number of the newest transmission that arrived. A line never reorders: what was sent before it and is not here is lost. */
  readonly transmission: number
  /** Bit n stands for the frame `ack` + 1 + n, which is here too. */
  readonly bitmap: number
}

/** The streams of a line, in the order of their urgency. */
export const STREAMS = ['control', 'live', 'bulk'] as const
export type Stream = (typeof STREAMS)[number]

export interface Data {
  readonly stream: Stream
  readonly seq: number
  /** Counts every transmission, a repeated one too. */
  readonly transmission: number
  readonly acknowledgement: Acknowledgement | null
  /** A piece of the stream, 1 to SERIAL_PAYLOAD_MAX bytes. */
  readonly payload: Uint8Array
}

export const SERIAL_VERSION = 1

const HELLO = 0x80
const GOODBYE = 0x81
const ACKNOWLEDGEMENT = 0x82
const DATA = 0x90
/** Bits of the head of data: the stream, and what stands before the payload. */
const STREAM_BITS = 0x03
const WITH_ACKNOWLEDGEMENT = 0x04
const WITH_BITMAP = 0x08
const HELLO_BYTES = 30
/** Of data with an acknowledgement, and without a bitmap. */
export const DATA_HEADER_BYTES = 5

export function encodePacket(packet: Packet): Uint8Array {
  switch (packet.kind) {
    case 'hello':
      return encodeHello(packet.hello)
    case 'goodbye':
      return Uint8Array.of(GOODBYE)
    case 'acknowledgement': {
      const { ack, transmission, bitmap } = packet.acknowledgement
      return Uint8Array.of(ACKNOWLEDGEMENT, ack, transmission, ...(bitmap === 0 ? [] : wordBytes(bitmap)))
    }
    case 'data':
      return encodeData(packet.data)
  }
}

/** @returns null for what this version does not know, or what is not well formed */
export function decodePacket(content: Uint8Array): Packet | null {
  const head = content[0] ?? 0
  if (head === HELLO) return decodeHello(content)
  if (head === GOODBYE) return content.length === 1 ? { kind: 'goodbye' } : null
  if (head === ACKNOWLEDGEMENT) {
    const hasBitmap = content.length === 7
    if (!hasBitmap && content.length !== 3) return null
    return { kind: 'acknowledgement', acknowledgement: readAcknowledgement(content, 1, hasBitmap) }
  }
  return (head & 0xf0) === DATA ? decodeData(content) : null
}

function encodeHello(hello: Hello): Uint8Array {
  const bytes = new Uint8Array(HELLO_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, HELLO)
  view.setUint8(1, hello.version)
  bytes.set(fromHex(hello.fleet), 2)
  bytes.set(fromHex(hello.node), 10)
  view.setUint32(18, hello.incarnation)
  view.setUint32(22, hello.heard)
  view.setUint16(26, hello.payloadMax)
  view.setUint8(28, hello.window)
  view.setUint8(29, hello.isAsking ? 1 : 0)
  return bytes
}

/** A later version may append to it. */
function decodeHello(content: Uint8Array): Packet | null {
  if (content.length < HELLO_BYTES) return null
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  const hello: Hello = {
    version: view.getUint8(1),
    fleet: toHex(content.subarray(2, 10)),
    node: toHex(content.subarray(10, 18)) as NodeId,
    incarnation: view.getUint32(18),
    heard: view.getUint32(22),
    payloadMax: view.getUint16(26),
    window: view.getUint8(28),
    isAsking: (view.getUint8(29) & 1) === 1,
  }
  const isSound =
    hello.incarnation !== 0 &&
    hello.payloadMax >= SERIAL_PAYLOAD_MIN &&
    hello.payloadMax <= SERIAL_PAYLOAD_MAX &&
    hello.window >= 1 &&
    hello.window <= SERIAL_WINDOW
  return isSound ? { kind: 'hello', hello } : null
}

function encodeData({ stream, seq, transmission, acknowledgement, payload }: Data): Uint8Array {
  assert(payload.length > 0 && payload.length <= SERIAL_PAYLOAD_MAX, 'a frame of data holds a piece that fits')
  const header = [DATA | STREAMS.indexOf(stream), seq, transmission]
  if (acknowledgement !== null) {
    header[0] = (header[0] ?? 0) | WITH_ACKNOWLEDGEMENT | (acknowledgement.bitmap === 0 ? 0 : WITH_BITMAP)
    header.push(acknowledgement.ack, acknowledgement.transmission)
    if (acknowledgement.bitmap !== 0) header.push(...wordBytes(acknowledgement.bitmap))
  }
  const bytes = new Uint8Array(header.length + payload.length)
  bytes.set(header)
  bytes.set(payload, header.length)
  return bytes
}

function decodeData(content: Uint8Array): Packet | null {
  const head = content[0] ?? 0
  const stream = STREAMS[head & STREAM_BITS]
  const isAcknowledging = (head & WITH_ACKNOWLEDGEMENT) !== 0
  const hasBitmap = (head & WITH_BITMAP) !== 0
  const start = 3 + (isAcknowledging ? 2 : 0) + (hasBitmap ? 4 : 0)
  const isSound = content.length > start && content.length - start <= SERIAL_PAYLOAD_MAX
  if (stream === undefined || !isSound || (hasBitmap && !isAcknowledging)) return null
  const acknowledgement = isAcknowledging ? readAcknowledgement(content, 3, hasBitmap) : null
  const [, seq = 0, transmission = 0] = content
  return { kind: 'data', data: { stream, seq, transmission, acknowledgement, payload: content.subarray(start) } }
}

function readAcknowledgement(content: Uint8Array, at: number, hasBitmap: boolean): Acknowledgement {
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  const bitmap = hasBitmap ? view.getUint32(at + 2) : 0
  return { ack: view.getUint8(at), transmission: view.getUint8(at + 1), bitmap }
}

function wordBytes(word: number): number[] {
  return [(word >>> 24) & 0xff, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]
}
