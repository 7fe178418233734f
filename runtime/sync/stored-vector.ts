import type { MemberId } from '../base/ids.ts'
import { OWN_VECTORS_MAX } from '../base/limits.ts'
import type { History } from './history.ts'
import type { OwnVector, Peers } from './peers.ts'
import { type VersionEntry, vectorDigest, vectorDigestAfter, withEntry } from './version-vector.ts'

/** Changes that are kept for later: so many that most of them are never looked at one by one. */
const CHANGES_MAX = 16 * OWN_VECTORS_MAX

/**
 * The version vector of what is on the disk. Every commit changes it and few people ask for it, so it is brought up to date when
 * somebody does: that took a sixth of an operation.
 */
export class StoredVector {
  readonly #peers: Peers
  #own: OwnVector | null = null
  /** What has come to the disk since, in order. */
  #changes: VersionEntry[] = []

  constructor(peers: Peers) {
    this.#peers = peers
  }

  of(history: History): OwnVector {
    if (this.#own !== null) return this.#upToDate(this.#own)
    const vector = history.storedVector()
    return (this.#own = { vector, digest: vectorDigest(vector) })
  }

  /** What is held up to `entry` is on the disk. */
  note(history: History, entry: VersionEntry): void {
    // The vector from before, behind which the changes go.
    if (this.#own === null) this.of(history)
    const log = history.log(entry.member)
    const { seq } = log.stored
    log.markStored(entry)
    if (log.stored.seq === seq) return
    this.#changes.push(log.stored)
    // Whoever has announced what we hold now is waited for.
    if (this.#peers.hasRiddles || this.#changes.length >= CHANGES_MAX) this.of(history)
  }

  /** What is held or on the disk has changed in another way. */
  drop(): void {
    if (this.#own !== null) this.#upToDate(this.#own)
    this.#own = null
  }

  #upToDate(before: OwnVector): OwnVector {
    if (this.#changes.length === 0) return before
    const changes = this.#changes
    this.#changes = []
    let own = before
    // Of those that the peers would forget at once, only the last of each member matter.
    const forgotten = changes.splice(0, Math.max(0, changes.length - OWN_VECTORS_MAX))
    const last = new Map<MemberId, VersionEntry>()
    for (const entry of forgotten) last.set(entry.member, entry)
    for (const entry of last.values()) own = withChange(own, entry)
    for (const entry of changes) {
      own = withChange(own, entry)
      this.#peers.noteOwn(own)
    }
    return (this.#own = own)
  }
}

function withChange({ vector, digest }: OwnVector, entry: VersionEntry): OwnVector {
  return {
    vector: withEntry(vector, entry),
    digest: vectorDigestAfter(digest, vector.get(entry.member), entry),
  }
}
