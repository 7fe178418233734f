import type { NodeId } from '../../../base/ids.ts'
import { isNodeId } from '../../../base/ids.ts'
import type { Channel } from '../../link.ts'
import { topicsOf, type ReceivedTopic, type Topics } from '../topics.ts'

/**
 * The topics of a guest in the post box of another gateway. What it publishes goes to the owner's inbox, so that the owner
 * alone gets it, since others have their own way to this node; or to all who have none.
 */
export class GuestTopics implements Topics {
  readonly presence: string
  readonly subscriptions: Topics['subscriptions']
  /** Who owns the post box; null until it has said so. */
  owner: NodeId | null = null
  /** The owner passes on what is published, to those that no more than dial out either. */
  isRelay = false
  readonly #all: Topics
  readonly #root: string
  readonly #node: NodeId

  constructor(fleet: string, node: NodeId) {
    this.#all = topicsOf(fleet, node)
    this.#root = `fleet/${fleet}/`
    this.#node = node
    this.presence = this.#all.presence
    this.subscriptions = [...this.#all.subscriptions, { filter: `${this.#root}n/+/at`, withoutOwn: true }]
  }

  of(channel: Channel): string {
    if (this.isRelay) return this.#all.of(channel)
    return `${this.#root}in/${this.owner ?? this.#node}/${this.#node}`
  }

  /** Where this node says at which addresses it and others are reached. */
  get whereabouts(): string {
    return `${this.#root}n/${this.#node}/at`
  }

  parse(topic: string): ReceivedTopic | null {
    const [kind, node, last, ...rest] = topic.startsWith(this.#root) ? topic.slice(this.#root.length).split('/') : []
    if (kind === 'n' && last === 'at' && rest.length === 0 && isNodeId(node)) return { kind: 'addresses', node }
    return this.#all.parse(topic)
  }
}
