import type { Digest } from '../base/digest.ts'
import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import type { Announcement } from './message.ts'
import { type VersionVector, vectorDigest, versionVector } from './version-vector.ts'

/** What another member has said last. */
export interface Peer {
  readonly announcement: Announcement
  /** The newest version vector that it stated, or the digest of which was ours. A lower bound of what it holds. */
  readonly vector: VersionVector
  /** False while it has only stated digests of vectors that are not ours. */
  readonly hasStatedVector: boolean
  readonly heardAt: Monotonic
  readonly link: string
}

/** The newest announcement of each other member. */
export class Peers {
  readonly #peers = new Map<MemberId, Peer>()

  get(member: MemberId): Peer | undefined {
    return this.#peers.get(member)
  }

  entries(): IterableIterator<[MemberId, Peer]> {
    return this.#peers.entries()
  }

  get size(): number {
    return this.#peers.size
  }

  /**
   * Notes an announcement unless a newer one is known.
   * @param own our version vector and its digest: a short announcement with an equal digest states the same vector
   * @returns the peer if the announcement was new
   */
  note(announcement: Announcement, own: OwnVector, link: string, now: Monotonic): Peer | null {
    const known = this.#peers.get(announcement.member)
    if (known !== undefined && !isNewer(announcement, known.announcement)) return null
    const stated = statedVector(announcement, own)
    const peer: Peer = {
      announcement,
      vector: stated ?? known?.vector ?? NOTHING,
      hasStatedVector: stated !== null || known?.hasStatedVector === true,
      heardAt: now,
      link,
    }
    this.#peers.set(announcement.member, peer)
    return peer
  }
}

/** False if an announcement contradicts itself: others would take its vector for one that nobody has stated. */
export function isVectorOfItsDigest({ vector, vectorDigest: digest }: Announcement): boolean {
  return vector === null || vectorDigest(versionVector(vector)) === digest
}

export interface OwnVector {
  readonly vector: VersionVector
  readonly digest: Digest
}

const NOTHING: VersionVector = new Map()

function statedVector(announcement: Announcement, own: OwnVector): VersionVector | null {
  if (announcement.vector !== null) return versionVector(announcement.vector)
  return announcement.vectorDigest === own.digest ? own.vector : null
}

function isNewer(announcement: Announcement, known: Announcement): boolean {
  if (announcement.start !== known.start) return announcement.start > known.start
  return announcement.number > known.number
}
