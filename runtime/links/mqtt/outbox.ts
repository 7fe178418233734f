import { assert } from '../../base/errors.ts'
import {
  LINK_QUEUE_BYTES_MAX,
  LINK_QUEUE_FRAMES_MAX,
  LINK_QUEUE_FRAMES_RESERVED,
  MQTT_INFLIGHT_BYTES_MAX,
  MQTT_INFLIGHT_MAX,
  TELEMETRY_QUEUE_FRAMES_MAX,
} from '../../base/limits.ts'

/** One publish that waits for its turn. */
export interface Outgoing {
  readonly topic: string
  readonly payload: Buffer
  readonly retain: boolean
  /** Announcements, requests and presence go before operations and direct frames. */
  readonly control: boolean
  /** Telemetry goes when nothing else waits. */
  readonly isLast?: boolean
  /** Text for people's tools, not a frame. */
  readonly isJson?: boolean
  /** Called when the broker has taken it. It must not throw. */
  readonly taken?: () => void
}

/**
 * The publishes of one connection: a bounded queue in three priorities, and the window of those that wait for the broker's
 * acknowledgement. mqtt.js has neither: it would send everything at once, and brokers drop silently what is too much.
 */
export class Outbox {
  private readonly windowFrames: number
  private readonly control: Outgoing[] = []
  private readonly bulk: Outgoing[] = []
  private readonly last: Outgoing[] = []
  private queuedBytes = 0
  private readonly inflight = new Set<Outgoing>()
  private inflightBytes = 0

  /** @param receiveMaximum what the broker said it takes at once (MQTT 5, section 3.2.2.3.3) */
  constructor(receiveMaximum: number) {
    this.windowFrames = Math.max(1, Math.min(receiveMaximum, MQTT_INFLIGHT_MAX))
  }

  hasPlaceFor(bytes: number, control: boolean, isLast: boolean = false): boolean {
    if (isLast && this.last.length >= TELEMETRY_QUEUE_FRAMES_MAX) return false
    const framesMax = control ? LINK_QUEUE_FRAMES_MAX : LINK_QUEUE_FRAMES_MAX - LINK_QUEUE_FRAMES_RESERVED
    return this.queuedFrames < framesMax && this.queuedBytes + bytes <= LINK_QUEUE_BYTES_MAX
  }

  add(outgoing: Outgoing): void {
    const { payload, control, isLast } = outgoing
    assert(this.hasPlaceFor(payload.length, control, isLast), 'a publish is queued only where it has a place')
    const queue = control ? this.control : isLast === true ? this.last : this.bulk
    queue.push(outgoing)
    this.queuedBytes += payload.length
  }

  /** The next one to publish, which is in flight from now on; null while the window is full or nothing waits. */
  next(): Outgoing | null {
    const queue = [this.control, this.bulk].find(({ length }) => length > 0) ?? this.last
    const outgoing = queue[0]
    if (outgoing === undefined || !this.windowTakes(outgoing.payload.length)) return null
    queue.shift()
    this.queuedBytes -= outgoing.payload.length
    this.inflight.add(outgoing)
    this.inflightBytes += outgoing.payload.length
    return outgoing
  }

  /** The broker has answered `outgoing`. */
  settle(outgoing: Outgoing): void {
    assert(this.inflight.delete(outgoing), 'a publish is settled once')
    this.inflightBytes -= outgoing.payload.length
  }

  /** True when half of the queue is free: a sender that was refused then gets more in than one frame. */
  get hasRoom(): boolean {
    return this.queuedFrames <= LINK_QUEUE_FRAMES_MAX / 2 && this.queuedBytes <= LINK_QUEUE_BYTES_MAX / 2
  }

  /** The broker has not answered to something. */
  get isWaiting(): boolean {
    return this.inflight.size > 0
  }

  /** One frame may be on its way: whoever answers each with the next one is not to wait. */
  get isBusy(): boolean {
    return this.inflight.size > 1
  }

  /** Operations or answers wait for a place in the window. */
  get isCongested(): boolean {
    return this.bulk.length > 0
  }

  /** Whether the same bytes wait, or are on their way. */
  holds(payload: Uint8Array): boolean {
    const isSame = (other: Outgoing): boolean => other.payload.equals(payload)
    return this.bulk.some(isSame) || [...this.inflight].some(isSame)
  }

  get queuedFrames(): number {
    return this.control.length + this.bulk.length + this.last.length
  }

  private windowTakes(bytes: number): boolean {
    return this.inflight.size < this.windowFrames && this.inflightBytes + bytes <= MQTT_INFLIGHT_BYTES_MAX
  }
}
