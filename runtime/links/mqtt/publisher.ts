import { type Failure, failureOfReason } from './failure.ts'
import type { Outgoing } from './outbox.ts'
import { PACKET_ID_MAX, publishPacket } from './publish-packet.ts'
import type { MqttVersion } from './session.ts'

/** The socket of a connection, which takes whole packets between those of mqtt.js. */
interface PacketStream {
  readonly writable: boolean
  write(packet: Buffer): unknown
}

/** Gets the broker's failure, or null. */
export type Answered = (failure: Failure | null) => void

/** The publishes of one connection with QoS 1, and who waits for their acknowledgements: as many as the window lets through. */
export class Publisher {
  readonly #stream: PacketStream
  readonly #version: MqttVersion
  readonly #waiting = new Map<number, Answered>()
  #lastId = 0
  #whenIdle: (() => void) | null = null

  constructor(stream: PacketStream, version: MqttVersion) {
    this.#stream = stream
    this.#version = version
  }

  publish(outgoing: Outgoing, answered: Answered): void {
    if (!this.#stream.writable) return
    const id = this.#nextId()
    this.#waiting.set(id, answered)
    this.#stream.write(publishPacket(outgoing, id, this.#version))
  }

  /** PUBACK. @param reason of MQTT 5 (section 3.4.2.1); 3.1.1 has none */
  acknowledge(id: number, reason: number): void {
    const answered = this.#waiting.get(id)
    if (answered === undefined) return
    this.#waiting.delete(id)
    answered(reason < REFUSED ? null : failureOfReason(reason, 'publish refused'))
    if (this.#waiting.size > 0) return
    this.#whenIdle?.()
    this.#whenIdle = null
  }

  /** Calls `done` once the broker has answered to all; possibly never. */
  whenIdle(done: () => void): void {
    if (this.#waiting.size === 0) done()
    else this.#whenIdle = done
  }

  /** The window is much smaller than there are ids, so a free one is soon found. */
  #nextId(): number {
    do this.#lastId = this.#lastId === PACKET_ID_MAX ? 1 : this.#lastId + 1
    while (this.#waiting.has(this.#lastId))
    return this.#lastId
  }
}

/** Reason codes from here on say no (MQTT 5, section 2.4). */
const REFUSED = 0x80
