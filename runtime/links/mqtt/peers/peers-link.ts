import { assert, FleetstepError } from '../../../base/errors.ts'
import type { NodeId } from '../../../base/ids.ts'
import { FRAME_BYTES_MAX, PEERS_GATHER_MS } from '../../../base/limits.ts'
import { copyCounters, countDropped, countReceived, countSent, newCounters } from '../../counters.ts'
import type { Channel, Link, LinkCounters, LinkEvents, LinkStatus, Waiting } from '../../link.ts'
import { DEFAULT_TIMING } from '../options.ts'
import { reconnectDelayMs } from '../../reconnect.ts'
import { parseServers } from '../servers.ts'
import type { MetPeer } from './addresses.ts'
import { PeerMesh } from './peer-mesh.ts'
import type { PeersLinkOptions } from './options.ts'

/**
 * A broadcast link without a broker for the fleet: each gateway has a post box of its own (an embedded broker), and is a
 * guest in those of its peers. It is up while at least one peer is there, or none is missing.
 * @throws FleetstepError `config-invalid`
 */
export function peersLink(options: PeersLinkOptions): Link {
  return new PeersLink(options)
}

class PeersLink implements Link {
  readonly name: string
  readonly reach = 'broadcast'
  private readonly options: PeersLinkOptions
  private readonly peers: readonly { readonly host: string; readonly port: number }[]
  private readonly counters: LinkCounters = newCounters()
  private events: LinkEvents | null = null
  private mesh: PeerMesh | null = null
  private state: LinkStatus['state'] = 'closed'
  private cause: string | null = null
  /** The present outage has been told. */
  private isFallen = false
  private hasBeenUp = false
  private hasHadPeers = false
  private isBoxOpen = false
  /** Those that are there had their time to answer. */
  private isGathered = false
  private owesWritable = false
  private announcement: Uint8Array | null = null
  private cancelTimer: () => void = () => {}
  private endDiscovery: () => Promise<void> = () => Promise.resolve()

  constructor(options: PeersLinkOptions) {
    this.options = options
    this.name = options.name ?? 'peers'
    this.peers = options.peers.length === 0 ? [] : parseServers(options.peers, options.tls ?? {})
    if (options.tls === undefined && options.peers.some((peer) => peer.startsWith('mqtts:'))) {
      throw invalid(
        `${this.name}: a peer with mqtts:// needs ca, cert and key: all peers of a fleet show certificates, or none`,
      )
    }
    if (options.listen === null && this.peers.length === 0 && !options.discover) {
      throw invalid(`${this.name}: nobody could be met: give listen, peers or discover`)
    }
  }

  open(events: LinkEvents): void {
    assert(this.mesh === null, 'a link is opened once, or again after close')
    this.events = events
    this.state = 'connecting'
    this.hasBeenUp = false
    this.hasHadPeers = false
    this.isFallen = false
    this.isGathered = false
    const mesh = new PeerMesh(this.options, {
      pair: (node, isThere) => this.notePair(mesh, node, isThere),
      changed: () => this.update(mesh),
      frame: (payload) => this.receive(payload),
      writable: () => this.tellWritable(),
    })
    this.mesh = mesh
    void this.start(mesh, 0)
  }

  send(frame: Uint8Array, channel: Channel): boolean {
    if (frame.length > FRAME_BYTES_MAX) {
      countDropped(this.counters, 'oversize')
      return true
    }
    if (channel.kind === 'announcements') this.announcement = new Uint8Array(frame)
    const isUp = this.state === 'up'
    if (!isUp || this.mesh?.send(frame, channel) !== true) {
      countDropped(this.counters, isUp ? 'full' : 'down')
      this.owesWritable = true
      return false
    }
    countSent(this.counters, frame.length)
    this.owesWritable ||= this.waiting !== 'nothing'
    return true
  }

  get waiting(): Waiting {
    return this.mesh?.waiting ?? 'nothing'
  }

  async close(): Promise<void> {
    const { mesh } = this
    this.events = null
    this.mesh = null
    this.state = 'closed'
    this.cause = null
    this.owesWritable = false
    this.isBoxOpen = false
    this.cancelTimer()
    const endDiscovery = this.endDiscovery
    this.endDiscovery = () => Promise.resolve()
    await Promise.all([endDiscovery(), mesh?.close()])
  }

  status(): LinkStatus {
    return { state: this.state, cause: this.cause, peer: this.describe(), counters: copyCounters(this.counters) }
  }

  /** The post box first: peers that are met are told where it is. */
  private async start(mesh: PeerMesh, attempt: number): Promise<void> {
    try {
      await mesh.openBox()
      if (this.mesh !== mesh) return
      this.isBoxOpen = true
      for (const peer of this.peers) mesh.dial(peer, true)
      mesh.dialMet()
      this.gather(mesh)
      if (this.options.discover) await this.discover(mesh)
    } catch (error) {
      if (this.mesh === mesh) this.retry(mesh, attempt, error)
    }
  }

  /** Whoever is told that the link is up reaches all that are there, as far as they answer soon. */
  private gather(mesh: PeerMesh): void {
    const { clock, gatherMs = PEERS_GATHER_MS } = this.options
    this.cancelTimer = clock.schedule(clock.now() + gatherMs, () => {
      this.isGathered = true
      this.update(mesh)
    })
    this.update(mesh)
  }

  private retry(mesh: PeerMesh, attempt: number, error: unknown): void {
    const { clock, random, timing } = this.options
    const delayMs = reconnectDelayMs(attempt, { ...DEFAULT_TIMING, ...timing }, random)
    this.fall(error instanceof Error ? error.message : String(error))
    this.cancelTimer = clock.schedule(clock.now() + delayMs, () => void this.start(mesh, attempt + 1))
  }

  private async discover(mesh: PeerMesh): Promise<void> {
    const { startDiscovery } = await import('./discovery.ts')
    if (this.mesh !== mesh) return
    const { fleet, node, clock, logger } = this.options
    const found = (peer: MetPeer): void => {
      if (!mesh.pairs.has(peer.node)) mesh.dial(peer, false)
    }
    this.endDiscovery = startDiscovery({ fleet, node, clock, logger, port: mesh.port, found })
  }

  private notePair(mesh: PeerMesh, node: NodeId, isThere: boolean): void {
    if (this.mesh !== mesh) return
    if (isThere) this.hasHadPeers = true
    const wasUp = this.state === 'up'
    this.update(mesh)
    // Whoever rises tells of all at once, and whoever falls has nobody.
    if (!wasUp || !this.isUp()) return
    if (isThere && this.announcement !== null) mesh.sendTo(node, this.announcement)
    this.tell('presence', (events) => events.presence(node, isThere))
  }

  private isUp(): boolean {
    return this.state === 'up'
  }

  private update(mesh: PeerMesh): void {
    if (this.mesh !== mesh || !this.isBoxOpen) return
    this.decide(mesh)
    // What waited on the way to a peer that is gone was dropped with it, and nobody else would say that nothing waits now.
    this.tellWritable()
  }

  /** The only place that decides whether the link is up. */
  private decide(mesh: PeerMesh): void {
    this.isGathered ||= mesh.pairs.size > 0 && !mesh.isGathering
    if (!this.isGathered && !mesh.isInVain) return
    const isMissed = mesh.missing.size > 0 || (!this.hasHadPeers && mesh.hasKnown)
    if (mesh.pairs.size > 0 || !isMissed) this.rise(mesh)
    else if (this.state === 'up' || mesh.isInVain) this.fall(this.missingText(mesh))
  }

  private rise(mesh: PeerMesh): void {
    this.cause = null
    this.isFallen = false
    if (this.state === 'up') return
    this.state = 'up'
    if (this.hasBeenUp) this.counters.reconnects += 1
    this.hasBeenUp = true
    this.options.logger.info(`${this.name}: ${this.describe()}`)
    this.tell('up', (events) => events.up())
    for (const node of mesh.pairs) this.tell('presence', (events) => events.presence(node, true))
    this.tellWritable()
  }

  private fall(cause: string): void {
    this.state = 'connecting'
    this.cause = cause
    if (this.isFallen) return
    this.isFallen = true
    this.tell('down', (events) => events.down(cause))
  }

  private missingText(mesh: PeerMesh): string {
    const missing = [...mesh.missing]
    const who = missing.length > 0 ? `${missing.slice(0, 3).join(', ')} went without a word` : 'it has met none of them'
    return `no peer is reached, ${who}${mesh.cause === null ? ': check power and network there' : `: ${mesh.cause}`}`
  }

  private receive(payload: Uint8Array): void {
    if (payload.length > FRAME_BYTES_MAX) return countDropped(this.counters, 'oversize')
    if (payload.length === 0) return countDropped(this.counters, 'empty')
    countReceived(this.counters, payload.length)
    const frame = new Uint8Array(payload)
    this.tell('frame', (events) => events.frame(frame))
  }

  private tellWritable(): void {
    if (!this.owesWritable || this.state !== 'up' || this.waiting !== 'nothing') return
    this.owesWritable = false
    this.tell('writable', (events) => events.writable())
  }

  private describe(): string {
    const { listen } = this.options
    const count = this.mesh?.pairs.size ?? 0
    const box = listen === null ? 'listens nowhere' : `listens on ${listen.host}:${this.mesh?.port ?? listen.port}`
    return `${box}, ${count} ${count === 1 ? 'peer' : 'peers'}`
  }

  /** A throw must not reach the broker or the client: it would stop handling packets and still look connected. */
  private tell(what: string, event: (events: LinkEvents) => void): void {
    if (this.events === null) return
    try {
      event(this.events)
    } catch (error) {
      countDropped(this.counters, 'handler-failed')
      this.options.logger.error(`${this.name}: the handler of "${what}" failed; this is a bug`, { error })
    }
  }
}

function invalid(message: string): FleetstepError {
  return new FleetstepError('config-invalid', message)
}
