import { BROKER_FILTER_BYTES_MAX, BROKER_SUBSCRIPTIONS_MAX, CLIENT_SUBSCRIPTIONS_MAX } from '../../../base/limits.ts'

/** How many subscriptions the clients of a broker have: each message is compared with all of them, and each takes a kilobyte. */
export class SubscriptionBudget<Client extends object> {
  readonly #filters = new Map<Client, Set<string>>()
  #total = 0

  /** @returns why `client` may not have this one too, or null: it has it from now on */
  add(client: Client, filter: string): string | null {
    if (filter.length > BROKER_FILTER_BYTES_MAX) return `a filter has at most ${BROKER_FILTER_BYTES_MAX} bytes`
    const own = this.#filters.get(client) ?? new Set()
    if (own.has(filter)) return null
    if (own.size >= CLIENT_SUBSCRIPTIONS_MAX) return `a client has at most ${CLIENT_SUBSCRIPTIONS_MAX} subscriptions`
    if (this.#total >= BROKER_SUBSCRIPTIONS_MAX)
      return `all clients have at most ${BROKER_SUBSCRIPTIONS_MAX} subscriptions`
    this.#filters.set(client, own.add(filter))
    this.#total += 1
    return null
  }

  remove(client: Client, filters: readonly string[]): void {
    const own = this.#filters.get(client)
    for (const filter of filters) if (own?.delete(filter) === true) this.#total -= 1
  }

  /** The client is gone. */
  forget(client: Client): void {
    this.#total -= this.#filters.get(client)?.size ?? 0
    this.#filters.delete(client)
  }
}
