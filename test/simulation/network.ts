import { fraction, type Random } from '../../runtime/base/random.ts'
import type { Message } from '../../runtime/sync/message.ts'
import type { EventQueue } from './event-queue.ts'

/** What may happen to a frame on its way; each a probability in [0, 1]. */
export interface Faults {
  readonly drop: number
  readonly duplicate: number
  /** Frames arrive after a random delay of up to so many milliseconds, and so out of order. */
  readonly delayMs: number
}

export const NO_FAULTS: Faults = { drop: 0, duplicate: 0, delayMs: 0 }

const PAST_FRAMES_MAX = 500

/** A broadcast domain: what one node sends on it, all others on it may hear. */
export interface Domain {
  readonly link: string
  readonly nodes: string[]
}

/** A frame in flight, and what it says, read once. */
export interface Frame {
  readonly bytes: Uint8Array
  readonly message: Message
}

/** One or more broadcast domains. It loses, doubles and delays frames, and cuts each direction of each pair on its own. */
export class SimulatedNetwork {
  faults: Faults
  /** `from|to`: nothing passes on any link. */
  readonly cuts: Set<string> = new Set()
  /** By node, messages of one kind that nobody hears of it, as behind a broker that takes its operations only. */
  readonly mute: Map<string, Message['kind']> = new Map()
  /** The last frames that went over each link. */
  readonly #past = new Map<string, Frame[]>()
  readonly #domains: readonly Domain[]
  readonly #random: Random
  readonly #events: EventQueue
  readonly #deliver: (to: string, link: string, frame: Frame) => void

  constructor(
    domains: readonly Domain[],
    faults: Faults,
    random: Random,
    events: EventQueue,
    deliver: (to: string, link: string, frame: Frame) => void,
  ) {
    this.#domains = domains
    this.faults = faults
    this.#random = random
    this.#events = events
    this.#deliver = deliver
  }

  /** The links of a node. */
  linksOf(name: string): string[] {
    return this.#domains.filter(({ nodes }) => nodes.includes(name)).map(({ link }) => link)
  }

  /** A machine is connected to a domain. */
  connect(name: string, link: string): void {
    this.#domains.find((domain) => domain.link === link)?.nodes.push(name)
  }

  get links(): string[] {
    return this.#domains.map(({ link }) => link)
  }

  broadcast(from: string, link: string, frame: Frame, now: number): void {
    if (this.mute.get(from) === frame.message.kind) return
    this.#remember(link, frame)
    const domain = this.#domains.find((candidate) => candidate.link === link)
    for (const to of domain?.nodes ?? []) {
      if (to === from || this.cuts.has(`${from}|${to}`)) continue
      for (let copies = this.#copies(); copies > 0; copies--) {
        this.#events.add(now + 1 + this.#delayMs(), () => this.#deliver(to, link, frame))
      }
    }
  }

  /** One of the last frames of a link comes once more, long after it was sent, as from a queue of a broker. */
  replay(link: string, random: Random, now: number): Message['kind'] | null {
    const past = this.#past.get(link) ?? []
    const frame = past[random.uint32() % Math.max(1, past.length)]
    const to = this.#domains.find((domain) => domain.link === link)?.nodes ?? []
    const name = to[random.uint32() % Math.max(1, to.length)]
    if (frame === undefined || name === undefined) return null
    this.#events.add(now + 1, () => this.#deliver(name, link, frame))
    return frame.message.kind
  }

  /** Cuts both ways between the groups. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const [index, group] of groups.entries()) {
      for (const other of groups.slice(index + 1).flat()) {
        for (const name of group) this.cuts.add(`${name}|${other}`).add(`${other}|${name}`)
      }
    }
  }

  #remember(link: string, frame: Frame): void {
    const past = this.#past.get(link) ?? []
    if (past.length === 0) this.#past.set(link, past)
    past.push(frame)
    if (past.length > PAST_FRAMES_MAX) past.shift()
  }

  #copies(): number {
    if (fraction(this.#random) < this.faults.drop) return 0
    return fraction(this.#random) < this.faults.duplicate ? 2 : 1
  }

  /** Most frames come within the bound, and a few much later than any other. */
  #delayMs(): number {
    const delayMs = this.faults.delayMs * fraction(this.#random)
    return this.faults.delayMs > 100 && fraction(this.#random) < 0.02 ? 8 * delayMs : delayMs
  }
}
