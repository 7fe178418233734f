/**
 * One connection to one broker, over mqtt.js: its parser, TLS and keep-alive are worth having; its queue, store, window,
 * resubscription and reconnection are switched off, since each of them loses or reorders in silence somewhere. A client
 * of mqtt.js lives as long as its socket here, so nothing of one connection can leak into the next.
 */
import { getDefaultAutoSelectFamilyAttemptTimeout, setDefaultAutoSelectFamilyAttemptTimeout, Socket } from 'node:net'
import type { PeerCertificate } from 'node:tls'
import {
  connect as connectClient,
  type IClientOptions,
  type IConnackPacket,
  type IClientPublishOptions,
  type MqttClient,
} from 'mqtt'
import {
  CONNECT_ADDRESS_TIMEOUT_MS,
  MQTT_EARLY_BYTES_MAX,
  MQTT_EARLY_MESSAGES_MAX,
  MQTT_MESSAGE_EXPIRY_S,
} from '../../base/limits.ts'
import { commonNameOf } from './certificate.ts'
import { failureOf, failureOfReason, type Failure } from './failure.ts'
import type { Outgoing } from './outbox.ts'
import { PacketFilter } from './packet-filter.ts'
import type { Server, TlsFiles } from './servers.ts'
import type { MqttVersion } from './session.ts'
import type { Subscription } from './topics.ts'

export interface ConnectionOptions {
  readonly server: Server
  readonly version: MqttVersion
  readonly clientId: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: TlsFiles
  readonly checkServer: ServerCheck | undefined
  readonly keepaliveS: number
  /** Longer packets are kept away by a broker of MQTT 5, and left out here where one comes all the same. */
  readonly packetBytesMax: number
  readonly will: { readonly topic: string; readonly payload: Buffer } | null
}

/** @returns why that server is not the right one, or nothing */
export type ServerCheck = (certified: string) => Error | undefined

/** Called from the event loop, never from within `openConnection`. None is called after `over`, `abandon` or `leave`. */
export interface ConnectionEvents {
  /** The socket, with its TLS if any, stands. */
  reached(): void
  /**
   * @param receiveMaximum publishes with QoS 1 that the broker takes at once
   * @param packetBytesMax of one packet that it takes; Infinity if it does not say
   */
  connected(receiveMaximum: number, packetBytesMax: number): void
  subscribed(): void
  /** @param isRetained it was lying there when the subscription began */
  message(topic: string, payload: Buffer, isRetained: boolean): void
  /** A message was left out: it is longer than any that is taken, or too many came before the SUBACK. */
  skipped(reason: 'oversize' | 'full'): void
  /** The connection has ended, for this reason. */
  over(failure: Failure): void
}

export interface Connection {
  subscribe(subscriptions: readonly Subscription[]): void
  /** With QoS 1. `answered` gets the broker's failure, or null; it is not called if the connection ends before. */
  publish(outgoing: Outgoing, answered: (failure: Failure | null) => void): void
  /** Waits for what is in flight, sends DISCONNECT, and then calls `done`; possibly never, so the caller bounds it. */
  leave(done: () => void): void
  /** Drops the connection. */
  abandon(): void
}

export function openConnection(options: ConnectionOptions, events: ConnectionEvents): Connection {
  return new MqttJsConnection(options, events)
}

class MqttJsConnection implements Connection {
  private readonly version: MqttVersion
  private readonly events: ConnectionEvents
  private readonly client: MqttClient | null
  private ended = false
  /** mqtt.js tells of a message before it tells of the SUBACK that came before it. Null once that is told. */
  private early: [topic: string, payload: Buffer, isRetained: boolean][] | null = []
  private earlyBytes = 0
  /** A refused publish: MQTT 3.1.1 brokers and Mosquitto hang up after it, and this is then the reason. */
  private refusal: Failure | null = null

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.version = options.version
    this.events = events
    this.client = this.start(options)
  }

  subscribe(subscriptions: readonly Subscription[]): void {
    const wanted = subscriptions.map(({ filter, withoutOwn }) => [filter, { qos: 0 as const, nl: withoutOwn }] as const)
    this.client?.subscribe(Object.fromEntries(wanted), (error, _granted, suback) => {
      if (this.ended) return
      const refusal = suback?.granted.find((code) => Number(code) >= REFUSED)
      if (refusal !== undefined) this.end(failureOfReason(Number(refusal), 'subscription refused'))
      else if (error) this.end(failureOf(error))
      else this.begin()
    })
  }

  publish(outgoing: Outgoing, answered: (failure: Failure | null) => void): void {
    const { topic, payload, retain } = outgoing
    const properties = this.version === 5 ? propertiesOf(outgoing) : {}
    this.client?.publish(topic, payload, { qos: 1, retain, properties }, (error) => {
      // An error without a reason code is no answer: mqtt.js flushes its callbacks before it says that the socket is gone.
      if (this.ended || (error && !('code' in error))) return
      this.refusal = error ? failureOf(error) : null
      answered(this.refusal)
    })
  }

  leave(done: () => void): void {
    this.ended = true
    if (this.client === null) return done()
    this.client.end(false, {}, done)
  }

  abandon(): void {
    this.ended = true
    // `end` after an earlier `end` does nothing, so the socket is destroyed by hand as well.
    this.client?.end(true)
    this.client?.stream.destroy()
  }

  private start(options: ConnectionOptions): MqttClient | null {
    try {
      const client = patiently(() => connectClient(clientOptions(options)))
      this.listen(client, options)
      return client
    } catch (error) {
      queueMicrotask(() => this.end(failureOf(error)))
      return null
    }
  }

  /** All listeners are attached before the socket can have said anything: mqtt.js keeps no event for late ones. */
  private listen(client: MqttClient, options: ConnectionOptions): void {
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'connack') keepAsking(packet, options.keepaliveS)
    })
    client.on('connect', (packet) => {
      const { receiveMaximum = RECEIVE_MAXIMUM_DEFAULT, maximumPacketSize = Infinity } = packet.properties ?? {}
      if (!this.ended) this.events.connected(receiveMaximum, maximumPacketSize)
    })
    client.on('message', (topic, payload, packet) => {
      if (this.ended) return
      if (this.early === null) this.events.message(topic, payload, packet.retain)
      else this.keepEarly(topic, payload, packet.retain)
    })
    client.on('disconnect', (packet) => this.end(failureOfReason(packet.reasonCode ?? 0, 'disconnected by the broker')))
    client.on('error', (error) => this.end(failureOf(error)))
    client.on('close', () => this.end(this.refusal ?? { kind: 'closed', detail: '' }))
    client.stream.once(options.server.protocol === 'mqtts' ? 'secureConnect' : 'connect', () => {
      if (!this.ended) this.events.reached()
    })
    this.filter(client.stream, options.packetBytesMax)
    // Small frames go out at once: Nagle's wait for an acknowledgement would cost up to 40 ms each.
    if (client.stream instanceof Socket) client.stream.setNoDelay(true)
  }

  /** Sees what the socket hands on before mqtt.js does, which has no bound of its own. */
  private filter(stream: MqttClient['stream'], packetBytesMax: number): void {
    const filter = new PacketFilter(packetBytesMax - PACKET_LENGTH_BYTES_MAX, {
      skipped: () => {
        if (!this.ended) this.events.skipped('oversize')
      },
      broken: () => queueMicrotask(() => this.end({ kind: 'protocol', detail: 'a packet without an end' })),
    })
    const push = stream.push.bind(stream)
    stream.push = (chunk: unknown) => push(Buffer.isBuffer(chunk) ? filter.take(chunk) : chunk)
  }

  private keepEarly(topic: string, payload: Buffer, isRetained: boolean): void {
    this.earlyBytes += payload.length
    if (this.early === null || this.early.length >= MQTT_EARLY_MESSAGES_MAX || this.earlyBytes > MQTT_EARLY_BYTES_MAX)
      return this.events.skipped('full')
    this.early.push([topic, payload, isRetained])
  }

  /** What came before is told now. */
  private begin(): void {
    const early = this.early ?? []
    this.early = null
    this.events.subscribed()
    for (const message of early) if (!this.ended) this.events.message(...message)
  }

  private end(failure: Failure): void {
    if (this.ended) return
    this.abandon()
    this.events.over(failure)
  }
}

/**
 * Node.js gives up an address for the next one after a quarter of a second, for good: over a slow line it would never reach a
 * broker by the first of two. mqtt.js passes no wish on, and what holds for the process is read when a socket starts.
 */
function patiently<T>(start: () => T): T {
  const before = getDefaultAutoSelectFamilyAttemptTimeout()
  setDefaultAutoSelectFamilyAttemptTimeout(CONNECT_ADDRESS_TIMEOUT_MS)
  try {
    return start()
  } finally {
    setDefaultAutoSelectFamilyAttemptTimeout(before)
  }
}

/** A broker may say how often it wants to hear at least; whoever asks as rarely notices a dead way as late. */
function keepAsking({ properties }: IConnackPacket, keepaliveS: number): void {
  if ((properties?.serverKeepAlive ?? 0) > keepaliveS) delete properties?.serverKeepAlive
}

/** Help for tools and for the broker's queues; nothing depends on it, since 3.1.1 has none of it. */
function propertiesOf(outgoing: Outgoing): NonNullable<IClientPublishOptions['properties']> {
  const userProperties = { v: TOPICS_VERSION }
  if (outgoing.isJson) return { contentType: 'application/json', payloadFormatIndicator: true, userProperties }
  if (outgoing.retain) return { contentType: 'text/plain', payloadFormatIndicator: true, userProperties }
  const contentType = 'application/cbor'
  const expiry = outgoing.priority === 'control' ? { messageExpiryInterval: MQTT_MESSAGE_EXPIRY_S } : {}
  return { contentType, userProperties, ...expiry }
}

function clientOptions(options: ConnectionOptions): IClientOptions {
  const { server, version, tls, checkServer } = options
  const username = options.username ?? server.username ?? ''
  const password = options.password ?? server.password ?? ''
  return {
    protocol: server.protocol,
    host: server.host,
    port: server.port,
    protocolVersion: version,
    clientId: options.clientId,
    clean: true,
    keepalive: options.keepaliveS,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT_BEYOND_OURS_MS,
    resubscribe: false,
    queueQoSZero: false,
    // Its own would ask some ten times for each packet whether anybody listens.
    log: () => {},
    // Else it makes a buffer for each number of 16 bits, which takes 7 MiB.
    writeCache: false,
    // NATS refuses a user that is there but empty.
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    ...(tls.ca && { ca: tls.ca }),
    ...(tls.cert && { cert: tls.cert }),
    ...(tls.key && { key: tls.key }),
    ...(checkServer && {
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkServer(commonNameOf(certificate)),
    }),
    // Nothing is to be kept for an absent gateway: what it missed is found by anti-entropy.
    ...(version === 5 && { properties: { maximumPacketSize: options.packetBytesMax, sessionExpiryInterval: 0 } }),
    ...(options.will && { will: { ...options.will, qos: 1, retain: true } }),
  }
}

/** Version of the contract of topics and payloads, for tools; frames carry their own. */
const TOPICS_VERSION = '1'
/** Reason codes from here on say no (MQTT 5, section 2.4; 3.1.1, section 3.9.3). */
const REFUSED = 0x80
/** What a broker of MQTT 5 takes that does not say (section 3.2.2.3.3), and what one of 3.1.1 is taken to take. */
const RECEIVE_MAXIMUM_DEFAULT = 65_535
/** Of the kind of a packet and its length, which a filter of packets does not count. */
const PACKET_LENGTH_BYTES_MAX = 5
/** The session's own deadline is shorter; mqtt.js cannot be told to have none. */
const CONNECT_TIMEOUT_BEYOND_OURS_MS = 600_000
