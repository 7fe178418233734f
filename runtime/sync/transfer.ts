import type { Monotonic } from '../base/clock.ts'
import { type Digest, digestOf } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import {
  OFFER_HOLD_MS,
  OFFER_SERVED_HOLD_MS,
  REQUEST_DELAY_MAX_MS,
  REQUEST_RETRY_MS,
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_SHARED_MS,
  TRANSFER_ATTEMPTS_MAX,
  TRANSFER_CHUNK_BYTES,
  TRANSFERS_MAX,
} from '../base/limits.ts'
import { fraction, type Random } from '../base/random.ts'
import type { Chunk, Offer } from './message.ts'
import type { VersionVector } from './version-vector.ts'

/** A snapshot as it was encoded. */
export interface Encoded {
  readonly digest: Digest
  readonly size: number
  /** What stands in it. */
  readonly vector: VersionVector
}

/**
 * Snapshots that others may fetch from us, chunk by chunk. Those that were offered or asked for last are kept: whoever asks
 * for one that is gone is not answered, and asks for a new offer.
 */
export class TransferSource {
  readonly #offered = new Map<Digest, Uint8Array>()
  readonly #offers = new Map<string, { readonly offer: Offer; readonly basis: string; readonly until: Monotonic }>()

  #shared: { readonly encoded: Encoded; readonly basis: string; readonly until: Monotonic } | null = null

  /** The snapshot that was encoded a short while ago, or null. @param basis what must not have changed since */
  recentSnapshot(basis: string, now: Monotonic): Encoded | null {
    if (this.#shared === null || this.#shared.basis !== basis || now > this.#shared.until) return null
    return this.#keep(this.#shared.encoded.digest) === null ? null : this.#shared.encoded
  }

  share(encoded: Encoded, basis: string, now: Monotonic): Encoded {
    this.#shared = { encoded, basis, until: now + SNAPSHOT_SHARED_MS }
    return encoded
  }

  /**
   * The offer that was made to this node for this purpose a short while ago: on a slow line it may be fetching that one, and
   * another one would only put it off. Null if there is none.
   * @param basis what must not have changed since
   */
  recentOffer(to: MemberId, purpose: Offer['purpose'], basis: string, now: Monotonic): Offer | null {
    const made = this.#offers.get(`${purpose} ${to}`)
    if (made === undefined || made.basis !== basis || now > made.until || this.#keep(made.offer.digest) === null)
      return null
    return made.offer
  }

  /** @returns the digest by which the chunks are asked for */
  add(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes)
    this.#offered.delete(digest)
    this.#offered.set(digest, bytes)
    for (const oldest of this.#offered.keys()) {
      if (this.#offered.size <= TRANSFERS_MAX) break
      this.#offered.delete(oldest)
    }
    return digest
  }

  noteOffer(offer: Offer, basis: string, now: Monotonic): void {
    for (const [key, { until }] of this.#offers) if (now > until) this.#offers.delete(key)
    this.#offers.set(`${offer.purpose} ${offer.to}`, { offer, basis, until: now + OFFER_HOLD_MS })
  }

  chunk(digest: Digest, offset: number, now: Monotonic): Chunk | null {
    const bytes = this.#keep(digest)
    if (bytes === null || offset >= bytes.length) return null
    const isLast = offset + TRANSFER_CHUNK_BYTES >= bytes.length
    this.#noteFetched(digest, (until) =>
      isLast ? Math.min(until, now + OFFER_SERVED_HOLD_MS) : Math.max(until, now + OFFER_HOLD_MS),
    )
    return { digest, offset, bytes: bytes.subarray(offset, offset + TRANSFER_CHUNK_BYTES) }
  }

  /** Whoever fetches goes on with the same; whoever has had the time to get all of it and asks again wants something newer. */
  #noteFetched(digest: Digest, untilAfter: (until: Monotonic) => Monotonic): void {
    for (const [key, made] of this.#offers)
      if (made.offer.digest === digest) this.#offers.set(key, { ...made, until: untilAfter(made.until) })
  }

  /** What is being fetched is the last to go. */
  #keep(digest: Digest): Uint8Array | null {
    const bytes = this.#offered.get(digest)
    if (bytes === undefined) return null
    this.#offered.delete(digest)
    this.#offered.set(digest, bytes)
    return bytes
  }
}

/**
 * Fetches one offered snapshot. Each chunk is asked for when the one before it is here, so that the fetch goes on after any
 * interruption from where it was, and never has more under way than one frame. It gives up when nobody answers.
 */
export class Fetch {
  readonly offer: Offer
  readonly link: string
  readonly #random: Random
  /** What has come, and room for as much again: chunks of a byte each would take hundreds of times what they hold. */
  #bytes: Uint8Array = new Uint8Array()
  #length = 0
  #attempts = 0
  #isCutOff = false
  #askAt: Monotonic

  constructor(offer: Offer, link: string, random: Random, now: Monotonic) {
    this.offer = offer
    this.link = link
    this.#random = random
    this.#askAt = now
  }

  /** The fetch of what is offered again, from where this one was; null if it is another snapshot. */
  resumed(offer: Offer, link: string, now: Monotonic): Fetch | null {
    if (offer.digest !== this.offer.digest || offer.size !== this.offer.size) return null
    const fetch = new Fetch(offer, link, this.#random, now)
    fetch.#bytes = this.#bytes
    fetch.#length = this.#length
    return fetch
  }

  get wakeAt(): Monotonic {
    return this.#askAt
  }

  get hasFailed(): boolean {
    return this.#attempts > TRANSFER_ATTEMPTS_MAX
  }

  /** The offset to ask for now, or null if that is not due. */
  due(now: Monotonic): number | null {
    if (this.#askAt > now) return null
    const delayMs = Math.min(REQUEST_RETRY_MS * 2 ** this.#attempts, REQUEST_DELAY_MAX_MS)
    this.#attempts += 1
    this.#askAt = now + delayMs * (1 + fraction(this.#random))
    return this.#length
  }

  /** @returns true if the chunk was the next one */
  take(chunk: Chunk, now: Monotonic): boolean {
    const { digest, size } = this.offer
    const isNext = chunk.digest === digest && chunk.offset === this.#length && chunk.bytes.length > 0
    if (!isNext || this.#length + chunk.bytes.length > size) return false
    const length = this.#length + chunk.bytes.length
    if (length > this.#bytes.length) this.#makeRoomFor(length)
    this.#bytes.set(chunk.bytes, this.#length)
    this.#length = length
    this.#attempts = 0
    this.#askAt = now
    return true
  }

  /** Its link has gone: it goes on when that is back, unless somebody on another link offers something first. */
  noteLinkDown(): void {
    this.#isCutOff = true
  }

  /** What was asked for in vain meanwhile need not wait any longer. */
  noteLinkUp(now: Monotonic): void {
    this.#isCutOff = false
    this.#attempts = 0
    this.#askAt = now
  }

  /** Whether another offer is better than to wait for this one. */
  yieldsTo({ digest }: Offer): boolean {
    return this.#isCutOff || (this.#isUnanswered && digest !== this.offer.digest)
  }

  /** Somebody else may have to give what is fetched. */
  get isStuck(): boolean {
    return this.#isCutOff || this.#isUnanswered
  }

  /** Nothing has come yet, although it was asked for more than once: the offer may be one that is not kept any more. */
  get #isUnanswered(): boolean {
    return this.#length === 0 && this.#attempts > 1
  }

  get isComplete(): boolean {
    return this.#length === this.offer.size
  }

  /** All of it, or null if it is not what was offered. */
  bytes(): Uint8Array | null {
    const bytes = this.#bytes.subarray(0, this.#length)
    return digestOf(bytes) === this.offer.digest ? bytes : null
  }

  /** Never for more than twice what has come, whatever size was offered. */
  #makeRoomFor(length: number): void {
    const bytes = new Uint8Array(Math.min(2 * length, this.offer.size))
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}

/** Whether an offer can be taken up at all. */
export function isAcceptable(offer: Offer): boolean {
  return offer.size > 0 && offer.size <= SNAPSHOT_BYTES_MAX
}
