import type { Monotonic } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import type { Acknowledgement } from './packet.ts'
import type { Piece } from './streams.ts'

/** A piece that has not been acknowledged by everybody. */
export interface Outstanding {
  readonly seq: number
  readonly piece: Piece
  /** Number of its newest transmission. */
  transmission: number
  /** When that left the port. */
  leftAt: Monotonic
  /** It has to go again. */
  isLost: boolean
  /** Who has not acknowledged it. */
  readonly missing: Set<number>
}

/** What an acknowledgement has told. */
export interface Acknowledged {
  /** From the end of the transmission that it answers, or null if that is not outstanding. */
  readonly sampleMs: number | null
  /** Messages whose last byte everybody has now. */
  readonly messages: number
  /** Frames that it shows to be lost. */
  readonly lost: number
  /** It states what cannot be. */
  readonly isSound: boolean
}

/**
 * The sending half of selective repeat. A line never reorders: an acknowledgement names the newest transmission that came,
 * and all that was sent before it and is not acknowledged is lost, for certain and at once.
 *
 * A line between two has one receiver; a bus has several, and a piece is kept until all of them have it.
 */
export class ArqSender {
  readonly #window: number
  readonly #receivers: Set<number>
  readonly #outstanding = new Map<number, Outstanding>()
  #nextSeq = 0
  #nextTransmission = 0

  /** @param window pieces that may be outstanding, at most 32 */
  constructor(window: number, receivers: Iterable<number>) {
    this.#window = window
    this.#receivers = new Set(receivers)
  }

  get hasRoom(): boolean {
    const [oldest] = this.#outstanding.keys()
    return oldest === undefined || this.#nextSeq - oldest < this.#window
  }

  /** The first frame that `receiver` still needs, modulo 256. */
  startFor(receiver: number): number {
    for (const { seq, missing } of this.#outstanding.values()) if (missing.has(receiver)) return seq & 0xff
    return this.#nextSeq & 0xff
  }

  get outstandingMessages(): number {
    let messages = 0
    for (const { piece } of this.#outstanding.values()) messages += piece.messages
    return messages
  }

  /** The oldest frame that has to go again. */
  lost(): Outstanding | null {
    for (const frame of this.#outstanding.values()) if (frame.isLost) return frame
    return null
  }

  /** From the next piece on. */
  addReceiver(receiver: number): void {
    this.#receivers.add(receiver)
  }

  /** @returns messages whose last byte everybody has who is left */
  removeReceiver(receiver: number): number {
    this.#receivers.delete(receiver)
    let messages = 0
    for (const frame of this.#outstanding.values()) {
      if (!frame.missing.delete(receiver) || frame.missing.size > 0) continue
      this.#outstanding.delete(frame.seq)
      messages += frame.piece.messages
    }
    return messages
  }

  add(piece: Piece): Outstanding {
    assert(this.hasRoom, 'a piece is sent only inside of the window')
    const frame: Outstanding = {
      seq: this.#nextSeq,
      piece,
      transmission: -1,
      leftAt: 0,
      isLost: true,
      missing: new Set(this.#receivers),
    }
    this.#nextSeq += 1
    this.#outstanding.set(frame.seq, frame)
    return frame
  }

  /** @returns the number of this transmission */
  noteTransmission(frame: Outstanding, leftAt: Monotonic): number {
    frame.transmission = this.#nextTransmission
    frame.leftAt = leftAt
    frame.isLost = false
    this.#nextTransmission += 1
    return frame.transmission
  }

  /** The number that the next transmission gets: it has to be in the frame before the frame can be measured. */
  get nextTransmission(): number {
    return this.#nextTransmission
  }

  acknowledge(receiver: number, { ack, transmission, bitmap }: Acknowledgement, now: Monotonic): Acknowledged {
    const base = this.#outstanding.keys().next().value ?? this.#nextSeq
    const first = base + signedDistance(ack, base)
    if (first > this.#nextSeq) return { sampleMs: null, messages: 0, lost: 0, isSound: false }
    const newest = this.#nextTransmission - 1 - ((this.#nextTransmission - 1 - transmission) & 0xff)
    let sampleMs: number | null = null
    let messages = 0
    let lost = 0
    for (const frame of this.#outstanding.values()) {
      if (frame.transmission < 0) continue
      if (frame.transmission === newest && frame.missing.has(receiver)) sampleMs = Math.max(0, now - frame.leftAt)
      const place = frame.seq - first
      const isHere = place < 0 || (place > 0 && place <= 32 && ((bitmap >>> (place - 1)) & 1) === 1)
      if (isHere) {
        frame.missing.delete(receiver)
        if (frame.missing.size > 0) continue
        this.#outstanding.delete(frame.seq)
        messages += frame.piece.messages
      } else if (frame.transmission < newest && frame.missing.has(receiver) && !frame.isLost) {
        frame.isLost = true
        lost += 1
      }
    }
    return { sampleMs, messages, lost, isSound: true }
  }

  /** When the frame that was sent first of those that nobody answered left the port, or null. */
  get oldestLeftAt(): Monotonic | null {
    let oldest: Monotonic | null = null
    for (const { isLost, leftAt } of this.#outstanding.values())
      if (!isLost && (oldest === null || leftAt < oldest)) oldest = leftAt
    return oldest
  }

  /** One frame asks what has come; its acknowledgement tells of all the others. */
  timeOut(): void {
    for (const frame of this.#outstanding.values()) {
      if (frame.isLost) continue
      frame.isLost = true
      return
    }
  }
}

/** From `base` to the nearest number that is `wire` modulo 256. */
function signedDistance(wire: number, base: number): number {
  const distance = (wire - base) & 0xff
  return distance < 128 ? distance : distance - 256
}
