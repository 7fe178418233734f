import { digestOf } from '../../../base/digest.ts'
import { isNodeId, type NodeId } from '../../../base/ids.ts'
import type { Channel, Link, Waiting } from '../../link.ts'
import { mqttLink } from '../mqtt-link.ts'
import type { Outgoing } from '../outbox.ts'
import { formatAddress, type PeerAddress } from './addresses.ts'
import { GuestTopics } from './guest-topics.ts'
import type { PeersLinkOptions } from './options.ts'

/** What a session tells of the post box at its address. None of these may throw. */
export interface SessionEvents {
  /** The owner is there, and hears what is sent. */
  came(session: PeerSession): void
  /** The owner was there and is not any more. Told once for each `came`. */
  went(node: NodeId): void
  leaving(node: NodeId): void
  failed(session: PeerSession): void
  frame(payload: Uint8Array): void
  whereabouts(from: NodeId, payload: Buffer, host: string): void
  writable(): void
}

/** The way to one address: a guest in the post box of whoever is there, connected again and again. */
export class PeerSession {
  readonly address: PeerAddress
  /** It was named in the config, or somebody was met there: it is kept while nobody answers. */
  isKnown: boolean
  /** It has been tried in vain since it was opened. */
  hasFailed = false
  readonly #topics: GuestTopics
  readonly #link: Link
  readonly #events: SessionEvents
  /** Whose presence is seen; `owner` from when he has heard of this node. */
  #seen: NodeId | null = null
  #owner: NodeId | null = null
  /** Why whoever answers is no peer, or null. */
  #problem: string | null = null
  /** Whose certificate was shown there; null without TLS. */
  #certified: string | null = null

  constructor(
    address: PeerAddress,
    isKnown: boolean,
    options: PeersLinkOptions,
    whereabouts: () => string,
    events: SessionEvents,
  ) {
    this.address = address
    this.isKnown = isKnown
    this.#events = events
    this.#topics = new GuestTopics(options.fleet, options.node)
    this.#link = mqttLink({
      ...options,
      name: `peer ${formatAddress(address)}`,
      servers: [`${options.tls === undefined ? 'mqtt' : 'mqtts'}://${formatAddress(address)}`],
      guest: {
        checkOwner: (certified) => this.#check(certified),
        clientId: `fs-${options.node}-${digestOf(Buffer.from(formatAddress(address))).slice(0, 8)}`,
        topics: this.#topics,
        greeting: () => this.#whereabouts(whereabouts()),
        addresses: (node, payload) => {
          if (node !== options.node) events.whereabouts(node, payload, this.address.host)
        },
      },
    })
  }

  /** Who owns the post box, while he is there. */
  get owner(): NodeId | null {
    return this.#owner
  }

  /** Who gets what is sent here: the owner from when his presence is seen, since he hears of this node before it. */
  get recipient(): NodeId | null {
    return this.#seen
  }

  get cause(): string | null {
    return this.#problem ?? this.#link.status().cause
  }

  get waiting(): Waiting {
    return this.#link.waiting ?? 'nothing'
  }

  open(): void {
    this.#link.open({
      up: () => undefined,
      down: () => {
        this.hasFailed = true
        this.#problem = null
        this.#end()
        this.#events.failed(this)
      },
      frame: (bytes) => {
        // Whoever sends a frame here has heard of this node.
        this.#come()
        if (this.#owner !== null) this.#events.frame(bytes)
      },
      presence: (node, online) => this.#note(node, online),
      writable: () => this.#events.writable(),
    })
  }

  /** Its owner is this node itself, and yet it is not the own post box. */
  disown(): void {
    this.#seen = null
    this.#owner = null
    this.#topics.owner = null
    this.hasFailed = true
    this.#problem = `${this.#link.status().peer} is a broker, or has the node id of this gateway: name the address of another gateway`
  }

  /**
   * @param isRelay the owner is to pass it on
   * @returns false if there is no room for it now; `writable` follows
   */
  send(frame: Uint8Array, channel: Channel, isRelay: boolean): boolean {
    this.#topics.isRelay = isRelay
    return this.#link.send(frame, channel)
  }

  async close(): Promise<void> {
    this.#end()
    await this.#link.close()
  }

  /** The address may be another one's by now, so it is not the address that a certificate is for. */
  #check(certified: string): Error | undefined {
    this.#certified = certified
    if (isNodeId(certified)) return undefined
    return Object.assign(new Error(`the certificate is of ${JSON.stringify(certified)}, and not of a node`), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  }

  /** In a post box the owner's presence alone is seen. */
  #note(node: NodeId, online: boolean): void {
    if (this.#certified !== null && node !== this.#certified) return
    if (online) {
      this.#seen ??= node
      this.#topics.owner = this.#seen
      return
    }
    this.#events.leaving(node)
    this.#end()
  }

  #come(): void {
    if (this.#owner !== null || this.#seen === null) return
    this.#owner = this.#seen
    this.#problem = null
    this.#events.came(this)
  }

  #end(): void {
    const owner = this.#owner
    this.#seen = null
    this.#owner = null
    this.#topics.owner = null
    if (owner !== null) this.#events.went(owner)
  }

  #whereabouts(text: string): Outgoing {
    const payload = Buffer.from(text, 'latin1')
    return { topic: this.#topics.whereabouts, payload, retain: false, priority: 'control', taken: () => this.#come() }
  }
}
