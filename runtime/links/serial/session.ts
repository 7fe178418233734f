import type { Monotonic } from '../../base/clock.ts'
import { SERIAL_ACKNOWLEDGE_FRAMES, SERIAL_ACKNOWLEDGE_MS, SERIAL_WINDOW } from '../../base/limits.ts'
import { ArqReceiver } from './arq-receiver.ts'
import { ArqSender } from './arq-sender.ts'
import { lineBytesOf } from './frame.ts'
import { LossMeter } from './loss-meter.ts'
import type { LineStatistics } from './machine.ts'
import type { Pacer } from './pacing.ts'
import { type Acknowledgement, type Data, DATA_HEADER_BYTES, encodePacket, type Hello } from './packet.ts'
import { RoundTrip } from './round-trip.ts'
import { StreamReceiver, type StreamSender } from './streams.ts'

export interface SessionOptions {
  readonly peer: Hello
  /** Bytes that this side takes; the smaller one of both sides counts. */
  readonly payloadMax: number
  readonly streams: StreamSender
  readonly pacer: Pacer
  readonly statistics: LineStatistics
  readonly now: Monotonic
}

/** The other side is there: data goes in both directions, whole and in order, until it is gone. */
export class Session {
  readonly peer: Hello
  /** When the last frame came. */
  heardAt: Monotonic
  /** When the last frame went. */
  spokeAt: Monotonic
  readonly #streams: StreamSender
  readonly #pacer: Pacer
  readonly #statistics: LineStatistics
  readonly #sender: ArqSender
  readonly #receiver = new ArqReceiver<Data>()
  readonly #incoming = new StreamReceiver()
  readonly #losses: LossMeter
  readonly #roundTrip: RoundTrip
  readonly #frameBytesMax: number
  /** Frames that came since the last acknowledgement went. */
  #unacknowledged = 0
  #acknowledgeAt: Monotonic | null = null
  /** The timeout counts from here at the earliest: the last one, or the last sign that the other side got something. */
  #timerFrom: Monotonic = -Infinity

  constructor({ peer, payloadMax, streams, pacer, statistics, now }: SessionOptions) {
    this.peer = peer
    this.heardAt = now
    this.spokeAt = now
    this.#streams = streams
    this.#pacer = pacer
    this.#statistics = statistics
    this.#sender = new ArqSender(Math.min(SERIAL_WINDOW, peer.window), [0])
    const payload = Math.min(payloadMax, peer.payloadMax)
    this.#losses = new LossMeter(payload)
    this.#frameBytesMax = lineBytesOf(DATA_HEADER_BYTES + payload)
    this.#roundTrip = new RoundTrip(pacer.timeOf(this.#frameBytesMax))
    statistics.payload = payload
  }

  /** Messages that were handed over and are not known to have arrived. */
  get waitingMessages(): number {
    return this.#streams.waitingFrames + this.#sender.outstandingMessages
  }

  /** @returns the messages that are whole now; null if the other side breaks the protocol */
  receive(data: Data, now: Monotonic): Uint8Array[] | null {
    if (data.acknowledgement !== null && !this.acknowledge(data.acknowledgement, now)) return null
    const reception = this.#receiver.receive(data)
    if (reception.kind === 'outside') {
      this.#statistics.unexpected += 1
      return []
    }
    this.#unacknowledged += 1
    const isUrgent =
      reception.kind === 'duplicate' || reception.isAfterLoss || this.#unacknowledged >= SERIAL_ACKNOWLEDGE_FRAMES
    const at = isUrgent ? now : now + SERIAL_ACKNOWLEDGE_MS
    this.#acknowledgeAt = Math.min(this.#acknowledgeAt ?? at, at)
    const messages: Uint8Array[] = []
    for (const { stream, payload } of reception.inOrder) {
      const ended = this.#incoming.take(stream, payload)
      if (ended === null) return null
      messages.push(...ended)
    }
    return messages
  }

  /** @returns false if the other side breaks the protocol */
  acknowledge(acknowledgement: Acknowledgement, now: Monotonic): boolean {
    const { sampleMs, lost, isSound } = this.#sender.acknowledge(0, acknowledgement, now)
    if (sampleMs !== null) {
      this.#roundTrip.note(sampleMs)
      this.#timerFrom = now
      this.#statistics.roundTripMs = this.#roundTrip.smoothedMs
    }
    this.#losses.noteLost(lost)
    this.#statistics.payload = this.#losses.payload
    return isSound
  }

  /** @returns the next frame that may be written now, or null */
  next(now: Monotonic): Uint8Array | null {
    this.#checkTimeout(now)
    if (this.#hasData) return now < this.#dataAt ? null : this.#nextData(now)
    return this.#acknowledgeAt !== null && this.#acknowledgeAt <= now ? this.#nextAcknowledgement() : null
  }

  /** A frame that only shows that this side is there. */
  keepAlive(): Uint8Array {
    return this.#nextAcknowledgement() ?? encodePacket({ kind: 'acknowledgement', acknowledgement: NOTHING_YET })
  }

  /** When `next` may have something. */
  wakeAt(): Monotonic | null {
    const times = [this.#hasData ? this.#dataAt : this.#acknowledgeAt, this.#timeoutAt].filter((at) => at !== null)
    return times.length === 0 ? null : Math.min(...times)
  }

  get #hasData(): boolean {
    return this.#sender.lost() !== null || (this.#sender.hasRoom && !this.#streams.isEmpty)
  }

  get #dataAt(): Monotonic {
    return this.#pacer.mayWriteAt(this.#frameBytesMax)
  }

  #nextData(now: Monotonic): Uint8Array | null {
    const lost = this.#sender.lost()
    const piece = lost === null ? this.#streams.next(this.#losses.payload, now) : null
    const frame = lost ?? (piece === null ? null : this.#sender.add(piece))
    if (frame === null) return null
    const { stream, payload } = frame.piece
    const isRepeated = frame.transmission >= 0
    const data: Data = {
      stream,
      seq: frame.seq & 0xff,
      transmission: this.#sender.nextTransmission & 0xff,
      acknowledgement: this.#takeAcknowledgement(),
      payload,
    }
    const content = encodePacket({ kind: 'data', data })
    const bytes = lineBytesOf(content.length)
    this.#sender.noteTransmission(frame, Math.max(this.#pacer.freeAt, now) + this.#pacer.timeOf(bytes))
    this.#losses.noteSent(bytes)
    this.#statistics.dataFrames += 1
    if (isRepeated) this.#statistics.repeated += 1
    return content
  }

  #nextAcknowledgement(): Uint8Array | null {
    const acknowledgement = this.#receiver.acknowledgement()
    this.#unacknowledged = 0
    this.#acknowledgeAt = null
    return acknowledgement === null ? null : encodePacket({ kind: 'acknowledgement', acknowledgement })
  }

  /** Rides on data if anything has come since the last one. */
  #takeAcknowledgement(): Acknowledgement | null {
    if (this.#unacknowledged === 0) return null
    this.#unacknowledged = 0
    this.#acknowledgeAt = null
    return this.#receiver.acknowledgement()
  }

  get #timeoutAt(): Monotonic | null {
    const { oldestLeftAt } = this.#sender
    return oldestLeftAt === null ? null : Math.max(oldestLeftAt, this.#timerFrom) + this.#roundTrip.timeoutMs
  }

  #checkTimeout(now: Monotonic): void {
    const at = this.#timeoutAt
    if (at === null || now < at) return
    this.#statistics.timeouts += 1
    this.#roundTrip.noteTimeout()
    this.#timerFrom = now
    this.#sender.timeOut()
  }
}

/** From a side that has received nothing: no transmission is outstanding that it could name wrongly. */
const NOTHING_YET: Acknowledgement = { ack: 0, transmission: 0xff, bitmap: 0 }
