import type { Monotonic } from '../base/clock.ts'
import { type MemberId, nodeOf } from '../base/ids.ts'
import { CLAIM_ANNOUNCEMENTS, CLAIM_PATIENCE_MS } from '../base/limits.ts'
import type { History } from './history.ts'
import type { Announcement } from './message.ts'
import type { Peers } from './peers.ts'

/** What cannot be true of an announcement, for people, and whether it can be told from it alone that nothing of it counts. */
export interface Untruth {
  readonly member: MemberId
  readonly reason: string
  readonly isDropped: boolean
}

/** Operations that somebody says that there are, and that nobody has sent. */
interface Claim {
  readonly about: MemberId
  readonly seq: number
  /** What was held of `about` when it was looked at last, and since when it is no more. */
  readonly held: number
  readonly since: Monotonic
  /** Announcements of `about` that did not know of them since. */
  readonly denials: number
}

/**
 * Whether what members announce can be true. A member states what is on its disk, so what it has said once binds it; an operation
 * that anybody holds has been issued, and its issuer, which had it on its disk before it sent it, says so from then on. Whoever is
 * found out was set back to an old backup, shares its identity with another node, or lies.
 */
export class Truthfulness {
  readonly #history: () => History
  readonly #peers: Peers
  /** The claim of each member that was looked at last. */
  readonly #claims = new Map<MemberId, Claim>()

  constructor(history: () => History, peers: Peers) {
    this.#history = history
    this.#peers = peers
  }

  /** Looks at an announcement of a member whose signature is good, before anything of it counts. */
  untruthsIn(announcement: Announcement, now: Monotonic): Untruth[] {
    const { member } = announcement
    const alone = contradictionIn(announcement)
    if (alone !== null) return [{ member, reason: alone, isDropped: true }]
    const known = this.#peers.get(member)?.announcement
    const before = known === undefined ? null : contradictionOf(announcement, known)
    if (before !== null) return [{ member, ...before }]
    if (known !== undefined && !isLater(announcement, known)) return []
    return [...this.#denied(announcement, now), ...this.#unproven(announcement, now)]
  }

  /** Whom the claims of others are about says how much it has issued. */
  #denied({ member, ownSeq }: Announcement, now: Monotonic): Untruth[] {
    const untruths: Untruth[] = []
    for (const [claimant, claim] of this.#claims) {
      if (claim.about !== member || claimant === member) continue
      const denials = claim.denials + 1
      // Announcements that were under way for long deny what has come here meanwhile.
      const isTrue = ownSeq >= claim.seq || this.#history().log(member).held.seq >= claim.seq
      if (isTrue) this.#claims.delete(claimant)
      else this.#claims.set(claimant, { ...claim, denials })
      // What was under way when it was claimed has come since.
      if (isTrue || denials < CLAIM_ANNOUNCEMENTS || now - claim.since < CLAIM_PATIENCE_MS) continue
      this.#claims.delete(claimant)
      const reason = `it holds operation ${claim.seq} of ${nodeOf(member)}, which has issued ${ownSeq}`
      untruths.push({ member: claimant, reason, isDropped: false })
    }
    return untruths
  }

  /** Of what it has issued itself, or of what it says that others have. */
  #unproven(announcement: Announcement, now: Monotonic): Untruth[] {
    const { member, ownSeq } = announcement
    const history = this.#history()
    const held = history.log(member).held.seq
    const known = this.#claims.get(member)
    if (ownSeq <= held) {
      if (known?.about === member) this.#claims.delete(member)
      this.#noteClaimOfOthers(announcement, history, now)
      return []
    }
    const isStill = known?.about === member && known.held === held
    const claim = isStill ? known : { about: member, seq: ownSeq, held, since: now, denials: 0 }
    const isTooLong = claim.denials >= CLAIM_ANNOUNCEMENTS && now - claim.since >= CLAIM_PATIENCE_MS
    this.#claims.set(
      member,
      isTooLong ? { ...claim, since: now, denials: 0 } : { ...claim, denials: claim.denials + 1 },
    )
    const reason = `it has issued ${ownSeq} operations, and sends none behind ${held}, unless it does not hear this node`
    return isTooLong ? [{ member, reason, isDropped: false }] : []
  }

  /** The first that is new to us and to its issuer, as far as that has been heard. */
  #noteClaimOfOthers({ member, vector }: Announcement, history: History, now: Monotonic): void {
    if (vector === null || this.#claims.has(member)) return
    for (const { member: about, seq } of vector) {
      const held = history.log(about).held.seq
      if (about === member || seq <= held || history.membership.get(about) === undefined) continue
      if (history.retirement.isRetired(about) || seq <= (this.#peers.get(about)?.announcement.ownSeq ?? 0)) continue
      this.#claims.set(member, { about, seq, held, since: now, denials: 0 })
      return
    }
  }
}

function contradictionIn({ member, stage, ownSeq, floor, epoch, newestEpoch, vector }: Announcement): string | null {
  if (floor > stage) return `its floor ${floor} lies above its stage ${stage}`
  if (epoch > newestEpoch) return `it is of epoch ${epoch}, and knows none after ${newestEpoch}`
  const inVector = vector?.find((entry) => entry.member === member)?.seq ?? 0
  if (vector !== null && inVector !== ownSeq) return `it has issued ${ownSeq} operations, and holds ${inVector} of them`
  return null
}

/** Against what the same member has said before. */
function contradictionOf(now: Announcement, known: Announcement): Omit<Untruth, 'member'> | null {
  const isSameOne = now.start === known.start && now.number === known.number
  if (isSameOne) return sayTheSame(now, known) ? null : { reason: 'it says two things at once', isDropped: true }
  if (!isLater(now, known)) return null
  const less =
    lessIn('operations', now.ownSeq, known.ownSeq) ??
    lessIn('stage', now.stage, known.stage) ??
    lessIn('floor', now.floor, known.floor)
  // Since a start its disk may be an older one: it is told so, or waited for until it has caught up.
  return less === null ? null : { reason: less, isDropped: now.start === known.start && now.ownSeq >= known.ownSeq }
}

function lessIn(what: string, now: number, before: number): string | null {
  return now < before ? `it takes back what it has said: its ${what} went from ${before} to ${now}` : null
}

/** One of them may be without its vector, of which the digest stands in both. */
function sayTheSame(left: Announcement, right: Announcement): boolean {
  return (
    left.ownSeq === right.ownSeq &&
    left.stage === right.stage &&
    left.floor === right.floor &&
    left.floorDigest === right.floorDigest &&
    left.vectorDigest === right.vectorDigest &&
    left.epoch === right.epoch &&
    left.newestEpoch === right.newestEpoch &&
    left.epochDigest === right.epochDigest
  )
}

function isLater({ start, number }: Announcement, known: Announcement): boolean {
  return start !== known.start ? start > known.start : number > known.number
}
