import { connect, createServer, type Socket } from 'node:net'

/** A way to a broker that a test can break. */
export interface TcpProxy {
  readonly port: number
  /** Connections stay, and nothing passes any more, as behind a router that lost its table. */
  freeze(): void
  /** What is sent on connections that are made from now on arrives so much later, in both directions. */
  delay(delayMs: number): void
  /** All connections end without a word, and new ones are closed at once. */
  sever(): void
  /** New connections pass again. */
  mend(): void
  end(): Promise<void>
}

/** Sees what passes. @param connection counts them from 1 */
export type Tap = (chunk: Buffer, from: 'client' | 'server', connection: number) => void

/**
 * @param admit sees the first bytes of a client; when it says false, that client is never answered
 * @param place where it listens, and the host that it leads to; loopback has many addresses
 */
export async function startTcpProxy(
  to: number,
  admit: (first: Buffer) => boolean = () => true,
  place: { readonly port: number; readonly toHost: string } = { port: 0, toHost: '127.0.0.1' },
  tap: Tap = () => {},
): Promise<TcpProxy> {
  let connections = 0
  const sockets = new Set<Socket>()
  let severed = false
  let frozen = false
  let delayMs = 0
  const pass = (source: Socket, target: Socket): void => {
    if (delayMs === 0) source.pipe(target)
    else source.on('data', (chunk) => setTimeout(() => target.write(chunk), delayMs))
  }
  const track = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    track(client)
    if (severed) {
      client.destroy()
      return
    }
    client.once('data', (first) => {
      if (!admit(first)) return
      const upstream = connect({ host: place.toHost, port: to })
      track(upstream)
      connections += 1
      const connection = connections
      tap(first, 'client', connection)
      client.on('data', (chunk) => tap(chunk, 'client', connection))
      upstream.on('data', (chunk) => tap(chunk, 'server', connection))
      upstream.write(first)
      pass(client, upstream)
      pass(upstream, client)
      client.once('close', () => frozen || upstream.destroy())
      upstream.once('close', () => frozen || client.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: place.port }, resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    freeze() {
      frozen = true
      for (const socket of sockets) socket.unpipe().pause()
    },
    delay(ms) {
      delayMs = ms
    },
    sever() {
      severed = true
      for (const socket of sockets) socket.destroy()
    },
    mend() {
      severed = false
    },
    async end() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** The protocol level in a CONNECT packet (MQTT 3.1.1 and 5, section 3.1.2.2). */
export function protocolLevel(connectPacket: Buffer): number | undefined {
  return connectPacket[connectPacket.indexOf('MQTT') + 4]
}
