import type { NodeId } from '../../../base/ids.ts'
import { PEERS_MAX } from '../../../base/limits.ts'
import type { Channel, Waiting } from '../../link.ts'
import {
  formatAddress,
  formatWhereabouts,
  type MetPeer,
  parseWhereabouts,
  type PeerAddress,
  plainHost,
} from './addresses.ts'
import type { PeersLinkOptions } from './options.ts'
import { PeerSession } from './peer-session.ts'
import { PostBox } from './post-box.ts'

/** What the mesh tells its owner. None of these may throw. */
export interface MeshEvents {
  /** A first way to or from that peer stands, or the last one is gone. */
  pair(node: NodeId, isThere: boolean): void
  /** Something may be different: who is missing, and why, and what waits for whom. */
  changed(): void
  frame(payload: Uint8Array): void
  writable(): void
}

/**
 * All peers of one gateway from open to close.
 *
 * 1. A frame takes one way to each peer: from the own post box if the peer is a guest there, else as a guest in its.
 * 2. To one peer at most one session is kept, and none to this node itself.
 * 3. A peer that went without a goodbye is missing until it is back.
 * 4. Two that both only dial out have no way to each other: they use the post box of a third, the one of lowest id.
 * 5. What was only heard of is dropped when it does not answer; what was named or met is tried for ever.
 */
export class PeerMesh {
  readonly missing: Set<NodeId> = new Set()
  readonly #options: PeersLinkOptions
  readonly #events: MeshEvents
  readonly #sessions = new Map<string, PeerSession>()
  readonly #pairs = new Set<NodeId>()
  /** Who said goodbye, until he is back. */
  readonly #leaving = new Set<NodeId>()
  readonly #met = new Map<NodeId, MetPeer>()
  /** Addresses of this node itself, and second ones of a peer. */
  readonly #needless = new Map<string, { readonly node: NodeId; readonly address: PeerAddress }>()
  #box: PostBox | null = null
  #isClosed = false

  constructor(options: PeersLinkOptions, events: MeshEvents) {
    this.#options = options
    this.#events = events
  }

  /** @throws FleetstepError `port-in-use`, `config-invalid` */
  async openBox(): Promise<void> {
    const { listen } = this.#options
    if (listen === null || this.#box !== null) return
    const box = await PostBox.open(
      { ...this.#options, ...listen },
      {
        came: (node) => this.#came(node),
        went: (node) => this.#went(node),
        leaving: (node) => addNewest(this.#leaving, node),
        frame: (_from, payload) => this.#events.frame(payload),
        whereabouts: (from, payload, host) => this.#hear(from, payload, host),
        writable: () => this.#events.writable(),
      },
    )
    if (this.#isClosed) return await box.close()
    this.#box = box
    this.#sayWhereabouts()
  }

  /** Dials those that were met in former runs, and keeps them in the book: who is away now may be the only one left later. */
  dialMet(): void {
    for (const peer of this.#options.book.load()) {
      if (peer.node === this.#options.node) continue
      this.#met.set(peer.node, peer)
      this.dial(peer, true)
    }
  }

  /** The port of the post box, or null. */
  get port(): number | null {
    return this.#box?.port ?? null
  }

  get pairs(): ReadonlySet<NodeId> {
    return this.#pairs
  }

  /** There are peers to be had, and each has been tried in vain. */
  get isInVain(): boolean {
    const known = [...this.#sessions.values()].filter(({ isKnown }) => isKnown)
    return known.length > 0 && known.every(({ hasFailed }) => hasFailed)
  }

  get hasKnown(): boolean {
    return [...this.#sessions.values()].some(({ isKnown }) => isKnown)
  }

  /** Some of those that are known have neither answered nor failed yet. */
  get isGathering(): boolean {
    return [...this.#sessions.values()].some(({ isKnown, owner, hasFailed }) => isKnown && owner === null && !hasFailed)
  }

  /** Why the first one of those that are not there is not, or null. */
  get cause(): string | null {
    for (const session of this.#sessions.values()) {
      if (session.owner === null && session.cause !== null) return session.cause
    }
    return null
  }

  /** What waits on the way to some peer. */
  get waiting(): Waiting {
    const all = new Set([this.#box, ...this.#sessions.values()].map((one) => one?.waiting))
    return WAITING_FIRST.find((waiting) => all.has(waiting)) ?? 'nothing'
  }

  /** Connects to an address, unless it is in use already or there are too many. */
  dial(address: PeerAddress, isKnown: boolean): void {
    const label = formatAddress(address)
    const before = this.#sessions.get(label)
    if (before !== undefined) before.isKnown ||= isKnown
    if (this.#isClosed || before !== undefined || this.#needless.has(label) || this.#sessions.size >= PEERS_MAX) return
    const session = new PeerSession(address, isKnown, this.#options, () => this.#whereaboutsText(), {
      came: (came) => this.#meet(came),
      went: (node) => this.#went(node),
      leaving: (node) => addNewest(this.#leaving, node),
      failed: (failed) => this.#failed(failed),
      frame: (payload) => this.#events.frame(payload),
      whereabouts: (from, payload, host) => this.#hear(from, payload, host),
      writable: () => this.#events.writable(),
    })
    this.#sessions.set(label, session)
    session.open()
  }

  /** @returns whether somebody took it, or there is nobody to whom it has to go */
  send(frame: Uint8Array, channel: Channel): boolean {
    if (channel.kind === 'direct') return !this.#pairs.has(channel.to) || this.sendTo(channel.to, frame)
    const relay = this.#relay()
    const ways: boolean[] = []
    if (this.#box?.hasGuests) ways.push(this.#box.send(Buffer.from(frame), channel))
    for (const session of this.#sessions.values()) {
      const { recipient } = session
      const isGuest = recipient !== null && this.#box?.has(recipient) === true
      if (recipient !== null && !isGuest) ways.push(session.send(frame, channel, recipient === relay))
    }
    return ways.length === 0 || ways.includes(true)
  }

  sendTo(node: NodeId, frame: Uint8Array): boolean {
    const channel: Channel = { kind: 'direct', to: node }
    if (this.#box?.has(node)) return this.#box.send(Buffer.from(frame), channel)
    return this.#sessionTo(node)?.send(frame, channel, false) ?? false
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...[...this.#sessions.values()].map((session) => session.close()), this.#box?.close()])
  }

  /** Who passes on what this node says, if nobody can connect to it. */
  #relay(): NodeId | null {
    if (this.#box !== null) return null
    const owners = [...this.#sessions.values()].flatMap(({ recipient }) => (recipient === null ? [] : [recipient]))
    return owners.toSorted()[0] ?? null
  }

  #sessionTo(node: NodeId): PeerSession | undefined {
    return [...this.#sessions.values()].find(({ owner }) => owner === node)
  }

  #meet(session: PeerSession): void {
    const { owner } = session
    if (owner === null) return
    if (owner === this.#options.node && this.#box?.hasMetItself !== true) {
      session.disown()
      return this.#failed(session)
    }
    const isNeedless =
      owner === this.#options.node ||
      [...this.#sessions.values()].some((other) => other !== session && other.owner === owner)
    if (isNeedless && this.#needless.size < PEERS_MAX) {
      this.#needless.set(formatAddress(session.address), { node: owner, address: session.address })
      this.#drop(session)
      this.#events.changed()
      return
    }
    session.isKnown = true
    const before = this.#met.get(owner)
    this.#came(owner)
    this.#noteMet({ node: owner, ...session.address })
    if (before !== undefined && formatAddress(before) === formatAddress(session.address)) return
    this.#options.book.store([...this.#met.values()])
    this.#sayWhereabouts()
  }

  /** The one that was met last stands first, because others are told of no more than PEERS_MAX. */
  #noteMet(peer: MetPeer): void {
    const others = [...this.#met.values()].filter(({ node }) => node !== peer.node)
    this.#met.clear()
    for (const one of [peer, ...others].slice(0, PEERS_MAX)) this.#met.set(one.node, one)
  }

  #came(node: NodeId): void {
    this.#leaving.delete(node)
    this.missing.delete(node)
    if (this.#pairs.has(node) || this.#isClosed) return
    this.#pairs.add(node)
    this.#events.pair(node, true)
  }

  #went(node: NodeId): void {
    const isThere = this.#box?.has(node) === true || this.#sessionTo(node) !== undefined
    if (isThere || this.#isClosed || !this.#pairs.delete(node)) return
    if (!this.#leaving.has(node)) addNewest(this.missing, node)
    this.#events.pair(node, false)
  }

  #failed(session: PeerSession): void {
    if (!session.isKnown) this.#drop(session)
    this.#trySecondAddresses()
    this.#events.changed()
  }

  /** The second address of a peer may be the one that works now. */
  #trySecondAddresses(): void {
    for (const [label, { node, address }] of this.#needless) {
      if (node === this.#options.node || this.#sessionTo(node) !== undefined) continue
      this.#needless.delete(label)
      this.dial(address, true)
    }
  }

  #drop(session: PeerSession): void {
    this.#sessions.delete(formatAddress(session.address))
    void session.close()
  }

  #hear(from: NodeId, payload: Buffer, host: string): void {
    const heard = parseWhereabouts(payload)
    if (heard === null) return
    const { port, met } = heard
    if (port !== null && host !== '' && this.#sessionTo(from) === undefined) {
      this.dial({ host: plainHost(host), port }, false)
    }
    for (const peer of met) {
      const isNews = peer.node !== this.#options.node && !this.#pairs.has(peer.node)
      if (isNews) this.dial(peer, false)
    }
  }

  #sayWhereabouts(): void {
    this.#box?.sayWhereabouts(this.#whereaboutsText())
  }

  #whereaboutsText(): string {
    return formatWhereabouts({ port: this.port, met: [...this.#met.values()] })
  }
}

const WAITING_FIRST: readonly Waiting[] = ['operations', 'answers']

/** A stranger may come and go under any number of ids. */
function addNewest(nodes: Set<NodeId>, node: NodeId): void {
  nodes.delete(node)
  nodes.add(node)
  for (const oldest of nodes) if (nodes.size > PEERS_MAX) nodes.delete(oldest)
}
