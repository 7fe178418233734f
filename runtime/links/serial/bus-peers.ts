import type { Monotonic } from '../../base/clock.ts'
import type { NodeId } from '../../base/ids.ts'
import { SERIAL_BUS_RETRY_MS } from '../../base/limits.ts'
import { ArqReceiver } from './arq-receiver.ts'
import type { BusAcknowledgement, BusData, BusHello, RosterEntry } from './bus-packet.ts'
import { StreamReceiver } from './streams.ts'

/** Turns of its own in which a station repeats what it has heard: one of them may be damaged. */
const ACKNOWLEDGED_TURNS = 2

/** Another station, as this one has heard it. */
export interface BusPeer {
  readonly address: number
  heardAt: Monotonic
  /** Who it is, once it has said HELLO. */
  identity: { readonly node: NodeId; readonly incarnation: number } | null
  /** It is among those for whom this station keeps what was not acknowledged, since this pairing. */
  pairing: number | null
  /** It keeps for this station what was not acknowledged. */
  inbound: Inbound | null
  /** It did not use the token so many times, and has not been heard since. */
  skips: number
  /** The token passes it over until then. */
  skippedUntil: Monotonic | null
}

interface Inbound {
  readonly pairing: number
  readonly receiver: ArqReceiver<BusData>
  readonly streams: StreamReceiver
  /** Own turns in which to acknowledge it. */
  turns: number
}

/** The other stations of a bus: who is there, and what has come from each. */
export class BusPeers {
  readonly #peers = new Map<number, BusPeer>()

  all(): BusPeer[] {
    return [...this.#peers.values()]
  }

  /** @returns the peer at `address`, which was heard now */
  heard(address: number, now: Monotonic): BusPeer {
    const known = this.#peers.get(address)
    if (known !== undefined) {
      known.heardAt = now
      known.skips = 0
      known.skippedUntil = null
      return known
    }
    const nothingYet = { identity: null, pairing: null, inbound: null }
    const peer: BusPeer = { address, heardAt: now, ...nothingYet, skips: 0, skippedUntil: null }
    this.#peers.set(address, peer)
    return peer
  }

  remove(address: number): void {
    this.#peers.delete(address)
  }

  clear(): void {
    this.#peers.clear()
  }

  /** The next higher address, or the lowest one; null if there is nobody. */
  successorOf(address: number): number | null {
    const addresses = this.#addresses()
    return addresses.find((other) => other > address) ?? addresses[0] ?? null
  }

  isLowest(address: number): boolean {
    return this.#addresses().every((other) => other > address)
  }

  /** Where it was heard last: one that comes back with another address is at both until its silence is noticed. */
  addressOf(node: NodeId): number | null {
    const known = this.all().filter(({ identity }) => identity?.node === node)
    return known.toSorted((left, right) => right.heardAt - left.heardAt)[0]?.address ?? null
  }

  /** Frames of that node come in, from whatever address. */
  isHeard(node: NodeId): boolean {
    return this.all().some(({ identity, inbound }) => identity?.node === node && inbound !== null)
  }

  /** Passes over a station that does not use the token: for a moment, and each time twice as long, until it is heard again. */
  skip(address: number, now: Monotonic): void {
    const peer = this.#peers.get(address)
    if (peer === undefined) return
    peer.skippedUntil = now + SERIAL_BUS_RETRY_MS * 2 ** peer.skips
    peer.skips += 1
  }

  /** Those that were passed over for long enough get the token again. */
  retry(now: Monotonic): void {
    for (const peer of this.#peers.values())
      if (peer.skippedUntil !== null && now >= peer.skippedUntil) peer.skippedUntil = null
  }

  /** It has left a token unused since it was heard last. */
  isInDoubt(address: number): boolean {
    return (this.#peers.get(address)?.skips ?? 0) > 0
  }

  /** @param startFor the first frame that a station still needs */
  roster(startFor: (address: number) => number): RosterEntry[] {
    return this.all().flatMap(({ address, identity, pairing }) =>
      identity === null || pairing === null
        ? []
        : [{ address, incarnation: identity.incarnation, pairing, start: startFor(address) }],
    )
  }

  #addresses(): number[] {
    const inRing = this.all().filter(({ skippedUntil }) => skippedUntil === null)
    return inRing.map(({ address }) => address).sort((left, right) => left - right)
  }

  /** What to say of the frames of others in this turn. */
  acknowledgements(): BusAcknowledgement[] {
    return this.all().flatMap(({ address, inbound }) => {
      if (inbound === null || inbound.turns === 0) return []
      const acknowledgement = inbound.receiver.acknowledgement()
      inbound.turns -= 1
      return acknowledgement === null ? [] : [{ of: address, ...acknowledgement }]
    })
  }
}

/**
 * Follows what a peer says of this station in its roster.
 * @returns whether it has begun a new stream for this station, goes on with the old one, or does not know it
 */
export function followRoster(
  peer: BusPeer,
  { roster }: BusHello,
  self: { readonly address: number; readonly incarnation: number },
): 'new' | 'same' | 'unknown' {
  const own = roster.find(({ address }) => address === self.address)
  if (own === undefined || own.incarnation !== self.incarnation) {
    peer.inbound = null
    return 'unknown'
  }
  if (peer.inbound?.pairing === own.pairing) return 'same'
  peer.inbound = {
    pairing: own.pairing,
    receiver: new ArqReceiver<BusData>(own.start),
    streams: new StreamReceiver(false),
    turns: 0,
  }
  return 'new'
}

/** @returns the messages that are whole now; null if the peer breaks the protocol */
export function receiveFrom(peer: BusPeer, data: BusData): Uint8Array[] | null {
  const { inbound } = peer
  if (inbound === null) return []
  const reception = inbound.receiver.receive(data)
  if (reception.kind === 'outside') return []
  inbound.turns = ACKNOWLEDGED_TURNS
  const messages: Uint8Array[] = []
  for (const { stream, payload, isFirst } of reception.inOrder) {
    const ended = inbound.streams.take(stream, payload, isFirst)
    if (ended === null) return null
    messages.push(...ended)
  }
  return messages
}
