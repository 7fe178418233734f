/**
 * Follows the lengths of the packets of one MQTT connection (MQTT 3.1.1, section 2.2) and keeps none of them: whoever parses
 * a packet holds it until its end has come, and a packet may state a length of 256 MiB.
 */
export class PacketLengths {
  readonly #bytesMax: number
  /** Bytes that came of the packet under way. */
  #begun = 0
  /** Bytes that are to come of it, once its length is known. */
  #rest = 0
  #length = 0
  #factor = 1
  #packets = 0

  /** @param bytesMax of what follows the length */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Packets that have come whole. */
  get packets(): number {
    return this.#packets
  }

  /** Bytes of a packet that has not come whole. */
  get unfinishedBytes(): number {
    return this.#begun
  }

  /** @returns false if a packet is longer than it may be, or states a length that none has: nothing after it can be read */
  take(chunk: Uint8Array, bytesMax: number = this.#bytesMax): boolean {
    let at = 0
    while (at < chunk.length) {
      if (this.#rest > 0) {
        const part = Math.min(this.#rest, chunk.length - at)
        at += part
        this.#begun += part
        this.#rest -= part
        if (this.#rest === 0) this.#end()
        continue
      }
      const byte = chunk[at] ?? 0
      at += 1
      this.#begun += 1
      // The first byte is the kind of the packet.
      if (this.#begun === 1) continue
      this.#length += (byte & 0x7f) * this.#factor
      this.#factor *= 0x80
      if (this.#length > bytesMax) return false
      if (byte < 0x80) this.#beginBody()
      else if (this.#factor >= 0x80 ** LENGTH_BYTES_MAX) return false
    }
    return true
  }

  #beginBody(): void {
    this.#rest = this.#length
    if (this.#rest === 0) this.#end()
  }

  #end(): void {
    this.#packets += 1
    this.#begun = 0
    this.#rest = 0
    this.#length = 0
    this.#factor = 1
  }
}

const LENGTH_BYTES_MAX = 4
