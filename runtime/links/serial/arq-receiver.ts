import { SERIAL_WINDOW } from '../../base/limits.ts'
import type { Acknowledgement } from './packet.ts'

/** A frame of data, between two or on a bus; `seq` and `transmission` count modulo 256. */
export interface Numbered {
  readonly seq: number
  readonly transmission: number
  readonly payload: Uint8Array
}

/** What a frame of data was, and the frames that are in order now. */
export interface Reception<Frame> {
  readonly kind: 'new' | 'duplicate' | 'outside'
  /** Transmissions before this one did not come. */
  readonly isAfterLoss: boolean
  readonly inOrder: readonly Frame[]
}

/** The receiving half of selective repeat. It holds at most a window of frames that came before their turn. */
export class ArqReceiver<Frame extends Numbered = Numbered> {
  #next: number
  #newest = -1
  readonly #early = new Map<number, Frame>()

  /** @param next the first seq, modulo 256 */
  constructor(next = 0) {
    this.#next = next
  }

  receive(data: Frame): Reception<Frame> {
    const isAfterLoss = this.#newest >= 0 && data.transmission !== ((this.#newest + 1) & 0xff)
    const distance = (data.seq - this.#next) & 0xff
    const isDuplicate = distance >= 256 - SERIAL_WINDOW || this.#early.has(data.seq)
    if (distance >= SERIAL_WINDOW && !isDuplicate) return { kind: 'outside', isAfterLoss: false, inOrder: [] }
    this.#newest = data.transmission
    if (isDuplicate) return { kind: 'duplicate', isAfterLoss, inOrder: [] }
    // The frame shares its memory with what the port delivered, so what is kept is copied.
    this.#early.set(data.seq, distance === 0 ? data : { ...data, payload: data.payload.slice() })
    const inOrder: Frame[] = []
    for (let next = this.#early.get(this.#next); next !== undefined; next = this.#early.get(this.#next)) {
      inOrder.push(next)
      this.#early.delete(this.#next)
      this.#next = (this.#next + 1) & 0xff
    }
    return { kind: 'new', isAfterLoss, inOrder }
  }

  /** Null before the first frame. */
  acknowledgement(): Acknowledgement | null {
    if (this.#newest < 0) return null
    let bitmap = 0
    for (const seq of this.#early.keys()) bitmap |= 1 << (((seq - this.#next) & 0xff) - 1)
    return { ack: this.#next, transmission: this.#newest, bitmap: bitmap >>> 0 }
  }
}
