import type { Clock } from '../../../base/clock.ts'
import { isNodeId, type NodeId } from '../../../base/ids.ts'
import { MQTT_GOODBYE_TIMEOUT_MS, MQTT_INFLIGHT_MAX } from '../../../base/limits.ts'
import type { Logger } from '../../../base/logger.ts'
import type { Waiting } from '../../link.ts'
import { type EmbeddedBroker, type Guest, startEmbeddedBroker } from '../embedded-broker.ts'
import { Outbox, type Outgoing, priorityOf } from '../outbox.ts'
import { formatPresence, parsePresence } from '../presence.ts'
import type { MutualTls } from '../servers.ts'
import { topicsOf, type Topics } from '../topics.ts'
import { parseWhereabouts } from './addresses.ts'
import { GuestTopics } from './guest-topics.ts'

export interface PostBoxOptions {
  readonly fleet: string
  readonly node: NodeId
  readonly startCount: number
  readonly host: string
  readonly port: number
  readonly tls?: MutualTls | undefined
  readonly clock: Clock
  readonly logger: Logger
}

/** What the post box tells of its guests: other gateways of the fleet. None of these may throw. */
export interface PostBoxEvents {
  came(node: NodeId): void
  /** Told once for each `came`. */
  went(node: NodeId): void
  /** It said goodbye, and goes. */
  leaving(node: NodeId): void
  frame(from: NodeId, payload: Buffer): void
  whereabouts(from: NodeId, payload: Buffer, address: string): void
  writable(): void
}

interface Visitor {
  /** A peer that knows two addresses of this gateway is here twice for a moment. */
  readonly guests: Set<Guest>
  /** It has said where it is reached, so it knows whose box this is: frames may go both ways. */
  isHere: boolean
  /** Nobody can connect to it. */
  dialsOnly: boolean
}

/**
 * The broker inside a gateway without a broker for the fleet: what this gateway publishes lies here for its peers, which
 * are connected as guests. A guest publishes to this gateway alone; only among those that nobody can connect to is what
 * one of them publishes passed on to the others, if it wishes so.
 */
export class PostBox {
  readonly #options: PostBoxOptions
  readonly #events: PostBoxEvents
  readonly #topics: Topics
  readonly #own: GuestTopics
  readonly #visitors = new Map<NodeId, Visitor>()
  readonly #outbox = new Outbox(MQTT_INFLIGHT_MAX)
  #broker: EmbeddedBroker | null = null
  #hasMetItself = false

  /** @throws FleetstepError `port-in-use`, `config-invalid` */
  static async open(options: PostBoxOptions, events: PostBoxEvents): Promise<PostBox> {
    const box = new PostBox(options, events)
    await box.#start()
    return box
  }

  private constructor(options: PostBoxOptions, events: PostBoxEvents) {
    this.#options = options
    this.#events = events
    this.#topics = topicsOf(options.fleet, options.node)
    this.#own = new GuestTopics(options.fleet, options.node)
  }

  get port(): number {
    return this.#broker?.port ?? 0
  }

  has(node: NodeId): boolean {
    return this.#visitors.get(node)?.isHere === true
  }

  get hasGuests(): boolean {
    return [...this.#visitors.values()].some(({ isHere }) => isHere)
  }

  /** Somebody has come here who has the id of this gateway: it has dialled its own address. */
  get hasMetItself(): boolean {
    return this.#hasMetItself
  }

  get waiting(): Waiting {
    return this.#outbox.waiting
  }

  /** @returns false if there is no room for it now; `writable` follows */
  send(payload: Buffer, channel: Parameters<Topics['of']>[0]): boolean {
    return this.#add({ topic: this.#topics.of(channel), payload, retain: false, priority: priorityOf(channel) })
  }

  /** What newcomers are to know of addresses; the last one stays. */
  sayWhereabouts(text: string): void {
    this.#add({ topic: this.#own.whereabouts, payload: Buffer.from(text, 'latin1'), retain: true, priority: 'control' })
  }

  /** Says goodbye, and ends within a second. */
  async close(): Promise<void> {
    const { clock } = this.#options
    const broker = this.#broker
    if (broker === null) return
    await new Promise<void>((resolve) => {
      const cancel = clock.schedule(clock.now() + MQTT_GOODBYE_TIMEOUT_MS, resolve)
      broker.publish(this.#topics.presence, this.#presence(false), true, () => {
        cancel()
        resolve()
      })
    })
    await broker.close()
  }

  async #start(): Promise<void> {
    const { host, port, tls, logger, clock } = this.#options
    const root = this.#topics.presence.slice(0, -`n/${this.#options.node}/st`.length)
    this.#broker = await startEmbeddedBroker({
      host,
      port,
      tls,
      logger,
      clock,
      owner: {
        mayConnect: (clientId, certified) => this.#mayConnect(nodeOfClient(clientId), certified),
        mayPublish: (clientId, topic) => this.#kindOf(clientId, topic) !== null,
        take: (clientId, topic, payload) => this.#take(clientId, topic, payload),
        mayForward: (clientId, topic) => this.#isFor(clientId, topic, root) || this.#isPassedOn(clientId, topic),
        subscribed: (guest, filters) => this.#subscribed(guest, filters, root),
        left: (guest) => this.#left(guest),
      },
    })
    this.#add({ topic: this.#topics.presence, payload: this.#presence(true), retain: true, priority: 'control' })
  }

  #mayConnect(node: NodeId | null, certified: string | null): boolean {
    if (certified !== null && certified !== node) return false
    this.#hasMetItself ||= node === this.#options.node
    return true
  }

  /** What a guest may publish: frames to the owner or for all, its presence, and where it is reached. */
  #kindOf(clientId: string, topic: string): { readonly node: NodeId; readonly kind: 'frame' | 'st' | 'at' } | null {
    const node = nodeOfClient(clientId)
    const received = node === null || node === this.#options.node ? null : this.#own.parse(topic)
    if (node === null || received === null) return null
    if (received.kind === 'frame') return received.from === node ? { node, kind: 'frame' } : null
    if (received.node !== node) return null
    return { node, kind: received.kind === 'presence' ? 'st' : 'at' }
  }

  /** Whether it is of this gateway, and not for the inbox of another guest. */
  #isFor(clientId: string, topic: string, root: string): boolean {
    if (!isOf(topic, root, this.#options.node)) return false
    const [kind, recipient] = topic.slice(root.length).split('/')
    return kind !== 'in' || recipient === nodeOfClient(clientId)
  }

  #isPassedOn(clientId: string, topic: string): boolean {
    const node = nodeOfClient(clientId)
    const received = this.#own.parse(topic)
    if (node === null || received?.kind !== 'frame' || received.from === node) return false
    return this.#dialsOnly(node) && this.#dialsOnly(received.from)
  }

  #dialsOnly(node: NodeId): boolean {
    return this.#visitors.get(node)?.dialsOnly === true
  }

  #take(clientId: string, topic: string, payload: Buffer): void {
    const read = this.#kindOf(clientId, topic)
    if (read === null) return
    const { node, kind } = read
    if (kind === 'frame' && this.has(node)) this.#events.frame(node, payload)
    if (kind === 'at') this.#welcome(node, payload)
    if (kind === 'st' && parsePresence(payload)?.online === false) this.#events.leaving(node)
  }

  #subscribed(guest: Guest, filters: readonly string[], root: string): void {
    const node = nodeOfClient(guest.clientId)
    if (node === null || node === this.#options.node || !filters.includes(`${root}in/${node}/+`)) return
    const visitor = this.#visitors.get(node) ?? { guests: new Set(), isHere: false, dialsOnly: false }
    this.#visitors.set(node, visitor)
    visitor.guests.add(guest)
  }

  #welcome(node: NodeId, payload: Buffer): void {
    const visitor = this.#visitors.get(node)
    const heard = parseWhereabouts(payload)
    if (visitor === undefined || heard === null) return
    const [guest] = visitor.guests
    const isNew = !visitor.isHere
    visitor.isHere = true
    visitor.dialsOnly = heard.port === null
    if (isNew) this.#events.came(node)
    this.#events.whereabouts(node, payload, guest?.address ?? '')
  }

  #left(guest: Guest): void {
    const node = nodeOfClient(guest.clientId)
    const visitor = node === null ? undefined : this.#visitors.get(node)
    if (node === null || visitor?.guests.delete(guest) !== true || visitor.guests.size > 0) return
    this.#visitors.delete(node)
    if (visitor.isHere) this.#events.went(node)
  }

  #presence(online: boolean): Buffer {
    return Buffer.from(formatPresence({ online, startCount: this.#options.startCount }), 'latin1')
  }

  #add(outgoing: Outgoing): boolean {
    if (!this.#outbox.hasPlaceFor(outgoing.payload.length, outgoing.priority)) return false
    this.#outbox.add(outgoing)
    this.#publishWaiting()
    return true
  }

  #publishWaiting(): void {
    for (let outgoing = this.#outbox.next(); outgoing !== null; outgoing = this.#outbox.next()) {
      const sent = outgoing
      this.#broker?.publish(sent.topic, sent.payload, sent.retain, () => {
        this.#outbox.settle(sent)
        this.#publishWaiting()
        if (this.#outbox.waiting === 'nothing') this.#events.writable()
      })
    }
  }
}

/** Whether `node` is the author of what is published at `topic`: the author stands last, or before what he says of himself. */
function isOf(topic: string, root: string, node: NodeId): boolean {
  if (!topic.startsWith(root)) return false
  const words = topic.slice(root.length).split('/')
  return words[0] === 'n' ? words[1] === node : words.at(-1) === node
}

function nodeOfClient(clientId: string): NodeId | null {
  const node = clientId.startsWith('fs-') ? clientId.slice(3, 19) : null
  return isNodeId(node) ? node : null
}
