import type { Digest } from '../base/digest.ts'
import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { OWN_VECTORS_MAX } from '../base/limits.ts'
import { Fulfilled, type Words } from './fulfilled.ts'
import type { MemberLog } from './member-log.ts'
import type { Announcement } from './message.ts'
import { type VersionVector, vectorDigest, versionVector } from './version-vector.ts'

/** What another member has said last. */
export interface Peer {
  readonly announcement: Announcement
  /** The newest version vector that it stated, or the digest of which was ours. A lower bound of what it holds. */
  readonly vector: VersionVector
  /** Whether `vector` is the one of `announcement`, and not of an older one. */
  readonly isVectorKnown: boolean
  /** False while it has only stated digests of vectors that were never ours. */
  readonly hasStatedVector: boolean
  readonly heardAt: Monotonic
  readonly link: string
}

export interface OwnVector {
  readonly vector: VersionVector
  readonly digest: Digest
}

/**
 * The newest announcement of each other member. A digest alone states a whole vector if that is ours, or was ours not long
 * ago, or becomes ours: peers share those vectors with us.
 */
export class Peers {
  readonly #peers = new Map<MemberId, Peer>()
  /** The last vectors of our own, by their digests. */
  readonly #own = new Map<Digest, VersionVector>()
  /** Who has announced a digest that has never been ours. */
  readonly #unknown = new Map<Digest, Set<MemberId>>()
  readonly #fulfilled = new Fulfilled()

  get(member: MemberId): Peer | undefined {
    return this.#peers.get(member)
  }

  entries(): IterableIterator<[MemberId, Peer]> {
    return this.#peers.entries()
  }

  /** What counts of all that the member of a log has said, by what is held of it now; null if it was not heard. */
  wordsOf(log: MemberLog): Words | null {
    const newest = this.#peers.get(log.member)
    return newest === undefined ? null : this.#fulfilled.of(newest, log)
  }

  get size(): number {
    return this.#peers.size
  }

  /** Whether `digest` is of a vector that we have, or have had not long ago. */
  isOwn(digest: Digest): boolean {
    return this.#own.has(digest)
  }

  /** Whether anybody has announced a digest that may become ours. */
  get hasRiddles(): boolean {
    return this.#unknown.size > 0
  }

  /** What is on our disk has changed: whoever has announced exactly that holds it. */
  noteOwn({ vector, digest }: OwnVector): void {
    if (this.#own.has(digest)) return
    this.#own.set(digest, vector)
    for (const oldest of this.#own.keys()) {
      if (this.#own.size <= OWN_VECTORS_MAX) break
      this.#own.delete(oldest)
    }
    for (const member of this.#unknown.get(digest) ?? []) {
      const peer = this.#peers.get(member)
      if (peer?.announcement.vectorDigest === digest)
        this.#peers.set(member, { ...peer, vector, isVectorKnown: true, hasStatedVector: true })
    }
    this.#unknown.delete(digest)
  }

  /**
   * Notes an announcement unless a newer one is known.
   * @returns the peer if the announcement was new
   */
  note(announcement: Announcement, own: OwnVector, link: string, now: Monotonic): Peer | null {
    const { member, vectorDigest: digest } = announcement
    const known = this.#peers.get(member)
    if (known !== undefined && !isNewer(announcement, known.announcement)) return null
    this.noteOwn(own)
    const stated = this.#statedVector(announcement)
    if (known !== undefined) this.#forgetUnknown(known.announcement)
    if (stated === null) this.#unknown.set(digest, (this.#unknown.get(digest) ?? new Set()).add(member))
    const peer: Peer = {
      // The entries are kept once.
      announcement: announcement.vector === null ? announcement : { ...announcement, vector: null },
      vector: stated ?? known?.vector ?? NOTHING,
      isVectorKnown: stated !== null,
      hasStatedVector: stated !== null || known?.hasStatedVector === true,
      heardAt: now,
      link,
    }
    this.#peers.set(member, peer)
    return peer
  }

  #statedVector({ vector, vectorDigest: digest }: Announcement): VersionVector | null {
    return vector === null ? (this.#own.get(digest) ?? null) : versionVector(vector)
  }

  #forgetUnknown({ member, vectorDigest: digest }: Announcement): void {
    const members = this.#unknown.get(digest)
    if (members?.delete(member) === true && members.size === 0) this.#unknown.delete(digest)
  }
}

/** False if an announcement contradicts itself: others would take its vector for one that nobody has stated. */
export function isVectorOfItsDigest({ vector, vectorDigest: digest }: Announcement): boolean {
  return vector === null || vectorDigest(versionVector(vector)) === digest
}

const NOTHING: VersionVector = new Map()

/** Who states fewer operations of its own than before was set back, whatever it counts. */
function isNewer(announcement: Announcement, known: Announcement): boolean {
  if (announcement.ownSeq < known.ownSeq) return false
  if (announcement.start !== known.start) return announcement.start > known.start
  return announcement.number > known.number
}
