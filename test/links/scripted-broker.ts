import { createServer, type Socket } from 'node:net'

/** What a broker of MQTT 5 answers, byte for byte, where real ones cannot be made to. */
export interface Script {
  readonly connack: readonly number[]
  /** Reason codes for the five subscriptions; null for no answer at all. */
  readonly suback: readonly number[] | null
  /** Told of each SUBSCRIBE before it is answered. */
  subscribe(): void
  /** @param packetId two bytes */
  publish(socket: Socket, packetId: readonly [number, number], topic: string): void
}

export interface ScriptedBroker {
  readonly port: number
  end(): Promise<void>
}

export const ACCEPTED: readonly number[] = [0x20, 3, 0, 0, 0]
export const SUBSCRIBED: readonly number[] = [0, 0, 0, 0, 0]

export async function startScriptedBroker(script: Script): Promise<ScriptedBroker> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let pending = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      for (let packet = firstPacket(pending); packet !== null; packet = firstPacket(pending)) {
        pending = pending.subarray(packet.bytes)
        answer(script, socket, packet)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    end() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

export interface Packet {
  readonly type: number
  readonly flags: number
  readonly body: Buffer
  readonly bytes: number
}

/** MQTT 5, section 2.1. */
export function firstPacket(pending: Buffer): Packet | null {
  let length = 0
  for (let index = 1; index < 5; index += 1) {
    const byte = pending[index]
    if (byte === undefined) return null
    length += (byte & 0x7f) << (7 * (index - 1))
    if (byte >= 0x80) continue
    const bytes = index + 1 + length
    if (pending.length < bytes) return null
    const head = pending[0] ?? 0
    return { type: head >> 4, flags: head & 0x0f, body: pending.subarray(index + 1, bytes), bytes }
  }
  throw new Error('the length of a packet has four bytes at most')
}

function answer(script: Script, socket: Socket, { type, body }: Packet): void {
  const CONNECT = 1
  const PUBLISH = 3
  const SUBSCRIBE = 8
  if (type === CONNECT) socket.write(Buffer.from(script.connack))
  if (type === SUBSCRIBE) script.subscribe()
  if (type === SUBSCRIBE && script.suback !== null) {
    socket.write(Buffer.from([0x90, 3 + script.suback.length, body[0] ?? 0, body[1] ?? 0, 0, ...script.suback]))
  }
  if (type === PUBLISH) {
    const at = 2 + body.readUInt16BE(0)
    script.publish(socket, [body[at] ?? 0, body[at + 1] ?? 0], body.toString('utf8', 2, at))
  }
}

/** PUBLISH of MQTT 5 with QoS 0 (section 3.3), of less than 128 bytes. */
export function say(socket: Socket, topic: string, text: string): void {
  const body = Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic), Buffer.from([0]), Buffer.from(text)])
  socket.write(Buffer.concat([Buffer.from([0x30, body.length]), body]))
}

/** The same with a payload of zeros, whose length takes four bytes. */
export function sayLong(socket: Socket, topic: string, payloadBytes: number): void {
  const head = Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic), Buffer.from([0])])
  const length = head.length + payloadBytes
  const digits = [0, 7, 14].map((shift) => 0x80 | ((length >> shift) & 0x7f))
  socket.write(Buffer.concat([Buffer.from([0x30, ...digits, length >> 21]), head, Buffer.alloc(payloadBytes)]))
}
