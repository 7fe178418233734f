import { assert, unreachable } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import { FRAME_BYTES_MAX } from '../../base/limits.ts'
import { copyCounters, countDropped, countReceived, countSent, newCounters } from '../counters.ts'
import type { Channel, Link, LinkCounters, LinkEvents, LinkStatus, Waiting } from '../link.ts'
import { Courier } from './courier.ts'
import { DEFAULT_TIMING, type MqttLinkOptions } from './options.ts'
import { type Outgoing, priorityOf } from './outbox.ts'
import { formatPresence, laterStart, parsePresence, type Presence, PresenceBook } from './presence.ts'
import { firstServer, parseServers } from './servers.ts'
import { clientIdOf, topicsOf, type Topics } from './topics.ts'

/**
 * A broadcast link over an MQTT broker: MQTT 5 where the broker speaks it, else 3.1.1; clean sessions, subscriptions with
 * QoS 0, publishes with QoS 1 in a window. The broker is trusted with nothing: what it loses is found by anti-entropy.
 * @throws FleetstepError `config-invalid`
 */
export function mqttLink(options: MqttLinkOptions): Link {
  return new MqttLink(options)
}

class MqttLink implements Link {
  readonly name: string
  readonly reach = 'broadcast'
  private readonly options: MqttLinkOptions
  private readonly topics: Topics
  private readonly courier: Courier
  private readonly presence = new PresenceBook()
  private readonly counters: LinkCounters = newCounters()
  private events: LinkEvents | null = null
  private hasBeenUp = false
  private startCount: number
  /** It has gone on from a later start already: a stranger who names ever later ones does not make it connect for ever. */
  private hasGoneOn = false
  /** `send` has returned false, or what it took waits, and `writable` has not followed yet. */
  private owesWritable = false
  /** One line for each connection is enough. */
  private hasToldLimit = false

  constructor(options: MqttLinkOptions) {
    this.options = options
    this.name = options.name ?? 'mqtt'
    this.startCount = options.startCount
    this.topics = options.guest?.topics ?? topicsOf(options.fleet, options.node)
    this.courier = this.makeCourier()
  }

  open(events: LinkEvents): void {
    assert(this.courier.state === 'closed', 'a link is opened once, or again after close')
    this.events = events
    this.hasBeenUp = false
    this.hasGoneOn = false
    this.courier.open()
  }

  send(frame: Uint8Array, channel: Channel): boolean {
    if (frame.length > FRAME_BYTES_MAX) {
      countDropped(this.counters, 'oversize')
      return true
    }
    // Whoever asks again before the answer can have come is not answered twice: a slow line would carry nothing else.
    if (channel.kind === 'answers' && this.courier.holds(frame)) {
      countDropped(this.counters, 'repeated')
      this.owesWritable ||= this.waiting !== 'nothing'
      return true
    }
    const topic = this.topics.of(channel)
    if (!this.courier.mayCarry({ topic, payload: frame })) {
      this.noteLimit(frame.length)
      return true
    }
    const priority = priorityOf(channel)
    // The check comes before the copy: a refused frame should cost nothing.
    if (!this.courier.hasPlaceFor(frame.length, priority)) {
      countDropped(this.counters, this.courier.isUp ? 'full' : 'down')
      this.owesWritable = true
      return false
    }
    const payload = Buffer.from(frame)
    const isTaken = this.courier.publish({ topic, payload, retain: false, priority })
    this.owesWritable ||= this.waiting !== 'nothing'
    return isTaken
  }

  get isBusy(): boolean {
    return this.courier.isBusy
  }

  get waiting(): Waiting {
    return this.courier.waiting
  }

  async close(): Promise<void> {
    this.events = null
    this.owesWritable = false
    this.forgetPresence()
    await this.courier.close(this.presenceMessage(false))
  }

  status(): LinkStatus {
    const { state, cause, label } = this.courier
    return { state, cause, peer: label, counters: copyCounters(this.counters) }
  }

  private makeCourier(): Courier {
    const { options, topics } = this
    const servers = parseServers(options.servers, options.tls ?? {})
    return new Courier(
      {
        ...options,
        name: this.name,
        clientId: options.guest?.clientId ?? clientIdOf(options.fleet, options.node),
        servers,
        otherEnd: options.guest ? 'gateway' : 'broker',
        first: firstServer(options.node, servers.length),
        username: options.username,
        password: options.password,
        tls: options.tls ?? {},
        checkServer: options.guest && ((certified) => options.guest?.checkOwner(certified)),
        subscriptions: topics.subscriptions,
        packetBytesMax: BROKER_PACKET_BYTES_WANTED,
        timing: { ...DEFAULT_TIMING, ...options.timing },
        // The owner of a post box sees by itself that a guest went, and a last will would look like a goodbye.
        will: options.guest ? null : () => ({ topic: topics.presence, payload: this.presencePayload(false) }),
      },
      {
        rise: () => this.rise(),
        fall: (cause) => this.fall(cause),
        message: (topic, payload) => this.receive(topic, payload),
        skipped: (reason) => countDropped(this.counters, reason),
        sent: ({ retain, payload }) => {
          if (!retain) countSent(this.counters, payload.length)
        },
        refused: () => countDropped(this.counters, 'refused-by-broker'),
        lost: (frames) => countDropped(this.counters, 'connection-lost', frames),
        writable: () => this.tellWritable(),
      },
    )
  }

  private rise(): void {
    if (this.hasBeenUp) this.counters.reconnects += 1
    this.hasBeenUp = true
    this.hasToldLimit = false
    this.courier.publish(this.presenceMessage(true))
    this.tell('up', (events) => events.up())
    this.tellWritable()
  }

  private fall(cause: string): void {
    this.forgetPresence()
    // Whose owner tells of all his post boxes at once; any other owner is told of this link, and tells people.
    if (this.options.guest !== undefined) this.options.logger.warn(`${this.name}: ${cause}`)
    this.tell('down', (events) => events.down(cause))
  }

  /** To send it would cost the connection, and with it all that is shorter, again and again. */
  private noteLimit(bytes: number): void {
    countDropped(this.counters, 'over-broker-limit')
    if (this.hasToldLimit) return
    this.hasToldLimit = true
    this.options.logger.warn(
      `${this.name}: ${this.courier.label} takes no frame of ${bytes} bytes, and what is in it reaches nobody there: raise the broker's limit to ${BROKER_PACKET_BYTES_WANTED} bytes`,
    )
  }

  private receive(topic: string, payload: Buffer): void {
    const received = this.topics.parse(topic)
    if (received === null) return countDropped(this.counters, 'foreign-topic')
    switch (received.kind) {
      case 'frame':
        return this.receiveFrame(received.from, payload)
      case 'presence':
        return this.receivePresence(received.node, payload)
      case 'addresses':
        return this.options.guest?.addresses(received.node, payload)
      default:
        return unreachable(received)
    }
  }

  private receiveFrame(from: NodeId, payload: Buffer): void {
    // MQTT 3.1.1 has no way to leave out a client's own messages.
    if (from === this.options.node) return
    if (payload.length > FRAME_BYTES_MAX) return countDropped(this.counters, 'oversize')
    if (payload.length === 0) return countDropped(this.counters, 'empty')
    countReceived(this.counters, payload.length)
    // A copy, since the payload is a window on a larger buffer of the socket, which the owner would keep alive with it.
    const frame = new Uint8Array(payload)
    this.tell('frame', (events) => events.frame(frame))
  }

  private receivePresence(node: NodeId, payload: Buffer): void {
    const presence = parsePresence(payload)
    if (node === this.options.node && this.goesOn(presence)) return
    // The will of an earlier start came late, or somebody cleared what is retained: whoever comes later is to see this node.
    if (node === this.options.node && presence?.online !== true) this.courier.publish(this.presenceMessage(true))
    if (presence === null) {
      if (payload.length > 0) countDropped(this.counters, 'foreign-payload')
      return
    }
    if (node === this.options.node && this.options.guest === undefined) return
    const news = this.presence.note(node, presence)
    if (news === 'full') countDropped(this.counters, 'presence-full')
    if (news !== 'changed') return
    this.tell('presence', (events) => events.presence(node, presence.online))
    if (presence.online && this.options.guest !== undefined) this.courier.publish(this.options.guest.greeting())
  }

  /** @returns whether it connects again, as one whose will is not behind what others know */
  private goesOn(seen: Presence | null): boolean {
    const next = laterStart(this.startCount, seen)
    if (next === null || this.hasGoneOn || this.options.guest !== undefined) return false
    this.hasGoneOn = true
    this.startCount = next
    this.courier.renew({ kind: 'later-start', detail: '' })
    return true
  }

  private forgetPresence(): void {
    if (this.options.guest === undefined) this.presence.forgetWhoIsOnline()
    else this.presence.forget()
  }

  private presenceMessage(online: boolean): Outgoing {
    return { topic: this.topics.presence, payload: this.presencePayload(online), retain: true, priority: 'control' }
  }

  private presencePayload(online: boolean): Buffer {
    return Buffer.from(formatPresence({ online, startCount: this.startCount }), 'latin1')
  }

  private tellWritable(): void {
    if (!this.owesWritable || !this.courier.isUp || this.waiting !== 'nothing') return
    this.owesWritable = false
    this.tell('writable', (events) => events.writable())
  }

  /** A throw must not reach mqtt.js: it would stop handling packets and still look connected. */
  private tell(what: string, event: (events: LinkEvents) => void): void {
    if (this.events === null) return
    try {
      event(this.events)
    } catch (error) {
      countDropped(this.counters, 'handler-failed')
      this.options.logger.error(`${this.name}: the handler of "${what}" failed; this is a bug`, { error })
    }
  }
}

/** The largest frame, with room for topic and head. */
const BROKER_PACKET_BYTES_WANTED: number = FRAME_BYTES_MAX + 1024
