import type { Aedes, Client } from 'aedes'
import type { RetainedMessages, RetainedReader } from './retained-messages.ts'
import { RetainedQueue } from './retained-queue.ts'
import { SubscriptionBudget } from './subscription-budget.ts'

/** Lets clients subscribe within their budget, and sends them what is retained. */
export function boundSubscriptions(aedes: Aedes, retained: RetainedMessages): void {
  const budget = new SubscriptionBudget<Client>()
  const queues = new WeakMap<Client, RetainedQueue>()
  const queueOf = (client: Client): RetainedQueue => {
    const known = queues.get(client)
    if (known !== undefined) return known
    const queue = new RetainedQueue(retained, readerOf(client))
    queues.set(client, queue)
    client.conn.once('close', () => budget.forget(client))
    return queue
  }
  aedes.authorizeSubscribe = (client, subscription, done) => {
    if (client.closed || client.conn.destroyed) return done(new Error('its connection has ended'))
    const isAskedTooOften = queueOf(client).isFull
    const problem = isAskedTooOften
      ? 'it subscribes faster than it takes what is retained'
      : budget.add(client, subscription.topic)
    done(problem === null ? null : new Error(problem), subscription)
  }
  aedes.on('subscribe', (subscriptions, client) => queueOf(client).add(subscriptions))
  aedes.on('unsubscribe', (filters, client) => budget.remove(client, filters))
}

function readerOf(client: Client): RetainedReader {
  let sent = 0
  return {
    get isGone() {
      return client.closed
    },
    publish(message, done) {
      sent += 1
      // By these two aedes knows what a client has had already; what is retained is counted apart from what happens now.
      const apart = { brokerId: 'retained', brokerCounter: sent }
      client.publish({ cmd: 'publish', ...message, retain: true, dup: false, ...apart }, () => done())
    },
  }
}
