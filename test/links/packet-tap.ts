import { firstPacket, type Packet } from './scripted-broker.ts'
import type { Tap } from './tcp-proxy.ts'

/** A packet of MQTT 5 that has passed, in the order in which they passed in both directions. */
export interface PassedPacket {
  readonly connection: number
  readonly from: 'client' | 'server'
  readonly name: string
  /** Of a PUBLISH. */
  readonly topic: string
  readonly payload: Buffer
}

/** @param passed called for each packet, whole, before it goes on */
export function packetTap(passed: (packet: PassedPacket) => void): Tap {
  const pending = new Map<string, Buffer>()
  return (chunk, from, connection) => {
    const way = `${connection} ${from}`
    let rest = Buffer.concat([pending.get(way) ?? Buffer.alloc(0), chunk])
    for (let packet = firstPacket(rest); packet !== null; packet = firstPacket(rest)) {
      rest = rest.subarray(packet.bytes)
      passed({ connection, from, ...read(packet) })
    }
    pending.set(way, rest)
  }
}

/** By its number (MQTT 5, section 2.1.2). */
const NAMES: readonly string[] = ['', 'CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', '', '', '', 'SUBSCRIBE', 'SUBACK']

/** A PUBLISH as section 3.3 has it: topic, packet identifier unless its QoS is 0, properties, payload. */
function read({ type, flags, body }: Packet): Omit<PassedPacket, 'connection' | 'from'> {
  const name = NAMES[type] ?? ''
  if (name !== 'PUBLISH') return { name, topic: '', payload: Buffer.alloc(0) }
  const topicEnd = 2 + body.readUInt16BE(0)
  const propertiesAt = topicEnd + ((flags & 0b110) === 0 ? 0 : 2)
  const length = body[propertiesAt] ?? 0
  if (length >= 0x80) throw new Error('the properties of a gateway are short')
  return { name, topic: body.toString('latin1', 2, topicEnd), payload: body.subarray(propertiesAt + 1 + length) }
}
