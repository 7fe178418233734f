import { MEMBERS_MAX } from '../../base/limits.ts'
import type { NodeId } from '../../base/ids.ts'

/** What a node says of itself, or its last will of it. The start count rises with every start of the node. */
export interface Presence {
  readonly online: boolean
  readonly startCount: number
}

/** `online 7` or `offline 7`: short text, so that people can read it with any MQTT tool. */
export function formatPresence(presence: Presence): string {
  return `${presence.online ? 'online' : 'offline'} ${presence.startCount}`
}

/** The inverse of {@link formatPresence}; null for any other payload. */
export function parsePresence(payload: Uint8Array): Presence | null {
  if (payload.length > PRESENCE_BYTES_MAX) return null
  const match = PRESENCE.exec(Buffer.from(payload).toString('latin1'))
  return match === null ? null : { online: match[1] === 'online', startCount: Number(match[2]) }
}

/**
 * A node that has lost its data directory counts its starts from one, and others ignore what is older than what they know.
 * @param seen what the broker has of this node
 * @returns the count from which it goes on, or null if its own is not behind, or no larger one can be written
 */
export function laterStart(own: number, seen: Presence | null): number | null {
  return seen !== null && seen.startCount > own && seen.startCount < START_COUNT_MAX ? seen.startCount + 1 : null
}

/** 15 digits, as in `PRESENCE`. */
const START_COUNT_MAX = 999_999_999_999_999
/** `offline ` and 15 digits. */
const PRESENCE_BYTES_MAX = 24
const PRESENCE = /^(online|offline) (0|[1-9][0-9]{0,14})$/

/**
 * Who is there, as far as the broker told. A broker may deliver the will of an earlier start after the node has come
 * back; the start count decides, not the order of arrival.
 */
export class PresenceBook {
  private readonly known = new Map<NodeId, { startCount: number; online: boolean | null }>()

  /** @returns whether it is news: `changed`, `same` (nothing to tell, or older than what is known), or `full` */
  note(node: NodeId, presence: Presence): 'changed' | 'same' | 'full' {
    const entry = this.known.get(node)
    if (entry === undefined && this.known.size >= MEMBERS_MAX) return 'full'
    if (entry !== undefined && presence.startCount < entry.startCount) return 'same'
    this.known.set(node, { ...presence })
    return entry?.online === presence.online ? 'same' : 'changed'
  }

  /** Who says it has no broker between that could keep what is old: the next one who says it may count from one. */
  forget(): void {
    this.known.clear()
  }

  /** The broker is out of reach: nobody's presence is known, but an older start stays older. */
  forgetWhoIsOnline(): void {
    for (const entry of this.known.values()) entry.online = null
  }
}
