/**
 * A broker inside the gateway, so that a small fleet needs nothing installed: aedes, which speaks MQTT 3.1.1, over plain
 * TCP, or over TLS where it is given certificates. It is in a module of its own so that a gateway without a broker never loads it.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import { Aedes, type Client } from 'aedes'
import type { Clock } from '../../base/clock.ts'
import { FleetstepError } from '../../base/errors.ts'
import {
  BROKER_CONCURRENCY,
  BROKER_CONNECTIONS_MAX,
  BROKER_DRAIN_TIMEOUT_MS,
  FRAME_BYTES_MAX,
  MIRROR_PAYLOAD_BYTES_MAX,
  MQTT_CONNECT_TIMEOUT_MS,
} from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import { RareLines, shownName } from '../rare-lines.ts'
import { commonNameOf } from './certificate.ts'
import { BrokerMemory } from './embedded/broker-memory.ts'
import { PacketWatch } from './embedded/packet-watch.ts'
import { RetainedMessages } from './embedded/retained-messages.ts'
import { boundSubscriptions } from './embedded/subscribing.ts'
import { formatAddress } from './peers/addresses.ts'
import type { MutualTls } from './servers.ts'

export interface EmbeddedBrokerOptions {
  /** Address to listen on; 127.0.0.1 keeps strangers out, since this broker asks nobody for a password. */
  readonly host: string
  /** TCP port; 0 takes a free one. */
  readonly port: number
  readonly logger: Logger
  /** Without it long work is not spread over time, and no line of the log is left out. */
  readonly clock?: Clock | undefined
  /** Set where the broker is the post box of one gateway; without it everybody may publish everywhere. */
  readonly owner?: BrokerOwner | undefined
  /** With it, nobody is let in whose certificate is not of the same authority. */
  readonly tls?: MutualTls | undefined
}

/** The gateway that a broker belongs to: it says what its guests may do, and hears of them. None of these may throw. */
export interface BrokerOwner {
  /** @param certified the name in the client's certificate; null without TLS */
  mayConnect(clientId: string, certified: string | null): boolean
  /** Whether that guest may publish there; else it is disconnected. What it publishes is not retained. */
  mayPublish(clientId: string, topic: string): boolean
  /** A guest has published this. */
  take(clientId: string, topic: string, payload: Buffer): void
  /** Whether what was published there is passed on to that guest. */
  mayForward(clientId: string, topic: string): boolean
  subscribed(guest: Guest, filters: readonly string[]): void
  left(guest: Guest): void
}

/** One connection of a client; another one of the same client is another guest. */
export interface Guest {
  readonly clientId: string
  /** Where it comes from; empty if that is not known. */
  readonly address: string
}

export interface EmbeddedBroker {
  /** The port that it listens on. */
  readonly port: number
  /** Publishes with QoS 0 as the owner. `done` follows when all who listen have taken it, or were given up. */
  publish(topic: string, payload: Buffer, retain: boolean, done: () => void): void
  /** Disconnects everybody and frees the port. Never rejects; may be called again. */
  close(): Promise<void>
}

/**
 * Starts a broker and resolves once it takes connections. It keeps nothing over a restart, and no sessions at all.
 * @throws FleetstepError `port-in-use`; `config-invalid` if this machine cannot listen there
 */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { host, logger, clock } = options
  const strangers =
    clock &&
    new RareLines(
      (line) => logger.warn(line),
      () => clock.now(),
    )
  const say = (line: string): void => (strangers ? strangers.say(line) : logger.warn(line))
  const aedes = await createAedes(options, say)
  const sockets = new Set<Socket>()
  const packets = new PacketWatch()
  const server = serverOf(options, say, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    aedes.handle(socket)
    packets.watch(socket)
  })
  server.maxConnections = BROKER_CONNECTIONS_MAX
  try {
    await listen(server, options)
  } catch (error) {
    await closeAedes(aedes)
    throw explained(error, options)
  }
  server.on('error', (error) => logger.error(`embedded broker on ${host}: ${error.message}`))
  const port = portOf(server)
  logger.info(`embedded broker listens on ${formatAddress({ host, port })}`)
  let closing: Promise<void> | null = null
  return {
    port,
    publish(topic, payload, retain, done) {
      aedes.publish({ cmd: 'publish', topic, payload, qos: 0, retain, dup: false }, () => done())
    },
    close: () => (closing ??= closeAll(server, sockets, aedes)),
  }
}

function serverOf(
  { host, tls }: EmbeddedBrokerOptions,
  say: (line: string) => void,
  take: (socket: Socket) => void,
): Server {
  if (tls === undefined) return createServer({ noDelay: true }, take)
  const refuse = (reason: unknown, socket: TLSSocket): void => {
    const from = socket.remoteAddress ?? 'somebody who is gone'
    say(`embedded broker on ${host}: TLS with ${from} failed (${String(reason)}): check its ca, cert and key`)
    socket.destroy()
  }
  const { ca, cert, key } = tls
  // Node.js would end those without a valid certificate in silence.
  const wish = { requestCert: true, rejectUnauthorized: false, handshakeTimeout: MQTT_CONNECT_TIMEOUT_MS }
  const server = createTlsServer({ ...wish, ca, cert, key, noDelay: true }, (socket) => {
    if (socket.authorized) take(socket)
    else refuse(socket.authorizationError, socket)
  })
  server.on('tlsClientError', (error, socket) => refuse(error.message, socket))
  return server
}

/** The name in a client's certificate, which TLS has checked; null without TLS. */
function certifiedName(socket: unknown): string | null {
  return socket instanceof TLSSocket ? commonNameOf(socket.getPeerCertificate()) : null
}

async function createAedes(options: EmbeddedBrokerOptions, say: (line: string) => void): Promise<Aedes> {
  const { logger, owner, clock } = options
  const pause = (): Promise<void> => (clock === undefined ? Promise.resolve() : pauseOf(clock))
  const retained = new RetainedMessages(pause)
  const aedes = await Aedes.createBroker({
    concurrency: BROKER_CONCURRENCY,
    connectTimeout: MQTT_CONNECT_TIMEOUT_MS,
    drainTimeout: BROKER_DRAIN_TIMEOUT_MS,
    maxClientsIdLength: CLIENT_ID_CHARACTERS_MAX,
    persistence: new BrokerMemory(retained),
    // aedes keeps the queue of an absent session in memory without a bound, so every session is a clean one here. Both
    // versions of MQTT let a broker forget a session, and whatever was missed is found by anti-entropy.
    preConnect: (_client, packet, done) => {
      packet.clean = true
      // The payload is a window on all that the connection has sent so far, which would stay as long as it does.
      if (packet.will) packet.will.payload = Buffer.from(packet.will.payload)
      done(null, true)
    },
    ...(owner && {
      authenticate: (client, _username, _password, done) => {
        const isWelcome = owner.mayConnect(client.id, certifiedName(client.conn))
        if (isWelcome) done(null, true)
        else
          done(Object.assign(new Error('its certificate is not of that node'), { returnCode: NOT_AUTHORISED }), false)
      },
    }),
    // An error closes the connection of the publisher: MQTT 3.1.1 has no other answer.
    authorizePublish: (client, packet, done) => {
      const bytes = packet.payload.length
      const bytesMax = owner === undefined ? MIRROR_PAYLOAD_BYTES_MAX : FRAME_BYTES_MAX
      if (packet.topic.startsWith('$')) return done(new Error('topics that begin with $ are the broker’s'))
      if (bytes > bytesMax) return done(new Error(`message of ${bytes} bytes; at most ${bytesMax} are taken`))
      if (owner !== undefined && client !== null) {
        if (!owner.mayPublish(client.id, packet.topic)) return done(new Error(`may not publish ${packet.topic}`))
        packet.retain = false
        owner.take(client.id, packet.topic, Buffer.from(packet.payload))
      }
      if (packet.retain && !retained.hasRoomFor(packet.topic, bytes))
        return done(new Error('too much is retained already'))
      done(null)
    },
    ...(owner && { authorizeForward: (client, packet) => (owner.mayForward(client.id, packet.topic) ? packet : null) }),
  })
  boundSubscriptions(aedes, retained)
  if (owner !== undefined) announceGuests(aedes, owner)
  aedes.on('clientError', (client, error) =>
    say(`embedded broker: client ${shownName(client.id)}: ${shownName(error.message)}`),
  )
  aedes.on('connectionError', (_client, error) => logger.debug(`embedded broker: new connection: ${error.message}`))
  // Without a listener an error event would end the process.
  onError(aedes, (error) => logger.error(`embedded broker: ${String(error)}`))
  return aedes
}

/** Until everything that waits now has had its turn. */
function pauseOf(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(clock.now(), resolve)
  })
}

function announceGuests(aedes: Aedes, owner: BrokerOwner): void {
  const guests = new WeakMap<Client, Guest>()
  aedes.on('subscribe', (subscriptions, client) => {
    const address = 'remoteAddress' in client.conn ? (client.conn.remoteAddress ?? '') : ''
    const guest = guests.get(client) ?? { clientId: client.id, address }
    guests.set(client, guest)
    owner.subscribed(
      guest,
      subscriptions.map(({ topic }) => topic),
    )
  })
  aedes.on('clientDisconnect', (client) => {
    const guest = guests.get(client)
    if (guest !== undefined) owner.left(guest)
  })
}

/** MQTT 3.1.1, section 3.2.2.3. */
const NOT_AUTHORISED = 5
/** MQTT 3.1 wanted 23 at most; our client ids have 19, those of other tools are longer. */
const CLIENT_ID_CHARACTERS_MAX = 64

/** aedes emits `error` without saying so in its types. */
function onError(emitter: NodeJS.EventEmitter, listener: (error: unknown) => void): void {
  emitter.on('error', listener)
}

function listen(server: Server, { host, port }: EmbeddedBrokerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function explained(error: unknown, { host, port }: EmbeddedBrokerOptions): FleetstepError {
  const code = error instanceof Error && 'code' in error ? error.code : null
  const where = formatAddress({ host, port })
  if (code === 'EADDRINUSE') {
    const message = `the embedded broker cannot listen on ${where}, which another program uses: stop that one, or choose another port`
    return new FleetstepError('port-in-use', message, { cause: error })
  }
  const reason = error instanceof Error ? error.message : String(error)
  const advice = code === 'EACCES' ? 'choose a port above 1023' : 'choose an address of this machine and a free port'
  const message = `the embedded broker cannot listen on ${where} (${reason}): ${advice}`
  return new FleetstepError('config-invalid', message, { cause: error })
}

async function closeAll(server: Server, sockets: ReadonlySet<Socket>, aedes: Aedes): Promise<void> {
  const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
  await closeAedes(aedes)
  // Those that have never sent CONNECT are not known to aedes.
  for (const socket of sockets) socket.destroy()
  await stopped
}

function closeAedes(aedes: Aedes): Promise<void> {
  return new Promise((resolve) => aedes.close(() => resolve()))
}
