import { assert } from '../../base/errors.ts'
import { type Digest, digestOf } from '../../base/digest.ts'
import type { Monotonic } from '../../base/clock.ts'
import {
  SERIAL_MESSAGE_BYTES_MAX,
  LINK_QUEUE_BYTES_MAX,
  LINK_QUEUE_FRAMES_MAX,
  SERIAL_ANNOUNCEMENT_BURST_BYTES,
  SERIAL_ANNOUNCEMENT_SHARE,
  SERIAL_ANSWER_REPEAT_MS,
  SERIAL_BULK_QUEUE_MS,
  SERIAL_TELEMETRY_QUEUE_MS,
  SERIAL_URGENT_STREAK_MAX,
} from '../../base/limits.ts'
import type { Channel, Waiting } from '../link.ts'
import { type Stream, STREAMS } from './packet.ts'

/**
 * The messages of a line in three streams: each stream is its messages end to end, each behind its length (LEB128), cut to
 * the payload of a frame wherever that ends. So small messages share a frame, and a large one never holds up a stream that
 * is more urgent.
 */

/** A piece of a stream, and how many messages end in it. */
export interface Piece {
  readonly stream: Stream
  readonly payload: Uint8Array
  readonly messages: number
  /** The payload begins with a message. */
  readonly isFirst: boolean
}

/** Telemetry waits beside the streams, and goes as bulk when nothing else waits. */
function streamOf(channel: Channel): Stream | 'telemetry' {
  switch (channel.kind) {
    case 'announcements':
    case 'requests':
      return 'control'
    case 'operations':
    case 'direct':
      return 'live'
    case 'answers':
      return 'bulk'
    case 'telemetry':
      return 'telemetry'
  }
}

interface Queue {
  readonly messages: Uint8Array[]
  /** Bytes of the first message that have gone into a piece. */
  offset: number
  bytes: number
  /** The next piece ends where the message ends that is under way. */
  isToBeAligned: boolean
}

/** What waits for the line, bounded, in streams of which the most urgent goes first. */
export class StreamSender {
  readonly #queues: Readonly<Record<Stream, Queue>> = { control: newQueue(), live: newQueue(), bulk: newQueue() }
  readonly #telemetry: Uint8Array[] = []
  #telemetryBytes = 0
  /** The newest of each subject that waits. They go in turn, and take no more than their share while others wait. */
  readonly #announcements = new Map<string, Uint8Array>()
  #announcementBytes = 0
  /** Bytes that announcements may take before others; below 0 they have taken more. */
  #allowance = 0
  #allowanceAt: Monotonic = 0
  readonly #bulkBytesMax: number
  /** Answers that wait, or have just gone: who asks again before they can have come is not answered twice. */
  readonly #answers = new Map<Digest, Monotonic>()
  #urgentStreak = 0

  /** @param bulkBytesMax of answers that wait; one of any size may, if no other does */
  constructor(bulkBytesMax: number) {
    this.#bulkBytesMax = bulkBytesMax
  }

  get waitingFrames(): number {
    const besides = this.#telemetry.length + this.#announcements.size
    return STREAMS.reduce((sum, stream) => sum + this.#queues[stream].messages.length, besides)
  }

  get waitingBytes(): number {
    const besides = this.#telemetryBytes + this.#announcementBytes
    return STREAMS.reduce((sum, stream) => sum + this.#queues[stream].bytes, besides)
  }

  /** True when half of the queue is free: a sender that was refused then gets more in than one frame. */
  get hasRoom(): boolean {
    const isBulkHalf = this.#queues.bulk.bytes <= this.#bulkBytesMax / 2
    return (
      isBulkHalf && this.waitingFrames <= LINK_QUEUE_FRAMES_MAX / 2 && this.waitingBytes <= LINK_QUEUE_BYTES_MAX / 2
    )
  }

  /** What waits for the line. */
  get waiting(): Waiting {
    if (this.#queues.live.messages.length > 0) return 'operations'
    return this.#queues.bulk.messages.length > 0 ? 'answers' : 'nothing'
  }

  /** @returns `repeated` if the same answer is on its way */
  offer(frame: Uint8Array, channel: Channel, now: Monotonic): 'taken' | 'full' | 'repeated' {
    const stream = streamOf(channel)
    assert(frame.length > 0 && frame.length <= SERIAL_MESSAGE_BYTES_MAX, 'a message is a frame of a link')
    const digest = stream === 'bulk' ? digestOf(frame) : null
    if (digest !== null && (this.#answers.get(digest) ?? -Infinity) > now) return 'repeated'
    if (!this.#hasPlaceFor(frame.length, stream)) return 'full'
    const message = withLength(frame)
    if (stream === 'telemetry') {
      this.#telemetry.push(message)
      this.#telemetryBytes += message.length
      return 'taken'
    }
    if (channel.kind === 'announcements' && channel.of !== undefined) {
      this.#announcementBytes += message.length - (this.#announcements.get(channel.of)?.length ?? 0)
      this.#announcements.set(channel.of, message)
      return 'taken'
    }
    const queue = this.#queues[stream]
    queue.messages.push(message)
    queue.bytes += message.length
    if (digest !== null) this.#answers.set(digest, Infinity)
    return 'taken'
  }

  get isEmpty(): boolean {
    return this.#areStreamsEmpty && this.#telemetry.length === 0 && this.#announcements.size === 0
  }

  /** The next piece of at most `bytesMax`, or null if nothing waits. */
  next(bytesMax: number, now: Monotonic): Piece | null {
    this.#takeAnnouncement(now)
    if (this.#areStreamsEmpty) this.#takeTelemetry()
    const stream = this.#nextStream()
    if (stream === null) return null
    const queue = this.#queues[stream]
    const isFirst = queue.offset === 0
    const rest = queue.isToBeAligned ? (queue.messages[0]?.length ?? 0) : queue.bytes
    const payload = new Uint8Array(Math.min(bytesMax, rest - queue.offset))
    let length = 0
    let messages = 0
    for (
      let message = queue.messages[0];
      message !== undefined && length < payload.length;
      message = queue.messages[0]
    ) {
      const part = message.subarray(queue.offset, queue.offset + payload.length - length)
      payload.set(part, length)
      length += part.length
      queue.offset += part.length
      if (queue.offset < message.length) break
      queue.messages.shift()
      queue.bytes -= message.length
      queue.offset = 0
      queue.isToBeAligned = false
      messages += 1
      if (stream === 'bulk') this.#noteGone(message, now)
    }
    return { stream, payload, messages, isFirst }
  }

  /** Somebody has come who does not know the beginning of what is under way: let the message after it begin a piece. */
  align(): void {
    for (const stream of STREAMS) this.#queues[stream].isToBeAligned = this.#queues[stream].offset > 0
  }

  /** Nobody is there to hear what waits. */
  clear(): void {
    for (const stream of STREAMS) Object.assign(this.#queues[stream], newQueue())
    this.#answers.clear()
    this.#telemetry.length = 0
    this.#telemetryBytes = 0
    this.#announcements.clear()
    this.#announcementBytes = 0
  }

  get #areStreamsEmpty(): boolean {
    return STREAMS.every((stream) => this.#queues[stream].messages.length === 0)
  }

  /** In a busy fleet they would fill a line by themselves, and what they tell of would not be caught up any more. */
  #takeAnnouncement(now: Monotonic): void {
    const [first] = this.#announcements
    const { control, live, bulk } = this.#queues
    if (first === undefined || control.messages.length > 0) return
    const share = (this.#bulkBytesMax / SERIAL_BULK_QUEUE_MS) * SERIAL_ANNOUNCEMENT_SHARE
    this.#allowance = Math.min(this.#allowance + (now - this.#allowanceAt) * share, SERIAL_ANNOUNCEMENT_BURST_BYTES)
    this.#allowanceAt = now
    if (this.#allowance < 0 && live.messages.length + bulk.messages.length > 0) return
    const [subject, message] = first
    this.#announcements.delete(subject)
    this.#announcementBytes -= message.length
    this.#allowance -= message.length
    control.messages.push(message)
    control.bytes += message.length
  }

  #takeTelemetry(): void {
    const message = this.#telemetry.shift()
    if (message === undefined) return
    this.#telemetryBytes -= message.length
    this.#queues.bulk.messages.push(message)
    this.#queues.bulk.bytes += message.length
  }

  #hasPlaceFor(bytes: number, stream: Stream | 'telemetry'): boolean {
    const { bulk } = this.#queues
    const telemetryBytesMax = this.#bulkBytesMax * (SERIAL_TELEMETRY_QUEUE_MS / SERIAL_BULK_QUEUE_MS)
    if (stream === 'telemetry' && this.#telemetryBytes > 0 && this.#telemetryBytes + bytes > telemetryBytesMax)
      return false
    if (stream === 'bulk' && bulk.bytes > 0 && bulk.bytes + bytes > this.#bulkBytesMax) return false
    return this.waitingFrames < LINK_QUEUE_FRAMES_MAX && this.waitingBytes + bytes <= LINK_QUEUE_BYTES_MAX
  }

  /** What is urgent goes first, but never so long that a catch-up could not end. */
  #nextStream(): Stream | null {
    const first = STREAMS.find((stream) => this.#queues[stream].messages.length > 0) ?? null
    const isBulkWaiting = this.#queues.bulk.messages.length > 0
    if (first === null || first === 'bulk' || !isBulkWaiting) {
      this.#urgentStreak = 0
      return first
    }
    this.#urgentStreak += 1
    if (this.#urgentStreak <= SERIAL_URGENT_STREAK_MAX) return first
    this.#urgentStreak = 0
    return 'bulk'
  }

  #noteGone(message: Uint8Array, now: Monotonic): void {
    for (const [digest, until] of this.#answers) if (until <= now) this.#answers.delete(digest)
    this.#answers.set(digestOf(message.subarray(lengthBytesOf(message))), now + SERIAL_ANSWER_REPEAT_MS)
  }
}

/** Puts the messages of the three streams together again. It holds at most one message of each. */
export class StreamReceiver {
  readonly #partial: Readonly<Record<Stream, Partial>> = {
    control: newPartial(),
    live: newPartial(),
    bulk: newPartial(),
  }
  /** Streams whose beginning has been seen. */
  readonly #begun: Set<Stream>

  /** @param isFromStart false for a station that comes while messages are under way */
  constructor(isFromStart: boolean = true) {
    this.#begun = new Set(isFromStart ? STREAMS : [])
  }

  /**
   * @param payload the next piece of the stream
   * @param isFirst it begins with a message
   * @returns the messages that end in it; null if it states a length that no message has
   */
  take(stream: Stream, payload: Uint8Array, isFirst: boolean = false): Uint8Array[] | null {
    if (isFirst) this.#begun.add(stream)
    if (!this.#begun.has(stream)) return []
    const partial = this.#partial[stream]
    const messages: Uint8Array[] = []
    let at = 0
    while (at < payload.length) {
      if (partial.message === null) {
        const byte = payload[at] ?? 0
        at += 1
        partial.length += (byte & 0x7f) * 2 ** partial.shift
        partial.shift += 7
        const isLast = byte < 0x80
        if (partial.length > SERIAL_MESSAGE_BYTES_MAX || partial.shift > 21 || (isLast && partial.length === 0))
          return null
        if (isLast) partial.message = new Uint8Array(partial.length)
        continue
      }
      const part = payload.subarray(at, at + partial.length - partial.filled)
      partial.message.set(part, partial.filled)
      partial.filled += part.length
      at += part.length
      if (partial.filled < partial.length) break
      messages.push(partial.message)
      Object.assign(partial, newPartial())
    }
    return messages
  }
}

interface Partial {
  /** Null until the length has come whole. */
  message: Uint8Array | null
  length: number
  shift: number
  filled: number
}

function newPartial(): Partial {
  return { message: null, length: 0, shift: 0, filled: 0 }
}

function newQueue(): Queue {
  return { messages: [], offset: 0, bytes: 0, isToBeAligned: false }
}

function withLength(frame: Uint8Array): Uint8Array {
  const header: number[] = []
  let rest = frame.length
  for (; rest >= 0x80; rest >>>= 7) header.push((rest & 0x7f) | 0x80)
  header.push(rest)
  const message = new Uint8Array(header.length + frame.length)
  message.set(header)
  message.set(frame, header.length)
  return message
}

function lengthBytesOf(message: Uint8Array): number {
  return message.findIndex((byte) => byte < 0x80) + 1
}
