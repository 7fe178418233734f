import {
  BROKER_RETAINED_BYTES_MAX,
  BROKER_RETAINED_OVERHEAD_BYTES,
  BROKER_RETAINED_TOPICS_PER_LOOK,
} from '../../../base/limits.ts'

/** What lies at a topic for whoever subscribes. */
export interface RetainedMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
}

export interface SubscribedFilter {
  readonly topic: string
  readonly qos: 0 | 1 | 2
}

/** Gets what is retained. `sent` follows when it has taken the message, or is gone. */
export interface RetainedReader {
  readonly isGone: boolean
  publish(message: RetainedMessage, sent: () => void): void
}

/**
 * The retained messages of a broker, bounded with all that they take. Whoever subscribes gets his while others are served: one
 * SUBSCRIBE may hold hundreds of filters, and each has to be compared with every topic.
 */
export class RetainedMessages {
  readonly #messages = new Map<string, RetainedMessage>()
  #bytes = 0
  /** Those who look wait for each other, so that looks of many take no longer in one go than that of one. */
  #turn: Promise<void> = Promise.resolve()
  readonly #pause: () => Promise<void>

  /** @param pause lets others have their turn between two looks at many topics */
  constructor(pause: () => Promise<void>) {
    this.#pause = pause
  }

  /** @returns false if `topic` may not be retained with a payload of `payloadBytes`; an empty payload always may */
  hasRoomFor(topic: string, payloadBytes: number): boolean {
    const before = this.#bytesOf(topic)
    const after = payloadBytes === 0 ? 0 : costOf(topic, payloadBytes)
    return after <= before || this.#bytes - before + after <= BROKER_RETAINED_BYTES_MAX
  }

  /** Drops what there is no room for. An empty payload takes away what lies there. */
  keep({ topic, payload, qos }: RetainedMessage): void {
    if (!this.hasRoomFor(topic, payload.length)) return
    this.#bytes -= this.#bytesOf(topic)
    if (payload.length === 0) return void this.#messages.delete(topic)
    this.#messages.set(topic, { topic, payload: copyOf(payload), qos })
    this.#bytes += costOf(topic, payload.length)
  }

  /** Sends `reader` all that lies at topics of `filter`. Never rejects. */
  async send(filter: SubscribedFilter, reader: RetainedReader): Promise<void> {
    const { topic, qos } = filter
    if (!/[+#]/.test(topic)) {
      const message = this.#messages.get(topic)
      if (message !== undefined) await publish(message, qos, reader)
      return
    }
    const matches = matcherOf(topic)
    const topics = this.#messages.keys()
    for (let found = await this.#look(topics, matches); found !== null; found = await this.#look(topics, matches)) {
      for (const name of found) {
        const message = this.#messages.get(name)
        if (reader.isGone) return
        if (message !== undefined) await publish(message, qos, reader)
      }
    }
  }

  /** @returns those of the next topics that match, or null after the last one */
  async #look(topics: Iterator<string>, matches: (topic: string) => boolean): Promise<readonly string[] | null> {
    const turn = this.#turn
    this.#turn = turn.then(() => this.#pause())
    await turn
    const found: string[] = []
    let looked = 0
    for (let next = topics.next(); next.done !== true; next = topics.next()) {
      if (matches(next.value)) found.push(next.value)
      looked += 1
      if (looked === BROKER_RETAINED_TOPICS_PER_LOOK) break
    }
    return looked === 0 ? null : found
  }

  #bytesOf(topic: string): number {
    const message = this.#messages.get(topic)
    return message === undefined ? 0 : costOf(topic, message.payload.length)
  }
}

/** With memory of its own: a payload of one byte is a window on all that its connection had sent, and would keep that. */
function copyOf(payload: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(payload.length)
  copy.set(payload)
  return copy
}

function publish(message: RetainedMessage, qos: 0 | 1 | 2, reader: RetainedReader): Promise<void> {
  return new Promise((resolve) => {
    reader.publish(message.qos <= qos ? message : { ...message, qos }, resolve)
  })
}

/** The engine's worst case for text, and what stands around a message. */
function costOf(topic: string, payloadBytes: number): number {
  return BROKER_RETAINED_OVERHEAD_BYTES + topic.length * 2 + payloadBytes
}

/** MQTT 3.1.1, section 4.7. No topic that is retained here begins with `$`. */
function matcherOf(filter: string): (topic: string) => boolean {
  const levels = filter.split('/')
  const isOpen = levels.at(-1) === '#'
  if (isOpen) levels.pop()
  return (topic) => {
    let at = 0
    for (const level of levels) {
      // Behind the last level.
      if (at > topic.length) return false
      const slash = topic.indexOf('/', at)
      const end = slash < 0 ? topic.length : slash
      if (level !== '+' && (level.length !== end - at || !topic.startsWith(level, at))) return false
      at = end + 1
    }
    return isOpen || at > topic.length
  }
}
