import type { Monotonic } from '../../base/clock.ts'
import {
  LINK_QUEUE_BYTES_MAX,
  SERIAL_BULK_QUEUE_MS,
  SERIAL_BUS_TURN_FRAMES_MIN,
  SERIAL_WINDOW,
} from '../../base/limits.ts'
import type { Channel, Waiting } from '../link.ts'
import { ArqSender, type Outstanding } from './arq-sender.ts'
import { BUS_DATA_HEADER_BYTES, type BusAcknowledgement, type BusData } from './bus-packet.ts'
import { lineBytesOf } from './frame.ts'
import { LossMeter } from './loss-meter.ts'
import type { Handover, LineStatistics } from './machine.ts'
import { lineRate, type Pacer } from './pacing.ts'
import { RoundTrip } from './round-trip.ts'
import { StreamSender } from './streams.ts'

export interface BusSenderOptions {
  readonly baud: number
  /** Bytes of payload in a frame, at most. */
  readonly payload: number
  readonly pacer: Pacer
  readonly statistics: LineStatistics
  /** How long it takes at most until the token is back. */
  readonly rotationMs: () => number
}

/** What a station of a bus has to say in its turns: to all at once, and kept until every one of them has acknowledged it. */
export class BusSender {
  /** Bytes on the line of the longest frame of data. */
  readonly frameBytes: number
  readonly #options: BusSenderOptions
  readonly #streams: StreamSender
  #arq = new ArqSender(SERIAL_WINDOW, [])
  #losses: LossMeter
  #roundTrip: RoundTrip
  /** The timeout counts from here at the earliest: the last one, or the last sign that another station got something. */
  #timerFrom: Monotonic = -Infinity
  /** Bytes that this turn may still take. */
  #turnBytes = 0

  constructor(options: BusSenderOptions) {
    const { baud, payload } = options
    this.#options = options
    this.frameBytes = lineBytesOf(BUS_DATA_HEADER_BYTES + payload)
    this.#streams = new StreamSender(Math.min(LINK_QUEUE_BYTES_MAX, lineRate(baud) * SERIAL_BULK_QUEUE_MS))
    this.#losses = new LossMeter(payload)
    this.#roundTrip = new RoundTrip(this.leastTurnMs)
  }

  /** Time that the frames take which a station may always send in its turn. */
  get leastTurnMs(): number {
    return (SERIAL_BUS_TURN_FRAMES_MIN * this.frameBytes) / lineRate(this.#options.baud)
  }

  get hasRoom(): boolean {
    return this.#streams.hasRoom
  }

  get waiting(): Waiting {
    return this.#streams.waiting
  }

  /** A new life: what was measured in the old one does not count either. */
  reset(): void {
    this.drop()
    this.#losses = new LossMeter(this.#options.payload)
    this.#roundTrip = new RoundTrip(this.#options.rotationMs())
    this.#options.statistics.payload = this.#options.payload
  }

  /** Nobody is there. @returns messages that waited, or were not known to have arrived */
  drop(): number {
    const messages = this.#streams.waitingFrames + this.#arq.outstandingMessages
    this.#streams.clear()
    this.#arq = new ArqSender(SERIAL_WINDOW, [])
    return messages
  }

  offer(message: Uint8Array, channel: Channel, now: Monotonic): Handover {
    return this.#streams.offer(message, channel, now)
  }

  /** From the next message on. */
  addReceiver(address: number): void {
    this.#arq.addReceiver(address)
    this.#streams.align()
  }

  /** @param isLast what waits is for nobody then */
  removeReceiver(address: number, isLast: boolean): void {
    this.#arq.removeReceiver(address)
    if (isLast) this.#streams.clear()
  }

  /** The first frame that a station still needs, modulo 256. */
  startFor(address: number): number {
    return this.#arq.startFor(address)
  }

  acknowledge(address: number, heard: BusAcknowledgement, now: Monotonic): void {
    const { sampleMs, lost } = this.#arq.acknowledge(address, heard, now)
    const { statistics } = this.#options
    if (sampleMs !== null) {
      this.#roundTrip.note(sampleMs)
      this.#timerFrom = now
      statistics.roundTripMs = this.#roundTrip.smoothedMs
    }
    this.#losses.noteLost(lost)
    statistics.payload = this.#losses.payload
  }

  /** @param turnMs how long it may speak, but for the frames that it may always send */
  beginTurn(turnMs: number, now: Monotonic): void {
    this.#turnBytes = Math.max(lineRate(this.#options.baud) * turnMs, SERIAL_BUS_TURN_FRAMES_MIN * this.frameBytes)
    this.#checkTimeout(now)
  }

  /** There is something to send, and room for it in this turn. */
  get hasData(): boolean {
    const hasData = this.#arq.lost() !== null || (this.#arq.hasRoom && !this.#streams.isEmpty)
    return hasData && this.#turnBytes >= this.frameBytes
  }

  /** When the port can take the next frame. */
  get dataAt(): Monotonic {
    return this.#options.pacer.mayWriteAt(this.frameBytes)
  }

  /**
   * @param write puts a frame on the line, and tells how many bytes it took there
   * @returns false if there is nothing to send
   */
  sendNext(now: Monotonic, write: (data: BusData) => number): boolean {
    const frame = this.#nextFrame(now)
    if (frame === null) return false
    const { statistics, pacer } = this.#options
    const { stream, payload, isFirst } = frame.piece
    if (frame.transmission >= 0) statistics.repeated += 1
    statistics.dataFrames += 1
    const transmission = this.#arq.nextTransmission & 0xff
    const bytes = write({ stream, seq: frame.seq & 0xff, transmission, isFirst, payload })
    this.#arq.noteTransmission(frame, pacer.freeAt)
    this.#losses.noteSent(bytes)
    this.#turnBytes -= bytes
    return true
  }

  #nextFrame(now: Monotonic): Outstanding | null {
    const lost = this.#arq.lost()
    if (lost !== null) return lost
    const piece = this.#streams.next(this.#losses.payload, now)
    return piece === null ? null : this.#arq.add(piece)
  }

  #checkTimeout(now: Monotonic): void {
    const { oldestLeftAt } = this.#arq
    if (oldestLeftAt === null || now < Math.max(oldestLeftAt, this.#timerFrom) + this.#roundTrip.timeoutMs) return
    this.#options.statistics.timeouts += 1
    this.#roundTrip.noteTimeout()
    this.#timerFrom = now
    this.#arq.timeOut()
  }
}
