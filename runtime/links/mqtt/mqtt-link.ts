import { assert, unreachable } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import { FRAME_BYTES_MAX } from '../../base/limits.ts'
import { copyCounters, countDropped, countReceived, countSent, newCounters } from '../counters.ts'
import type { Channel, Link, LinkCounters, LinkEvents, LinkStatus } from '../link.ts'
import { openConnection, type Connection, type ConnectionEvents } from './connection.ts'
import { describeFailure, type Failure } from './failure.ts'
import { DEFAULT_TIMING, type MqttLinkOptions, type MqttTiming } from './options.ts'
import { Outbox, type Outgoing } from './outbox.ts'
import { formatPresence, parsePresence, PresenceBook } from './presence.ts'
import { firstServer, parseServers, type Server } from './servers.ts'
import {
  CLOSED,
  decide,
  nextWakeUp,
  type MqttVersion,
  type Session,
  type SessionEvent,
  type SessionStep,
} from './session.ts'
import { topicsOf, type Topics } from './topics.ts'

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
  private readonly timing: MqttTiming
  private readonly servers: readonly Server[]
  private readonly topics: Topics
  private readonly presence = new PresenceBook()
  private readonly counters: LinkCounters = newCounters()
  private session: Session = CLOSED
  private events: LinkEvents | null = null
  private connection: Connection | null = null
  private outbox = new Outbox(1)
  private cancelWakeUp: () => void = () => {}
  private server: number
  private hasBeenUp = false
  /** A broker that refuses one publish mostly refuses all: one line for each connection is enough. */
  private hasLoggedRefusal = false
  /** `send` has returned false and `writable` has not followed yet. */
  private refused = false
  /** The goodbye in progress; a new `open` waits for nothing, since it has a connection of its own. */
  private goodbye: Promise<void> = Promise.resolve()

  constructor(options: MqttLinkOptions) {
    this.options = options
    this.name = options.name ?? 'mqtt'
    this.timing = { ...DEFAULT_TIMING, ...options.timing }
    this.servers = parseServers(options.servers, options.tls ?? {})
    this.topics = options.guest?.topics ?? topicsOf(options.fleet, options.node)
    this.server = firstServer(options.node, this.servers.length)
  }

  open(events: LinkEvents): void {
    assert(this.session.state.kind === 'closed', 'a link is opened once, or again after close')
    this.events = events
    this.hasBeenUp = false
    this.handle({ kind: 'open', server: this.server })
  }

  send(frame: Uint8Array, channel: Channel): boolean {
    if (frame.length > FRAME_BYTES_MAX) {
      countDropped(this.counters, 'oversize')
      return true
    }
    const control = channel.kind === 'announcements' || channel.kind === 'requests'
    const up = this.session.state.kind === 'up'
    // The check comes before the copy: a refused frame should cost nothing.
    if (!up || !this.outbox.hasPlaceFor(frame.length, control)) {
      countDropped(this.counters, up ? 'full' : 'down')
      this.refused = true
      return false
    }
    this.outbox.add({ topic: this.topics.of(channel), payload: Buffer.from(frame), retain: false, control })
    this.publishWaiting()
    return true
  }

  async close(): Promise<void> {
    this.events = null
    this.refused = false
    this.handle({ kind: 'close' })
    await this.goodbye
  }

  status(): LinkStatus {
    const { state, cause } = this.session
    return {
      state: state.kind === 'closed' || state.kind === 'up' ? state.kind : 'connecting',
      cause: cause === null ? null : describeFailure(cause.failure, this.labelOf(cause.server)),
      peer: this.labelOf(this.server),
      counters: copyCounters(this.counters),
    }
  }

  /** The only place where the session changes. */
  private handle(event: SessionEvent): void {
    const { clock, random } = this.options
    const world = { now: clock.now(), random, servers: this.servers.length, timing: this.timing }
    const { session, steps } = decide(this.session, event, world)
    this.session = session
    this.armWakeUp()
    for (const step of steps) this.perform(step)
  }

  private armWakeUp(): void {
    this.cancelWakeUp()
    const at = nextWakeUp(this.session.state)
    this.cancelWakeUp = at === null ? () => {} : this.options.clock.schedule(at, () => this.handle({ kind: 'due' }))
  }

  private perform(step: SessionStep): void {
    switch (step.kind) {
      case 'connect':
        return this.connect(step.server, step.version)
      case 'subscribe':
        return this.connection?.subscribe(this.topics.subscriptions)
      case 'rise':
        return this.rise()
      case 'abandon':
        return this.abandon()
      case 'leave':
        this.goodbye = this.leave()
        return
      case 'fall':
        return this.fall(step.failure, step.server)
      default:
        return unreachable(step)
    }
  }

  private connect(server: number, version: MqttVersion): void {
    const { options } = this
    this.server = server
    const target = this.servers[server]
    assert(target !== undefined, 'the session names a server of the list')
    options.logger.debug(`${this.name}: connecting to ${target.label} with MQTT ${version === 5 ? '5' : '3.1.1'}`)
    this.connection = openConnection(
      {
        server: target,
        version,
        clientId: options.guest?.clientId ?? `fs-${options.node}`,
        username: options.username,
        password: options.password,
        tls: options.tls ?? {},
        keepaliveS: this.timing.keepaliveS,
        // The owner of a post box sees by itself that a guest went, and a last will would look like a goodbye.
        will: options.guest ? null : { topic: this.topics.presence, payload: this.presencePayload(false) },
      },
      this.connectionEvents(),
    )
  }

  private connectionEvents(): ConnectionEvents {
    return {
      reached: () => this.handle({ kind: 'reached' }),
      connected: (receiveMaximum) => {
        this.outbox = new Outbox(receiveMaximum)
        this.handle({ kind: 'connected' })
      },
      subscribed: () => this.handle({ kind: 'subscribed' }),
      message: (topic, payload) => this.receive(topic, payload),
      over: (failure) => this.handle({ kind: 'failed', failure }),
    }
  }

  private rise(): void {
    if (this.hasBeenUp) this.counters.reconnects += 1
    this.hasBeenUp = true
    this.hasLoggedRefusal = false
    this.options.logger.info(`${this.name}: connected to ${this.labelOf(this.server)}`)
    this.publishControl(this.presenceMessage(true))
    this.tell('up', (events) => events.up())
    this.tellWritable()
  }

  private fall(failure: Failure, server: number): void {
    const cause = describeFailure(failure, this.labelOf(server))
    this.options.logger.warn(`${this.name}: ${cause}`)
    this.presence.forgetWhoIsOnline()
    this.tell('down', (events) => events.down(cause))
  }

  private abandon(): void {
    this.connection?.abandon()
    this.connection = null
    countDropped(this.counters, 'connection-lost', this.outbox.queuedFrames)
    this.outbox = new Outbox(1)
  }

  /** Others learn at once that this node went on purpose; a broker that does not answer is not waited for. */
  private leave(): Promise<void> {
    const { connection } = this
    this.connection = null
    this.outbox = new Outbox(1)
    this.presence.forgetWhoIsOnline()
    if (connection === null) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        connection.abandon()
        resolve()
      }
      const { clock } = this.options
      const cancel = clock.schedule(clock.now() + this.timing.goodbyeTimeoutMs, end)
      connection.publish(this.presenceMessage(false), () => {})
      connection.leave(end)
    })
  }

  private publishWaiting(): void {
    const { connection, outbox } = this
    if (connection === null) return
    for (let outgoing = outbox.next(); outgoing !== null; outgoing = outbox.next()) {
      const sent = outgoing
      if (!sent.retain) countSent(this.counters, sent.payload.length)
      connection.publish(sent, (failure) => {
        outbox.settle(sent)
        if (failure === null) sent.taken?.()
        else this.noteRefusal(sent, failure)
        this.publishWaiting()
        this.tellWritable()
      })
    }
  }

  private noteRefusal(outgoing: Outgoing, failure: Failure): void {
    countDropped(this.counters, 'refused-by-broker')
    if (this.hasLoggedRefusal) return
    this.hasLoggedRefusal = true
    this.options.logger.warn(`${this.name}: ${describeFailure(failure, this.labelOf(this.server))}: ${outgoing.topic}`)
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
    if (presence === null) {
      if (payload.length > 0) countDropped(this.counters, 'foreign-payload')
      return
    }
    if (node === this.options.node) {
      // The will of an earlier connection or start came late and took the place of what is retained: say it again.
      if (!presence.online && presence.startCount <= this.options.startCount) {
        this.publishControl(this.presenceMessage(true))
      }
      if (this.options.guest === undefined) return
    }
    const news = this.presence.note(node, presence)
    if (news === 'full') countDropped(this.counters, 'presence-full')
    if (news !== 'changed') return
    this.tell('presence', (events) => events.presence(node, presence.online))
    if (presence.online && this.options.guest !== undefined) this.publishControl(this.options.guest.greeting())
  }

  private publishControl(message: Outgoing): void {
    if (this.session.state.kind !== 'up' || !this.outbox.hasPlaceFor(message.payload.length, true)) return
    this.outbox.add(message)
    this.publishWaiting()
  }

  private presenceMessage(online: boolean): Outgoing {
    return { topic: this.topics.presence, payload: this.presencePayload(online), retain: true, control: true }
  }

  private presencePayload(online: boolean): Buffer {
    return Buffer.from(formatPresence({ online, startCount: this.options.startCount }), 'latin1')
  }

  private tellWritable(): void {
    if (!this.refused || this.session.state.kind !== 'up' || !this.outbox.hasRoom) return
    this.refused = false
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

  private labelOf(server: number): string {
    return this.servers[server]?.label ?? ''
  }
}
