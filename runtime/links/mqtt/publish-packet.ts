/**
 * PUBLISH as a gateway sends it, in one piece (MQTT 5 and 3.1.1, section 3.3). mqtt.js clones each packet and writes it in
 * some fifteen pieces: of the time from a change on one gateway to its sight on another that was more than the broker takes.
 */
import { assert } from '../../base/errors.ts'
import { MQTT_MESSAGE_EXPIRY_S } from '../../base/limits.ts'
import type { Outgoing } from './outbox.ts'
import type { MqttVersion } from './session.ts'

/** With QoS 1. @param packetId 1 to {@link PACKET_ID_MAX} */
export function publishPacket(outgoing: Outgoing, packetId: number, version: MqttVersion): Buffer {
  const { topic, payload, retain } = outgoing
  const properties = version === 5 ? propertiesOf(outgoing) : NONE
  const topicBytes = Buffer.byteLength(topic)
  assert(topicBytes <= 0xffff && packetId > 0 && packetId <= PACKET_ID_MAX, 'topic and packet id fit their fields')
  const remaining = 2 + topicBytes + 2 + properties.length + payload.length
  const packet = Buffer.allocUnsafe(1 + lengthBytes(remaining) + remaining)
  packet[0] = PUBLISH_QOS_1 | (retain ? RETAIN : 0)
  let at = writeLength(packet, remaining, 1)
  at = packet.writeUInt16BE(topicBytes, at)
  at += packet.write(topic, at)
  at = packet.writeUInt16BE(packetId, at)
  packet.set(properties, at)
  packet.set(payload, at + properties.length)
  return packet
}

export const PACKET_ID_MAX = 0xffff

const PUBLISH_QOS_1 = 0x32
const RETAIN = 0x01

/** Help for tools and for the broker's queues; nothing depends on it, since 3.1.1 has none of it. */
function propertiesOf({ isJson, retain, control }: Outgoing): Buffer {
  if (isJson === true) return JSON_PROPERTIES
  if (retain) return TEXT_PROPERTIES
  return control ? CONTROL_PROPERTIES : FRAME_PROPERTIES
}

const NONE: Buffer = Buffer.alloc(0)
/** Payload format indicator (MQTT 5, section 3.3.2.3.2): the payload is UTF-8. */
const IS_TEXT: readonly number[] = [0x01, 1]
/** Message expiry interval (section 3.3.2.3.3). */
const EXPIRES: readonly number[] = [0x02, 0, 0, 0, MQTT_MESSAGE_EXPIRY_S]
/** User property `v` (section 3.3.2.3.7): the version of the contract of topics and payloads, for tools; frames carry their own. */
const CONTRACT_1: readonly number[] = [0x26, 0, 1, 0x76, 0, 1, 0x31]

const JSON_PROPERTIES: Buffer = sized([...IS_TEXT, ...contentType('application/json'), ...CONTRACT_1])
const TEXT_PROPERTIES: Buffer = sized([...IS_TEXT, ...contentType('text/plain'), ...CONTRACT_1])
const FRAME_PROPERTIES: Buffer = sized([...contentType('application/cbor'), ...CONTRACT_1])
const CONTROL_PROPERTIES: Buffer = sized([...EXPIRES, ...contentType('application/cbor'), ...CONTRACT_1])

/** Section 3.3.2.3.9. */
function contentType(name: string): readonly number[] {
  return [0x03, 0, name.length, ...Buffer.from(name)]
}

function sized(properties: readonly number[]): Buffer {
  return Buffer.from([properties.length, ...properties])
}

/** Section 1.5.5: seven bits in each byte, the lowest first. */
function writeLength(packet: Buffer, length: number, start: number): number {
  let at = start
  let rest = length
  while (rest > 127) {
    packet[at] = (rest & 127) | 128
    rest >>>= 7
    at += 1
  }
  packet[at] = rest
  return at + 1
}

function lengthBytes(length: number): number {
  return length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4
}
