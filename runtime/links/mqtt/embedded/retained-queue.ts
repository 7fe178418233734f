import { CLIENT_SUBSCRIPTIONS_MAX } from '../../../base/limits.ts'
import type { RetainedMessages, RetainedReader, SubscribedFilter } from './retained-messages.ts'

/** Sends one client what is retained for it, filter by filter. */
export class RetainedQueue {
  readonly #messages: RetainedMessages
  readonly #reader: RetainedReader
  readonly #waiting: SubscribedFilter[] = []
  #isSending = false

  constructor(messages: RetainedMessages, reader: RetainedReader) {
    this.#messages = messages
    this.#reader = reader
  }

  /** It has as many filters to be served as it may have at all: it subscribes again and again. */
  get isFull(): boolean {
    return this.#waiting.length >= CLIENT_SUBSCRIPTIONS_MAX
  }

  add(filters: readonly SubscribedFilter[]): void {
    for (const filter of filters) this.#waiting.push(filter)
    if (!this.#isSending) void this.#sendAll()
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    for (let filter = this.#waiting.shift(); filter !== undefined; filter = this.#waiting.shift()) {
      if (!this.#reader.isGone) await this.#messages.send(filter, this.#reader)
    }
    this.#isSending = false
  }
}
