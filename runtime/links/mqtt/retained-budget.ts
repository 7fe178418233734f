/** Counts what a broker retains, topics included, and says when it is enough. */
export class RetainedBudget {
  private readonly bytesMax: number
  private readonly bytesByTopic = new Map<string, number>()
  private bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** @returns false if `topic` may not be retained with a payload of `payloadBytes`; an empty payload always may */
  take(topic: string, payloadBytes: number): boolean {
    const before = this.bytesByTopic.get(topic) ?? 0
    const after = payloadBytes === 0 ? 0 : topic.length * BYTES_PER_CHARACTER + payloadBytes
    const total = this.bytes - before + after
    if (after > before && total > this.bytesMax) return false
    if (after === 0) this.bytesByTopic.delete(topic)
    else this.bytesByTopic.set(topic, after)
    this.bytes = total
    return true
  }
}

/** The engine's worst case for text. */
const BYTES_PER_CHARACTER = 2
