import type { Monotonic } from '../base/clock.ts'
import { type Digest, digestOf } from '../base/digest.ts'
import { unreachable } from '../base/errors.ts'
import {
  ANSWER_DELAY_MAX_MS,
  REPEAT_BYTES_MAX,
  REPEAT_FRAMES_MAX,
  REPEAT_QUIET_MAX_MS,
  REPEAT_QUIET_MIN_MS,
} from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { History } from './history.ts'
import { type Message, subjectOf } from './message.ts'
import { type Destination, NO_OUTPUTS, type Output } from './output.ts'
import type { ReplicaCore } from './replica-core.ts'
import { suppressionDelayMs } from './suppression.ts'

/**
 * Carries frames from one link to the others, byte for byte, at a node that is no member. A member passes on what it takes in
 * itself; who takes in nothing may still be the only way between two members, and each of them needs the other to let it in.
 *
 * It believes nothing: what a frame says is looked at by those who hear it. No frame runs in a circle: one that was passed on
 * is not passed on again before a while is over, which doubles each time up to the longest time between two of the same request.
 * Of several such nodes on one link one is first, after a random delay, and the others hear it.
 */
export class Repeater {
  readonly #random: Random
  /** The last frames that were heard. What may still come round is not forgotten: it would be passed on again and again. */
  readonly #heard = new Map<Digest, Heard>()
  /** Before this none of them can be forgotten. */
  #roomAt: Monotonic = -Infinity
  /** Those that are to be passed on, in the order in which they came. */
  #waiting: Waiting[] = []
  #bytes = 0

  constructor(random: Random) {
    this.#random = random
  }

  get wakeAt(): Monotonic | null {
    return this.#waiting[0]?.at ?? null
  }

  /**
   * @param members of the fleet, as far as they are known
   * @returns false if it is not passed on because too much waits already
   */
  hear(heard: HeardFrame, links: ReadonlySet<string>, members: number, now: Monotonic): boolean {
    const digest = digestOf(heard.frame)
    const known = this.#heard.get(digest)
    // Somebody else has been faster on this link.
    known?.waiting?.links.delete(heard.link)
    if (links.size < 2 || (known !== undefined && (known.waiting !== null || now < known.quietUntil))) return true
    if (this.#bytes + heard.frame.length > REPEAT_BYTES_MAX) return false
    if (known === undefined && !this.#hasRoom(now)) return false
    const delayMs = suppressionDelayMs(ANSWER_DELAY_MAX_MS, members, this.#random)
    const others = new Set([...links].filter((link) => link !== heard.link))
    // In the order in which they came, or those who hear them would ask for what they only miss for a moment.
    const at = Math.max(now + delayMs, this.#waiting.at(-1)?.at ?? now)
    const waiting = { frame: heard.frame, to: destinationOf(heard.message), links: others, at, digest }
    this.#waiting.push(waiting)
    this.#bytes += heard.frame.length
    const quietMs = known === undefined ? REPEAT_QUIET_MIN_MS : Math.min(2 * known.quietMs, REPEAT_QUIET_MAX_MS)
    this.#heard.set(digest, { quietMs, quietUntil: at + quietMs, waiting })
    return true
  }

  tick(now: Monotonic): readonly Output[] {
    if (this.wakeAt === null || this.wakeAt > now) return NO_OUTPUTS
    const outputs: Output[] = []
    const due = this.#waiting.filter(({ at }) => at <= now)
    this.#waiting = this.#waiting.filter(({ at }) => at > now)
    for (const { frame, to, links, digest } of due) {
      this.#bytes -= frame.length
      const heard = this.#heard.get(digest)
      if (heard !== undefined) heard.waiting = null
      for (const link of links) outputs.push({ kind: 'send', frame, to: { ...to, links: { only: link } } })
    }
    return outputs
  }

  /** This node is a member now. */
  clear(): void {
    this.#heard.clear()
    this.#waiting = []
    this.#bytes = 0
  }

  #hasRoom(now: Monotonic): boolean {
    if (this.#heard.size < REPEAT_FRAMES_MAX) return true
    if (now < this.#roomAt) return false
    this.#roomAt = Infinity
    for (const [digest, { quietUntil }] of this.#heard) {
      if (quietUntil <= now) this.#heard.delete(digest)
      else this.#roomAt = Math.min(this.#roomAt, quietUntil)
    }
    return this.#heard.size < REPEAT_FRAMES_MAX
  }
}

/**
 * What a draft hears, and at a member what is said by one that it does not know: its join may have been cut, and it has to be
 * heard by those who can tell it so. An epoch takes its own way, by whoever has taken it in.
 */
export function hearForOthers(repeater: Repeater, core: ReplicaCore, heard: HeardFrame, now: Monotonic): void {
  const { antiEntropy, history, dropped } = core
  const { message } = heard
  if (!core.isDraft && !isOfStranger(message, history)) return
  if (message.kind === 'epoch' || core.isForged(message)) return
  const isTaken = repeater.hear(heard, antiEntropy.links, history.membership.size, now)
  if (!isTaken) dropped.add('too much waits to be passed on')
}

function isOfStranger(message: Message, { membership }: History): boolean {
  return message.kind === 'announcement' && membership.get(message.announcement.member) === undefined
}

export interface HeardFrame {
  readonly message: Message
  readonly frame: Uint8Array
  readonly link: string
}

interface Heard {
  readonly quietMs: number
  /** Until then the same frame is not passed on again. */
  readonly quietUntil: Monotonic
  waiting: Waiting | null
}

interface Waiting {
  readonly frame: Uint8Array
  readonly to: Omit<Destination, 'links'>
  /** On which it has not been heard. */
  readonly links: Set<string>
  readonly at: Monotonic
  readonly digest: Digest
}

function destinationOf(message: Message): Omit<Destination, 'links'> {
  switch (message.kind) {
    case 'announcement':
      return { channel: 'announcements', of: subjectOf(message.announcement) }
    case 'epoch':
      return { channel: 'announcements' }
    // Whether it is new or was asked for does not show; what is new must not be held up.
    case 'batch':
      return { channel: 'operations' }
    case 'chunk':
      return { channel: 'answers' }
    case 'request':
    case 'join-request':
    case 'refusal':
    case 'offer':
    case 'chunk-request':
      return { channel: 'requests' }
    case 'telemetry':
      return { channel: 'telemetry' }
    default:
      return unreachable(message)
  }
}
