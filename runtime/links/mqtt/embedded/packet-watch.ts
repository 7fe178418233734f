import type { Socket } from 'node:net'
import {
  BROKER_CONNECT_BYTES_MAX,
  BROKER_UNFINISHED_BYTES_MAX,
  MIRROR_PAYLOAD_BYTES_MAX,
  MQTT_PACKET_HEAD_BYTES_MAX,
} from '../../../base/limits.ts'
import { PacketLengths } from '../packet-lengths.ts'

/**
 * Ends connections before aedes holds too much for them: its parser keeps a packet until all of it has come, whatever length
 * it states, and whoever has sent no CONNECT may state one too.
 */
export class PacketWatch {
  /** By connection, those that began first at the front. */
  readonly #unfinished = new Map<Socket, number>()
  #unfinishedBytes = 0

  /** Call it once `socket` is read by somebody else: this one sees what they read. */
  watch(socket: Socket): void {
    const lengths = new PacketLengths(PACKET_BYTES_MAX)
    socket.on('data', (chunk: Buffer) => {
      const bytesMax = lengths.packets === 0 ? BROKER_CONNECT_BYTES_MAX : PACKET_BYTES_MAX
      if (!lengths.take(chunk, bytesMax)) socket.destroy(new Error(`a packet of more than ${bytesMax} bytes`))
      this.#note(socket, socket.destroyed ? 0 : lengths.unfinishedBytes)
    })
    socket.once('close', () => this.#note(socket, 0))
  }

  #note(socket: Socket, bytes: number): void {
    this.#unfinishedBytes += bytes - (this.#unfinished.get(socket) ?? 0)
    if (bytes === 0) this.#unfinished.delete(socket)
    else this.#unfinished.set(socket, bytes)
    while (this.#unfinishedBytes > BROKER_UNFINISHED_BYTES_MAX) this.#endFirst()
  }

  /** Whoever has not finished for the longest time. */
  #endFirst(): void {
    for (const socket of this.#unfinished.keys()) {
      socket.destroy(new Error('too many packets have come in part'))
      return this.#note(socket, 0)
    }
  }
}

const PACKET_BYTES_MAX: number = MIRROR_PAYLOAD_BYTES_MAX + MQTT_PACKET_HEAD_BYTES_MAX
