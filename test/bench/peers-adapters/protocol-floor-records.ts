import crypto from 'node:crypto'
import { BYTES, copyPart, LIST, writeHead } from './protocol-floor-codec.ts'

/** Batches as they went to the disk, behind each other in large pieces of memory: what others are sent when they ask. */
export class RecordLog {
  /** The chain digest up to the record that was digested last. */
  digestHigh = 0
  digestLow = 0
  readonly #pieces: Piece[] = []
  #piece: Piece = new Piece(0)
  #frames: Piece = new Piece(0)

  /** @returns where the record of the payload between `start` and `end` stands */
  add(bytes: Uint8Array, start: number, end: number): number {
    if (!this.#piece.hasRoomFor(RECORD_HEAD_BYTES_MAX + end - start)) {
      this.#piece = new Piece(PIECE_BYTES)
      this.#pieces.push(this.#piece)
    }
    const piece = this.#piece
    const record = piece.used
    piece.bytes[record] = LIST | 2
    piece.bytes[record + 1] = KIND_BATCH
    const at = writeHead(piece.bytes, record + 2, BYTES, end - start)
    copyPart(piece.bytes, at, bytes, start, end)
    piece.used = at + end - start
    return (this.#pieces.length - 1) * PIECE_BYTES + record
  }

  /** As the disk gets it. */
  record(position: number): Uint8Array {
    const { bytes, buffer } = this.pieceOf(position)
    const start = position % PIECE_BYTES
    return new Uint8Array(buffer, start, payloadEnd(bytes, start + 2) - start)
  }

  /** As the others get it. @param start of every frame */
  frame(position: number, start: Uint8Array): Uint8Array {
    const { bytes } = this.pieceOf(position)
    const head = (position % PIECE_BYTES) + 2
    const end = payloadEnd(bytes, head)
    const length = start.length + end - head
    if (!this.#frames.hasRoomFor(length)) this.#frames = new Piece(PIECE_BYTES)
    const frames = this.#frames
    const at = frames.used
    copyPart(frames.bytes, at, start, 0, start.length)
    copyPart(frames.bytes, at + start.length, bytes, head, end)
    frames.used += length
    return new Uint8Array(frames.buffer, at, length)
  }

  digest(position: number): void {
    const { bytes, buffer } = this.pieceOf(position)
    const head = (position % PIECE_BYTES) + 2
    const start = payloadStart(bytes, head)
    const hash = sha256(new Uint8Array(buffer, start, payloadEnd(bytes, head) - start))
    this.digestHigh = wordOf(hash, 0)
    this.digestLow = wordOf(hash, 4)
  }

  /** In which the record stands, at the rest of its position by PIECE_BYTES. */
  pieceOf(position: number): Piece {
    return this.#pieces[Math.floor(position / PIECE_BYTES)] as Piece
  }
}

/** Memory that is given out from its start on. */
export class Piece {
  readonly bytes: Uint8Array
  /** Asking the bytes for it takes as long as a view of it. */
  readonly buffer: ArrayBuffer
  used = 0

  constructor(size: number) {
    this.buffer = new ArrayBuffer(size)
    this.bytes = new Uint8Array(this.buffer)
  }

  hasRoomFor(length: number): boolean {
    return this.used + length <= this.bytes.length
  }
}

/** Room for the largest batch and for a thousand small ones. */
export const PIECE_BYTES: number = 128 * 1024
const RECORD_HEAD_BYTES_MAX = 7
const KIND_BATCH = 1

/** Where a byte string begins whose head stands at `at`: none is longer than 16 bits say. */
export function payloadStart(bytes: Uint8Array, at: number): number {
  const information = (bytes[at] as number) & 31
  return at + (information < 24 ? 1 : information === 24 ? 2 : 3)
}

function payloadEnd(bytes: Uint8Array, at: number): number {
  const information = (bytes[at] as number) & 31
  if (information < 24) return at + 1 + information
  if (information === 24) return at + 2 + (bytes[at + 1] as number)
  return at + 3 + (((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number))
}

/** As in runtime/base/digest.ts, which makes a text of its first 8 bytes. */
const sha256: (content: Uint8Array) => string =
  typeof crypto.hash === 'function'
    ? (content) => crypto.hash('sha256', content, 'binary')
    : (content) => crypto.createHash('sha256').update(content).digest('binary')

function wordOf(hash: string, at: number): number {
  const high = (hash.charCodeAt(at) << 8) | hash.charCodeAt(at + 1)
  return (high << 16) | (hash.charCodeAt(at + 2) << 8) | hash.charCodeAt(at + 3)
}
