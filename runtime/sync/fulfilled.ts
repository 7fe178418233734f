import type { MemberId } from '../base/ids.ts'
import type { MemberLog } from './member-log.ts'
import { firstOf, lastOf } from './message.ts'
import type { Peer } from './peers.ts'
import type { VersionVector } from './version-vector.ts'

/** What counts of a member besides the newest that it has said. */
export interface Words {
  /** The newest of which all of its own operations were held here when it was looked at. */
  readonly fulfilled: Peer | null
  /** The first that claims more. It stays until that has come, however often its member says something newer meanwhile. */
  readonly awaited: Peer | null
  /** The highest seq that was held here and lies below the floor of one of them. */
  readonly settledSeq: number
}

/**
 * Announcements overtake operations, and a busy member has always issued more than has come. It goes on to stand by what it said
 * before: it is as if the newer word were under way still. Whoever claims operations that never come makes no more of its words
 * count than the first of them.
 */
export class Fulfilled {
  readonly #words = new Map<MemberId, Words>()

  /** Looks again, since announcements or operations may have come. @param newest of the member of `log` */
  of(newest: Peer, log: MemberLog): Words {
    const known = this.#words.get(log.member) ?? NO_WORDS
    const words = next(known, newest, log)
    if (words !== known) this.#words.set(log.member, words)
    return words
  }
}

/** Whether all that it says that its member has issued is held, in the life of which it speaks. */
export function isFulfilled({ announcement, vector }: Peer, log: MemberLog): boolean {
  return log.held.seq >= announcement.ownSeq && isSameChain(log, vector)
}

export function isSameChain(log: MemberLog, vector: VersionVector): boolean {
  const stated = vector.get(log.member)
  return stated === undefined || !log.contradicts(stated.seq, stated.digest)
}

/** The highest seq that is held of a log up to a stage. */
export function seqUpTo(stage: number, { batches, held }: MemberLog): number {
  const first = batches.find((batch) => lastOf(batch).current.stage > stage)
  return first === undefined ? held.seq : firstOf(first).current.id.seq - 1
}

function next(known: Words, newest: Peer, log: MemberLog): Words {
  if (known.fulfilled === newest || (known.awaited === newest && !hasCome(newest, log))) return known
  const words = fulfilling(known, log)
  if (isFulfilled(newest, log)) return { fulfilled: newest, awaited: null, settledSeq: settledBy(newest, words, log) }
  if (words.awaited === null) return { ...words, awaited: newest, settledSeq: settledBy(newest, words, log) }
  // The vector of a digest was found out since.
  return words.awaited.announcement === newest.announcement ? { ...words, awaited: newest } : words
}

/** Without the awaited one if its operations have come, be it in another life of its member. */
function fulfilling(known: Words, log: MemberLog): Words {
  const { awaited } = known
  if (awaited === null || !hasCome(awaited, log)) return known
  return { ...known, awaited: null, fulfilled: isFulfilled(awaited, log) ? awaited : known.fulfilled }
}

function hasCome({ announcement }: Peer, log: MemberLog): boolean {
  return log.held.seq >= announcement.ownSeq
}

function settledBy({ announcement }: Peer, { settledSeq }: Words, log: MemberLog): number {
  return Math.max(settledSeq, seqUpTo(announcement.floor, log))
}

const NO_WORDS: Words = { fulfilled: null, awaited: null, settledSeq: 0 }
