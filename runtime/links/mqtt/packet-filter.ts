/** What a filter tells. None of these may throw. */
export interface PacketFilterEvents {
  /** A message was longer than any that is taken, and is left out. */
  skipped(): void
  /** A packet that is no message states such a length. Nothing after it is passed on. */
  broken(): void
}

/**
 * Leaves messages out of what comes from a broker that are longer than any of this fleet (MQTT 3.1.1, sections 2.2 and 3.3). Whoever
 * parses a packet holds it until its end has come, and MQTT 3.1.1 has no way to tell a broker how much that may be: one
 * retained message of 256 MiB would end a small machine at each start. To end the connection instead would do the same to it.
 */
export class PacketFilter {
  readonly #bytesMax: number
  readonly #events: PacketFilterEvents
  /** Of a packet whose length is not known yet: its kind, and its length as far as that came. */
  #head: number[] = []
  #fate: 'unknown' | 'pass' | 'skip' | 'broken' = 'unknown'
  /** Bytes of the packet under way that are still to come. */
  #rest = 0

  /** @param bytesMax of what follows the length of a packet */
  constructor(bytesMax: number, events: PacketFilterEvents) {
    this.#bytesMax = bytesMax
    this.#events = events
  }

  /** @returns what is left of `chunk`, behind the beginning of a packet that the chunk before ended with */
  take(chunk: Buffer): Buffer {
    const pieces: Buffer[] = []
    let from = 0
    let at = 0
    while (at < chunk.length && this.#fate !== 'broken') {
      if (this.#rest > 0) {
        const part = Math.min(this.#rest, chunk.length - at)
        this.#rest -= part
        at += part
        if (this.#fate === 'skip') from = at
        continue
      }
      const start = at
      const held = this.#head.slice()
      at = this.#readHead(chunk, at)
      if (this.#fate === 'pass') {
        if (held.length > 0) pieces.push(Buffer.from(held))
      } else {
        pieces.push(chunk.subarray(from, start))
        from = at
      }
    }
    if (pieces.length === 0 && from === 0 && this.#fate !== 'broken') return chunk
    if (this.#fate !== 'broken') pieces.push(chunk.subarray(from))
    return Buffer.concat(pieces)
  }

  /** @returns where the packet goes on */
  #readHead(chunk: Buffer, start: number): number {
    this.#fate = 'unknown'
    let at = start
    while (at < chunk.length && this.#fate === 'unknown') {
      this.#head.push(chunk[at] ?? 0)
      at += 1
      this.#judge()
    }
    return at
  }

  #judge(): void {
    const [kind = 0, ...digits] = this.#head
    const last = digits.at(-1)
    if (last === undefined || (last >= 0x80 && digits.length < LENGTH_BYTES_MAX)) return
    const length = digits.reduce((sum, digit, place) => sum + (digit & 0x7f) * 0x80 ** place, 0)
    if (last >= 0x80 || (length > this.#bytesMax && kind >> 4 !== PUBLISH)) {
      this.#fate = 'broken'
      return this.#events.broken()
    }
    this.#head = []
    this.#rest = length
    this.#fate = length > this.#bytesMax ? 'skip' : 'pass'
    if (this.#fate === 'skip') this.#events.skipped()
  }
}

const PUBLISH = 3
const LENGTH_BYTES_MAX = 4
