import type { Clock } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import { FRAME_BYTES_MAX, LINK_QUEUE_BYTES_MAX, LINK_QUEUE_FRAMES_MAX } from '../../base/limits.ts'
import { silentLogger, type Logger } from '../../base/logger.ts'
import { copyCounters, countDropped, countReceived, countSent, newCounters } from '../counters.ts'
import type { Channel, Link, LinkCounters, LinkEvents, LinkStatus } from '../link.ts'

/** A medium inside one process: every frame reaches every other link that is up, in order, after `delayMs`. */
export interface MemoryHub {
  /** A new link of `node` on this hub; one for each node. */
  link(node: NodeId): Link
  /** Takes the medium from `node` until `heal`: its link goes down, and what is under way to it or from it is lost. */
  cut(node: NodeId): void
  heal(node: NodeId): void
}

export interface MemoryHubOptions {
  /** Callbacks that are due at one time must come in the order in which they were scheduled. */
  readonly clock: Clock
  /** Is told of handlers that throw; nobody if not given. */
  readonly logger?: Logger | undefined
  /** From `send` to `frame`, and from `open` or `heal` to `up`; 0 if not given. */
  readonly delayMs?: number | undefined
}

/** For programs that run several gateways in one process, and for tests: all of it happens in callbacks of the clock. */
export function memoryHub(options: MemoryHubOptions): MemoryHub {
  const { clock, logger = silentLogger, delayMs = 0 } = options
  const medium: Medium = { clock, logger, delayMs, links: new Map() }
  const linkOf = (node: NodeId): MemoryLink => {
    const link = medium.links.get(node)
    assert(link !== undefined, 'only a node that has a link is cut or healed')
    return link
  }
  return {
    link(node) {
      assert(!medium.links.has(node), 'a node has one link on a hub')
      const link = new MemoryLink(node, medium)
      medium.links.set(node, link)
      return link
    },
    cut: (node) => linkOf(node).cut(),
    heal: (node) => linkOf(node).heal(),
  }
}

interface Medium {
  readonly clock: Clock
  readonly logger: Logger
  readonly delayMs: number
  readonly links: Map<NodeId, MemoryLink>
}

type State =
  | { readonly kind: 'closed' }
  | { readonly kind: 'connecting'; readonly events: LinkEvents }
  | { readonly kind: 'up'; readonly events: LinkEvents }

class MemoryLink implements Link {
  readonly name: string
  readonly reach = 'broadcast'
  readonly node: NodeId
  private readonly medium: Medium
  private readonly counters: LinkCounters = newCounters()
  private state: State = { kind: 'closed' }
  private isCut = false
  private hasBeenUp = false
  private refused = false
  private waitingFrames = 0
  private waitingBytes = 0
  /** Rises whenever the link goes down, so that what was under way before does not arrive after. */
  private life = 0

  constructor(node: NodeId, medium: Medium) {
    this.name = 'memory'
    this.node = node
    this.medium = medium
  }

  open(events: LinkEvents): void {
    assert(this.state.kind === 'closed', 'a link is opened once, or again after close')
    this.state = { kind: 'connecting', events }
    this.hasBeenUp = false
    this.later(() => (this.isCut ? this.fall() : this.rise()))
  }

  send(frame: Uint8Array, channel: Channel): boolean {
    if (frame.length > FRAME_BYTES_MAX) {
      countDropped(this.counters, 'oversize')
      return true
    }
    const up = this.state.kind === 'up'
    if (!up || this.waitingFrames >= LINK_QUEUE_FRAMES_MAX || this.waitingBytes + frame.length > LINK_QUEUE_BYTES_MAX) {
      countDropped(this.counters, up ? 'full' : 'down')
      this.refused = true
      return false
    }
    countSent(this.counters, frame.length)
    this.waitingFrames += 1
    this.waitingBytes += frame.length
    const sent = frame.slice()
    this.later(() => this.carry(sent, channel))
    return true
  }

  close(): Promise<void> {
    const wasUp = this.state.kind === 'up'
    this.state = { kind: 'closed' }
    this.refused = false
    this.endLife()
    if (wasUp) this.tellOthers(false)
    return Promise.resolve()
  }

  status(): LinkStatus {
    const cause = this.state.kind === 'connecting' && this.isCut ? CAUSE : null
    return { state: this.state.kind, cause, peer: 'this process', counters: copyCounters(this.counters) }
  }

  cut(): void {
    this.isCut = true
    if (this.state.kind !== 'up') return
    const { events } = this.state
    this.state = { kind: 'connecting', events }
    this.endLife()
    this.tellOthers(false)
    this.later(() => this.fall())
  }

  heal(): void {
    if (!this.isCut) return
    this.isCut = false
    if (this.state.kind === 'connecting') this.later(() => this.rise())
  }

  /** Presence is told in both directions, as a broker with retained messages does. */
  private rise(): void {
    if (this.state.kind !== 'connecting' || this.isCut) return
    const { events } = this.state
    this.state = { kind: 'up', events }
    if (this.hasBeenUp) this.counters.reconnects += 1
    this.hasBeenUp = true
    this.tell(() => events.up())
    this.tellOthers(true)
    for (const other of this.others()) if (this.isUp) this.tell(() => events.presence(other.node, true))
    this.tellWritable()
  }

  private fall(): void {
    if (this.state.kind !== 'connecting') return
    const { events } = this.state
    this.tell(() => events.down(CAUSE))
  }

  private carry(frame: Uint8Array, channel: Channel): void {
    this.waitingFrames -= 1
    this.waitingBytes -= frame.length
    for (const other of this.others()) {
      if (channel.kind !== 'direct' || channel.to === other.node) other.receive(frame.slice())
    }
    this.tellWritable()
  }

  private receive(frame: Uint8Array): void {
    if (this.state.kind !== 'up') return
    if (frame.length === 0) return countDropped(this.counters, 'empty')
    countReceived(this.counters, frame.length)
    const { events } = this.state
    this.tell(() => events.frame(frame))
  }

  private tellOthers(online: boolean): void {
    for (const other of this.others()) {
      const { state } = other
      if (state.kind === 'up') other.tell(() => state.events.presence(this.node, online))
    }
  }

  private tellWritable(): void {
    if (this.state.kind !== 'up' || !this.refused || this.waitingFrames > LINK_QUEUE_FRAMES_MAX / 2) return
    if (this.waitingBytes > LINK_QUEUE_BYTES_MAX / 2) return
    this.refused = false
    const { events } = this.state
    this.tell(() => events.writable())
  }

  private tell(event: () => void): void {
    try {
      event()
    } catch (error) {
      countDropped(this.counters, 'handler-failed')
      this.medium.logger.error(`${this.name}: a handler failed; this is a bug`, { error })
    }
  }

  private get isUp(): boolean {
    return this.state.kind === 'up'
  }

  private others(): readonly MemoryLink[] {
    return [...this.medium.links.values()].filter((link) => link !== this && link.isUp)
  }

  private endLife(): void {
    this.life += 1
    countDropped(this.counters, 'connection-lost', this.waitingFrames)
    this.waitingFrames = 0
    this.waitingBytes = 0
  }

  private later(action: () => void): void {
    const { clock, delayMs } = this.medium
    const { life } = this
    clock.schedule(clock.now() + delayMs, () => {
      if (life === this.life) action()
    })
  }
}

const CAUSE = 'the link in memory is cut: heal it'
