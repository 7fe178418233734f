import type { Monotonic } from '../../base/clock.ts'
import type { NodeId } from '../../base/ids.ts'
import type { Channel, Waiting } from '../link.ts'

/** What a line machine wants done, in order. */
export type LineOutput =
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly kind: 'up' }
  /** Nobody can be reached any more, or nobody answered. @param cause one line: what failed, where, what to do */
  | { readonly kind: 'down'; readonly cause: string }
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'presence'; readonly node: NodeId; readonly online: boolean }
  /** Bytes on the line that are no frames of ours: text of a console, or another protocol. */
  | { readonly kind: 'foreign'; readonly bytes: Uint8Array }

/** What became of a frame that was handed over. */
export type Handover = 'taken' | 'repeated' | 'full' | 'down'

/**
 * The protocol on one open port, without the port: bytes and time go in, bytes and events come out, and nothing else happens.
 * After each call the owner carries out `take()` and calls `tick` at `wakeAt`.
 */
export interface LineMachine {
  /** The port is open. */
  start(now: Monotonic): void
  receive(bytes: Uint8Array, now: Monotonic): void
  send(frame: Uint8Array, channel: Channel, now: Monotonic): Handover
  tick(now: Monotonic): void
  /** The port is gone. */
  stop(cause: string): void
  /** Says goodbye: the last that is written. @returns when it has left the port */
  goodbye(now: Monotonic): Monotonic
  take(): LineOutput[]
  wakeAt(): Monotonic | null
  /** True when a sender that was refused gets something in again. */
  readonly hasRoom: boolean
  /** What waits for the line. */
  readonly waiting: Waiting
  readonly isUp: boolean
  /** Who is at the other end, for people, and why nobody is. */
  readonly peers: readonly NodeId[]
  readonly statistics: LineStatistics
}

/** Counted since the machine was made. */
export interface LineStatistics {
  /** Bytes on the line, of any kind. */
  bytesOut: number
  bytesIn: number
  /** Frames of data, and how many of them were transmitted again. */
  dataFrames: number
  repeated: number
  timeouts: number
  /** Frames that came damaged. */
  damaged: number
  /** Well-formed frames that this side cannot use now. */
  unexpected: number
  foreignBytes: number
  /** Messages that waited when a session ended. */
  messagesLost: number
  sessions: number
  /** Bytes of payload that a frame gets at present. */
  payload: number
  /** Smoothed time from the end of a transmission to its acknowledgement, or null. */
  roundTripMs: number | null
}

export function newStatistics(): LineStatistics {
  return {
    bytesOut: 0,
    bytesIn: 0,
    dataFrames: 0,
    repeated: 0,
    timeouts: 0,
    damaged: 0,
    unexpected: 0,
    foreignBytes: 0,
    messagesLost: 0,
    sessions: 0,
    payload: 0,
    roundTripMs: null,
  }
}
