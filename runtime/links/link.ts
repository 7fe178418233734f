import type { NodeId } from '../base/ids.ts'

/**
 * The port that every kind of link implements: it moves whole frames and says when it can.
 * A link may lose, duplicate and reorder frames; it never damages or splits one. It knows nothing of their content.
 */
export interface Link {
  /** Stable for the life of the link, for people: `mqtt`, `serial:usb-0403`. */
  readonly name: string
  /** On a broadcast link one frame reaches every peer; on a point-to-point link there is one peer. */
  readonly reach: 'broadcast' | 'point-to-point'
  /** Starts to connect and keeps trying until `close`. Events come only after this call has returned. Call it once, or again after `close`. */
  open(events: LinkEvents): void
  /**
   * Hands one frame over; the link copies it. False: the link is down or its bounded buffer is full, and the frame is
   * dropped and counted. Nobody has to keep it, since what is lost is found again; `events.writable` follows, after `up` if
   * the link was down. A frame of more than FRAME_BYTES_MAX is dropped for good, counted as `oversize`, and true is
   * returned, since no waiting would mend it. Never throws.
   */
  send(frame: Uint8Array, channel: Channel): boolean
  /**
   * Several frames are on their way that nobody has confirmed yet: what is sent now waits behind them, and may as well go
   * together with what comes next. A link that is never told of arrivals leaves it out.
   */
  readonly isBusy?: boolean
  /** The back-pressure to the owner: what waits here for frames on their way. A link that does not say leaves it out. */
  readonly waiting?: Waiting
  /** Says goodbye, drops what is buffered, releases timers and sockets. No event follows the call. Bounded; never rejects. */
  close(): Promise<void>
  status(): LinkStatus
}

/**
 * What a frame is for; a link may map it to a topic or to a priority. Where a link has to choose, announcements and requests
 * go first, then operations that are new, then answers: a catch-up must not hold up what happens now. Telemetry comes last.
 */
export type Channel =
  | { readonly kind: 'operations' }
  /** What somebody asked for: operations that he missed, a piece of a snapshot. He asks again for what does not come. */
  | { readonly kind: 'answers' }
  /** A newer one of the same takes the place of one that still waits; one that does not say what it is of stays. */
  | { readonly kind: 'announcements'; readonly of?: string }
  | { readonly kind: 'requests' }
  | { readonly kind: 'direct'; readonly to: NodeId }
  /** Goes when nothing else waits. What finds no place is said again some time. */
  | { readonly kind: 'telemetry' }

/**
 * What a link tells its owner. Handlers may call `send` and `close`. They must not throw: a link that is thrown at counts
 * `handler-failed`, logs the error, and goes on, for a broken handler must not cost the connection.
 */
export interface LinkEvents {
  /** Connected and subscribed: what is sent from now on reaches whoever is there. */
  up(): void
  /**
   * The link was up and is not any more, or the first attempt after `open` failed. Told once for each outage; the link
   * keeps trying, and `status().cause` follows what it finds. All presence that was told is void until it is told again.
   * @param cause one clear line: what failed, where, what to do
   */
  down(cause: string): void
  /** A whole frame of 1 to FRAME_BYTES_MAX bytes, which the owner may keep. Larger ones are dropped and counted. */
  frame(bytes: Uint8Array): void
  /** The link learned that a node came or went. A hint for people, never the truth. */
  presence(node: NodeId, online: boolean): void
  /** There is room again after `send` returned false, or nothing waits any more where something did after a `send`. */
  writable(): void
}

/**
 * The most urgent of the frames that wait in a link, of those that its owner can hold back until `events.writable`.
 * - `answers`: further ones would only wait behind them, and are better chosen when there is room.
 * - `operations`: new ones would wait too, and so are better gathered into one frame; answers wait behind all of them.
 */
export type Waiting = 'nothing' | 'answers' | 'operations'

export interface LinkStatus {
  readonly state: 'closed' | 'connecting' | 'up'
  /** Why it is not up, or null. */
  readonly cause: string | null
  /** Where it is connected to, for people: a URL or a device, without secrets. */
  readonly peer: string
  readonly counters: LinkCounters
}

export interface LinkCounters {
  framesSent: number
  framesReceived: number
  bytesSent: number
  bytesReceived: number
  /** Frames that were dropped here, by reason (`DropReason` in counters.ts). */
  dropped: Record<string, number>
  /** How often the link came up again after it had been down. */
  reconnects: number
}
