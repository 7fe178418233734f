import { seededRandom } from '../../runtime/base/random.ts'
import type { Channel, Link, LinkEvents } from '../../runtime/links/link.ts'

/** Keeps a link full of frames that both ends can make from one seed, and compares every byte of what arrives. */
export class LineLoad {
  readonly #link: Link
  readonly #channel: Channel
  readonly #sent: () => Uint8Array
  readonly #expected: () => Uint8Array
  #waiting: Uint8Array | null = null
  #isOver = false
  /** Bytes of frames that arrived and were right. */
  bytes = 0
  frames = 0
  wrong = 0

  /** @param sizeMax bytes of the largest frame */
  constructor(link: Link, seed: number, sizeMax: number, channel: Channel = { kind: 'operations' }) {
    this.#link = link
    this.#channel = channel
    this.#sent = frameSource(seed, sizeMax)
    this.#expected = frameSource(seed, sizeMax)
  }

  /** Sends until the link refuses; call it again when the link is writable. */
  fill(): void {
    while (!this.#isOver) {
      this.#waiting ??= this.#sent()
      if (!this.#link.send(this.#waiting, this.#channel)) return
      this.#waiting = null
    }
  }

  end(): void {
    this.#isOver = true
  }

  /** A frame has arrived at the other end. */
  check(frame: Uint8Array): void {
    const expected = this.#expected()
    if (Buffer.compare(frame, expected) !== 0) this.wrong += 1
    this.frames += 1
    this.bytes += frame.length
  }
}

/** The events of one end: it sends `out` and receives what is `into` it. */
export class LoadedEnd implements LinkEvents {
  isUp = false
  out: LineLoad | null = null
  into: LineLoad | null = null
  onFrame: ((frame: Uint8Array) => boolean) | null = null

  up(): void {
    this.isUp = true
    this.out?.fill()
  }

  down(): void {
    this.isUp = false
  }

  frame(bytes: Uint8Array): void {
    if (this.onFrame?.(bytes) === true) return
    this.into?.check(bytes)
  }

  presence(): void {}

  writable(): void {
    this.out?.fill()
  }
}

function frameSource(seed: number, sizeMax: number): () => Uint8Array {
  const random = seededRandom(seed)
  return () => {
    const frame = new Uint8Array(1 + (random.uint32() % sizeMax))
    for (let at = 0; at < frame.length; at += 1) frame[at] = random.uint32() & 0xff
    // Tells these frames from others that a test sends among them.
    frame[0] = 0
    return frame
  }
}
