import { assert, unreachable } from '../../base/errors.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { MQTT_ACKNOWLEDGE_LOOKS, MQTT_PUBLISH_EXTRA_BYTES } from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import type { Waiting } from '../link.ts'
import { AcknowledgementWatch } from './acknowledgements.ts'
import { openConnection, type Connection, type ConnectionEvents, type ServerCheck } from './connection.ts'
import { describeFailure, type Failure, type OtherEnd } from './failure.ts'
import type { MqttTiming } from './options.ts'
import { Outbox, type Outgoing, type Priority } from './outbox.ts'
import type { Server, TlsFiles } from './servers.ts'
import {
  CLOSED,
  decide,
  nextWakeUp,
  type MqttVersion,
  type Session,
  type SessionEvent,
  type SessionStep,
} from './session.ts'
import type { Subscription } from './topics.ts'

export interface CourierOptions {
  /** For people, in the log. */
  readonly name: string
  readonly clientId: string
  readonly servers: readonly Server[]
  /** What they are, for people: brokers unless told otherwise. */
  readonly otherEnd?: OtherEnd
  /** Which of them is tried first. */
  readonly first: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: TlsFiles
  /** In place of the check that the certificate of the server is for its address: by the name in it. */
  readonly checkServer?: ServerCheck | undefined
  readonly subscriptions: readonly Subscription[]
  /** The longest packet that is taken; what is longer is told as skipped. */
  readonly packetBytesMax: number
  /** Said by the broker when this client dies, or null. Retained, and asked for at each connection. */
  readonly will: (() => { readonly topic: string; readonly payload: Buffer }) | null
  readonly timing: MqttTiming
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Called from the event loop, never from within `open`. None is called after `close`, and none may throw. */
export interface CourierEvents {
  /** Connected and subscribed. */
  rise(): void
  /** Told once for each outage, for the owner to tell people. */
  fall(cause: string): void
  /** @param isRetained it was lying there when the subscription began */
  message(topic: string, payload: Buffer, isRetained: boolean): void
  /** A message was left out: it is longer than any that is taken, or too many came before the subscription began. */
  skipped(reason: 'oversize' | 'full'): void
  /** Handed to the socket. */
  sent(outgoing: Outgoing): void
  /** The broker answered with a failure. */
  refused(outgoing: Outgoing): void
  /** So many waited in the queue when the connection ended. */
  lost(frames: number): void
  /** There is room in the queue again. */
  writable(): void
}

/** Keeps one client connected to one of several brokers, and publishes for it in a bounded queue and window. */
export class Courier {
  readonly #options: CourierOptions
  readonly #events: CourierEvents
  #session: Session = CLOSED
  #connection: Connection | null = null
  #outbox = new Outbox(1)
  #packetBytesMax = Infinity
  readonly #acknowledgements: AcknowledgementWatch
  #cancelWakeUp: () => void = () => {}
  #server: number
  #isClosing = false
  /** A broker that refuses one publish mostly refuses all: one line for each connection is enough. */
  #hasLoggedRefusal = false
  /** The goodbye in progress; a new `open` waits for nothing, since it has a connection of its own. */
  #goodbye: Promise<void> = Promise.resolve()

  constructor(options: CourierOptions, events: CourierEvents) {
    this.#options = options
    this.#events = events
    this.#server = options.first
    this.#acknowledgements = new AcknowledgementWatch({
      clock: options.clock,
      lookMs: options.timing.acknowledgeLookMs,
      isWaiting: () => this.#outbox.isWaiting,
      onSilence: () => this.#handle({ kind: 'failed', failure: this.#silence() }),
    })
  }

  open(): void {
    assert(this.#session.state.kind === 'closed', 'a courier is opened once, or again after close')
    this.#isClosing = false
    this.#handle({ kind: 'open', server: this.#server })
  }

  /** @param farewell published before the connection ends */
  async close(farewell: Outgoing): Promise<void> {
    this.#isClosing = true
    this.#handle({ kind: 'close' })
    const connection = this.#connection
    this.#connection = null
    this.#acknowledgements.stop()
    this.#outbox = new Outbox(1)
    if (connection !== null) this.#goodbye = this.#leave(connection, farewell)
    await this.#goodbye
  }

  /** Connects again after a pause, since no connection can change its will. */
  renew(reason: Failure): void {
    this.#handle({ kind: 'failed', failure: reason })
  }

  get isUp(): boolean {
    return this.#session.state.kind === 'up'
  }

  get state(): 'closed' | 'connecting' | 'up' {
    const { kind } = this.#session.state
    return kind === 'closed' || kind === 'up' ? kind : 'connecting'
  }

  /** Why it is not connected, or null. */
  get cause(): string | null {
    const { cause } = this.#session
    return cause === null ? null : this.#describe(cause.failure, cause.server)
  }

  /** Where it is connected to, without secrets. */
  get label(): string {
    return this.#labelOf(this.#server)
  }

  /** The broker has not answered to most of what was published. */
  get isBusy(): boolean {
    return this.#outbox.isBusy
  }

  /** What waits for those that the broker has not answered to. */
  get waiting(): Waiting {
    return this.#outbox.waiting
  }

  /** Whether an answer of the same bytes waits, or the broker has not answered to it yet. */
  holds(payload: Uint8Array): boolean {
    return this.#outbox.holds(payload)
  }

  /** The check comes before the copy: what is refused should cost nothing. */
  hasPlaceFor(bytes: number, priority: Priority): boolean {
    return this.isUp && this.#outbox.hasPlaceFor(bytes, priority)
  }

  /** Whether the broker takes it at all: one that it does not take costs the connection (MQTT 5, section 3.2.2.3.6). */
  mayCarry({ topic, payload }: { readonly topic: string; readonly payload: { readonly length: number } }): boolean {
    return topic.length + payload.length + MQTT_PUBLISH_EXTRA_BYTES <= this.#packetBytesMax
  }

  /** @returns false if it is not up or has no place for it */
  publish(outgoing: Outgoing): boolean {
    if (!this.hasPlaceFor(outgoing.payload.length, outgoing.priority)) return false
    this.#outbox.add(outgoing)
    this.#publishWaiting()
    return true
  }

  /** The only place where the session changes. */
  #handle(event: SessionEvent): void {
    const { clock, random, servers, timing } = this.#options
    const world = { now: clock.now(), random, servers: servers.length, timing }
    const { session, steps } = decide(this.#session, event, world)
    this.#session = session
    this.#armWakeUp()
    for (const step of steps) this.#perform(step)
  }

  #armWakeUp(): void {
    this.#cancelWakeUp()
    const at = nextWakeUp(this.#session.state)
    this.#cancelWakeUp = at === null ? () => {} : this.#options.clock.schedule(at, () => this.#handle({ kind: 'due' }))
  }

  #perform(step: SessionStep): void {
    switch (step.kind) {
      case 'connect':
        return this.#connect(step.server, step.version)
      case 'subscribe':
        return this.#connection?.subscribe(this.#options.subscriptions)
      case 'rise':
        return this.#rise()
      case 'abandon':
        return this.#abandon()
      case 'leave':
        // `close` says goodbye.
        return
      case 'fall':
        return this.#fall(step.failure, step.server)
      default:
        return unreachable(step)
    }
  }

  #connect(server: number, version: MqttVersion): void {
    const { name, clientId, servers, username, password, tls, checkServer, timing, logger } = this.#options
    const { packetBytesMax, will } = this.#options
    this.#server = server
    const target = servers[server]
    assert(target !== undefined, 'the session names a server of the list')
    logger.debug(`${name}: connecting to ${target.label} with MQTT ${version === 5 ? '5' : '3.1.1'}`)
    const { keepaliveS } = timing
    this.#connection = openConnection(
      {
        server: target,
        version,
        clientId,
        username,
        password,
        tls,
        checkServer,
        keepaliveS,
        packetBytesMax,
        will: will?.() ?? null,
      },
      this.#connectionEvents(),
    )
  }

  #connectionEvents(): ConnectionEvents {
    return {
      reached: () => this.#handle({ kind: 'reached' }),
      connected: (receiveMaximum, packetBytesMax) => {
        this.#outbox = new Outbox(receiveMaximum)
        this.#packetBytesMax = packetBytesMax
        this.#handle({ kind: 'connected' })
      },
      subscribed: () => this.#handle({ kind: 'subscribed' }),
      message: (topic, payload, isRetained) => {
        if (!this.#isClosing) this.#events.message(topic, payload, isRetained)
      },
      skipped: (reason) => this.#events.skipped(reason),
      over: (failure) => this.#handle({ kind: 'failed', failure }),
    }
  }

  #rise(): void {
    this.#hasLoggedRefusal = false
    this.#options.logger.info(`${this.#options.name}: connected to ${this.label}`)
    this.#events.rise()
  }

  #fall(failure: Failure, server: number): void {
    this.#events.fall(this.#describe(failure, server))
  }

  #abandon(): void {
    this.#connection?.abandon()
    this.#connection = null
    this.#acknowledgements.stop()
    const { queuedFrames } = this.#outbox
    this.#outbox = new Outbox(1)
    if (queuedFrames > 0) this.#events.lost(queuedFrames)
  }

  /** Others learn at once that this node went on purpose; a broker that does not answer is not waited for. */
  #leave(connection: Connection, farewell: Outgoing): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        connection.abandon()
        resolve()
      }
      const { clock, timing } = this.#options
      const cancel = clock.schedule(clock.now() + timing.goodbyeTimeoutMs, end)
      connection.publish(farewell, () => {})
      connection.leave(end)
    })
  }

  #publishWaiting(): void {
    const connection = this.#connection
    const outbox = this.#outbox
    if (connection === null) return
    for (let outgoing = outbox.next(); outgoing !== null; outgoing = outbox.next()) {
      const sent = outgoing
      this.#events.sent(sent)
      this.#acknowledgements.notePublished()
      connection.publish(sent, (failure) => {
        outbox.settle(sent)
        this.#acknowledgements.noteAcknowledged()
        if (failure === null) sent.taken?.()
        else this.#noteRefusal(sent, failure)
        this.#publishWaiting()
        if (this.isUp && this.#outbox.hasRoom) this.#events.writable()
      })
    }
  }

  #silence(): Failure {
    const seconds = (this.#options.timing.acknowledgeLookMs * MQTT_ACKNOWLEDGE_LOOKS) / 1000
    return { kind: 'timeout', detail: `it has acknowledged nothing for ${seconds} s` }
  }

  #noteRefusal(outgoing: Outgoing, failure: Failure): void {
    this.#events.refused(outgoing)
    if (this.#hasLoggedRefusal) return
    this.#hasLoggedRefusal = true
    const { name, logger } = this.#options
    logger.warn(`${name}: ${this.#describe(failure, this.#server)}: ${outgoing.topic}`)
  }

  #describe(failure: Failure, server: number): string {
    return describeFailure(failure, this.#labelOf(server), this.#options.otherEnd)
  }

  #labelOf(server: number): string {
    return this.#options.servers[server]?.label ?? ''
  }
}
