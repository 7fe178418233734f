import { Readable } from 'node:stream'
import type { RetainedMessage, RetainedMessages } from './retained-messages.ts'

interface Identified {
  readonly id: string
}

interface Numbered {
  readonly messageId?: number | undefined
}

/**
 * What aedes asks of the place where it keeps things, in memory. Every session is a clean one, so no queue and no subscription
 * is kept; what is retained is sent by `retained-messages.ts`. Of a message with QoS 2 no more than its number is
 * kept until it is released, since nobody ever asks for the rest.
 */
export class BrokerMemory {
  readonly #retained: RetainedMessages
  /** By client, the numbers of its messages with QoS 2 that it has not released. */
  readonly #unreleased = new Map<string, Set<number>>()

  constructor(retained: RetainedMessages) {
    this.#retained = retained
  }

  async setup(): Promise<void> {}

  async storeRetained(packet: RetainedMessage): Promise<void> {
    this.#retained.keep(packet)
  }

  createRetainedStreamCombi(): Readable {
    return Readable.from([])
  }

  async incomingStorePacket({ id }: Identified, { messageId = 0 }: Numbered): Promise<void> {
    const numbers = this.#unreleased.get(id) ?? new Set()
    this.#unreleased.set(id, numbers.add(messageId))
  }

  async incomingGetPacket({ id }: Identified, packet: Numbered): Promise<Numbered> {
    if (this.#unreleased.get(id)?.has(packet.messageId ?? 0) === true) return packet
    throw new Error('no such packet')
  }

  async incomingDelPacket({ id }: Identified, { messageId = 0 }: Numbered): Promise<void> {
    if (this.#unreleased.get(id)?.delete(messageId) !== true) throw new Error('no such packet')
  }

  async cleanIncoming({ id }: Identified): Promise<void> {
    this.#unreleased.delete(id)
  }

  async cleanSubscriptions(): Promise<void> {}

  async subscriptionsByTopic(): Promise<readonly never[]> {
    return []
  }

  async outgoingEnqueueCombi(): Promise<void> {}

  async outgoingClearMessageId(): Promise<void> {}

  outgoingStream(): Readable {
    return Readable.from([])
  }

  /** aedes keeps a will with its client. What is here would be that of brokers which have died. */
  async putWill(): Promise<void> {}

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([])
  }
}
