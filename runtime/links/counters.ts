import type { LinkCounters } from './link.ts'

/** Why a link dropped a frame. The name is what people see in `fleetstep status`. */
export type DropReason =
  | 'down' // handed over while the link was not up
  | 'full' // handed over while the queue was full
  | 'connection-lost' // waited in the queue when the connection ended
  | 'oversize' // longer than FRAME_BYTES_MAX, in either direction
  | 'over-broker-limit' // longer than the broker takes
  | 'empty' // received without any bytes
  | 'foreign-topic' // received on a topic that is not in the contract
  | 'foreign-payload' // received a presence that cannot be read
  | 'presence-full' // received the presence of more nodes than a fleet may have
  | 'refused-by-broker' // answered by the broker with a failure code
  | 'repeated' // an answer that is on its way already
  | 'handler-failed' // the owner's handler threw

export function newCounters(): LinkCounters {
  return { framesSent: 0, framesReceived: 0, bytesSent: 0, bytesReceived: 0, dropped: {}, reconnects: 0 }
}

export function countDropped(counters: LinkCounters, reason: DropReason, frames = 1): void {
  if (frames > 0) counters.dropped[reason] = (counters.dropped[reason] ?? 0) + frames
}

export function countSent(counters: LinkCounters, bytes: number): void {
  counters.framesSent += 1
  counters.bytesSent += bytes
}

export function countReceived(counters: LinkCounters, bytes: number): void {
  counters.framesReceived += 1
  counters.bytesReceived += bytes
}

export function copyCounters(counters: LinkCounters): LinkCounters {
  return { ...counters, dropped: { ...counters.dropped } }
}
