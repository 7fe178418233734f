import { assert, unreachable } from '../../base/errors.ts'
import {
  LINK_QUEUE_BYTES_MAX,
  LINK_QUEUE_FRAMES_MAX,
  LINK_QUEUE_FRAMES_RESERVED,
  MQTT_INFLIGHT_BYTES_MAX,
  MQTT_INFLIGHT_MAX,
  TELEMETRY_QUEUE_FRAMES_MAX,
} from '../../base/limits.ts'
import type { Channel, Waiting } from '../link.ts'

/** In the order in which they go: what is asked for must not hold up what happens now. */
const PRIORITIES = ['control', 'operations', 'answers', 'telemetry'] as const
export type Priority = (typeof PRIORITIES)[number]

/** With which the frames of a channel go. */
export function priorityOf({ kind }: Channel): Priority {
  switch (kind) {
    case 'announcements':
    case 'requests':
      return 'control'
    case 'operations':
    case 'direct':
      return 'operations'
    case 'answers':
    case 'telemetry':
      return kind
    default:
      return unreachable(kind)
  }
}

/** One publish that waits for its turn. */
export interface Outgoing {
  readonly topic: string
  readonly payload: Buffer
  readonly retain: boolean
  readonly priority: Priority
  /** Text for people's tools, not a frame. */
  readonly isJson?: boolean
  /** Called when the broker has taken it. It must not throw. */
  readonly taken?: () => void
}

/**
 * The publishes of one connection: a bounded queue in four priorities, and the window of those that wait for the broker's
 * acknowledgement. mqtt.js has neither: it would send everything at once, and brokers drop silently what is too much.
 */
export class Outbox {
  private readonly windowFrames: number
  private readonly queues: Readonly<Record<Priority, Outgoing[]>> = {
    control: [],
    operations: [],
    answers: [],
    telemetry: [],
  }
  private queuedBytes = 0
  private readonly inflight = new Set<Outgoing>()
  private inflightBytes = 0

  /** @param receiveMaximum what the broker said it takes at once (MQTT 5, section 3.2.2.3.3) */
  constructor(receiveMaximum: number) {
    this.windowFrames = Math.max(1, Math.min(receiveMaximum, MQTT_INFLIGHT_MAX))
  }

  hasPlaceFor(bytes: number, priority: Priority): boolean {
    if (priority === 'telemetry' && this.queues.telemetry.length >= TELEMETRY_QUEUE_FRAMES_MAX) return false
    const reserved = priority === 'control' ? 0 : LINK_QUEUE_FRAMES_RESERVED
    const framesMax = LINK_QUEUE_FRAMES_MAX - reserved
    return this.queuedFrames < framesMax && this.queuedBytes + bytes <= LINK_QUEUE_BYTES_MAX
  }

  add(outgoing: Outgoing): void {
    const { payload, priority } = outgoing
    assert(this.hasPlaceFor(payload.length, priority), 'a publish is queued only where it has a place')
    this.queues[priority].push(outgoing)
    this.queuedBytes += payload.length
  }

  /** The next one to publish, which is in flight from now on; null while the window is full or nothing waits. */
  next(): Outgoing | null {
    const first = PRIORITIES.find((priority) => this.queues[priority].length > 0)
    const queue = first === undefined ? [] : this.queues[first]
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

  /** What waits for a place in the window. */
  get waiting(): Waiting {
    if (this.queues.operations.length > 0) return 'operations'
    return this.queues.answers.length > 0 ? 'answers' : 'nothing'
  }

  /** Whether an answer of the same bytes waits, or is on its way. */
  holds(payload: Uint8Array): boolean {
    const isSame = (other: Outgoing): boolean => other.payload.equals(payload)
    return this.queues.answers.some(isSame) || [...this.inflight].some(isSame)
  }

  get queuedFrames(): number {
    return PRIORITIES.reduce((sum, priority) => sum + this.queues[priority].length, 0)
  }

  private windowTakes(bytes: number): boolean {
    return this.inflight.size < this.windowFrames && this.inflightBytes + bytes <= MQTT_INFLIGHT_BYTES_MAX
  }
}
