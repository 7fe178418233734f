import { DELIMITER, decodeSerialFrame, ENCODED_BYTES_MAX, HEAD_MIN } from './frame.ts'

/** What a piece of the line is. Text and other protocols are `foreign`, and may share the port. */
export type LinePiece =
  | { readonly kind: 'frame'; readonly content: Uint8Array }
  /** Bytes that are no frame of ours, in the order in which they came. */
  | { readonly kind: 'foreign'; readonly bytes: Uint8Array }
  /** Began as a frame of ours and is not whole, or not as it was sent. */
  | { readonly kind: 'damaged' }

/**
 * Cuts what comes from a line into frames. It holds at most one frame, whatever comes. What cannot become a frame is known
 * at its second byte, so that text and SMP are handed on as they come, without a wait for the next frame.
 */
export class LineDecoder {
  readonly #held = new Uint8Array(ENCODED_BYTES_MAX)
  #length = 0
  #mode: 'frame' | 'foreign' | 'overlong' = 'frame'

  push(bytes: Uint8Array): LinePiece[] {
    const pieces: LinePiece[] = []
    let at = 0
    while (at < bytes.length) {
      const found = bytes.indexOf(DELIMITER, at)
      const end = found < 0 ? bytes.length : found
      this.#take(bytes.subarray(at, end), pieces)
      if (found >= 0) this.#finish(pieces)
      at = end + 1
    }
    return pieces
  }

  /** What came before a new connection does not belong to it. */
  reset(): void {
    this.#length = 0
    this.#mode = 'frame'
  }

  #take(bytes: Uint8Array, pieces: LinePiece[]): void {
    if (bytes.length === 0 || this.#mode === 'overlong') return
    if (this.#mode === 'foreign') {
      pieces.push({ kind: 'foreign', bytes: bytes.slice() })
      return
    }
    const room = this.#held.length - this.#length
    this.#held.set(bytes.subarray(0, room), this.#length)
    this.#length += Math.min(room, bytes.length)
    if (this.#length >= 2 && (this.#held[1] ?? 0) < HEAD_MIN) {
      this.#mode = 'foreign'
      pieces.push({ kind: 'foreign', bytes: this.#held.slice(0, this.#length) })
      this.#length = 0
      this.#take(bytes.subarray(room), pieces)
    } else if (bytes.length > room) {
      this.#mode = 'overlong'
      this.#length = 0
      pieces.push({ kind: 'damaged' })
    }
  }

  #finish(pieces: LinePiece[]): void {
    const { length } = this
    const isFrame = this.#mode === 'frame' && length > 0
    this.reset()
    if (!isFrame) return
    // A single byte between two delimiters is noise on an idle line.
    if (length === 1) return void pieces.push({ kind: 'foreign', bytes: this.#held.slice(0, 1) })
    const content = decodeSerialFrame(this.#held.subarray(0, length))
    pieces.push(content === null ? { kind: 'damaged' } : { kind: 'frame', content })
  }

  /** Bytes that are held until the rest of their frame comes. */
  get length(): number {
    return this.#length
  }
}
