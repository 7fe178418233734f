import type { Monotonic } from '../base/clock.ts'
import { ANNOUNCE_INTERVAL_MIN_MS } from '../base/limits.ts'
import type { Announcement } from './message.ts'
import type { Output } from './output.ts'
import { Pace } from './pace.ts'
import type { ReplicaCore } from './replica-core.ts'

/** Tells a member that was set back what it has said and issued before: it takes no other word for it than its own. */
export class Reminder {
  readonly #core: ReplicaCore
  /** Members are told what they had said: two of us who believe different words of one would tell each other for ever. */
  readonly #telling = new Pace(ANNOUNCE_INTERVAL_MIN_MS)
  /** The same is passed on to the other links. */
  readonly #passingOn = new Pace(ANNOUNCE_INTERVAL_MIN_MS)
  /** They are sent an operation of their own that they do not know. */
  readonly #showing = new Pace(ANNOUNCE_INTERVAL_MIN_MS)

  constructor(core: ReplicaCore) {
    this.#core = core
  }

  /**
   * It comes late; or its member was set back, and is heard by nobody until it learns what it has said before. It is told so in
   * its own words, by one or two of us.
   */
  ofLaterWord(announcement: Announcement, link: string, now: Monotonic): Output[] {
    const { start, number, ownSeq } = announcement
    const known = this.#core.peers.get(announcement.member)?.announcement
    if (start === known?.start && number === known.number && ownSeq === known.ownSeq) return []
    return this.ofDouble(announcement, link, now)
  }

  /** The same of one that cannot be true. */
  ofDouble(announcement: Announcement, link: string, now: Monotonic): Output[] {
    const told = this.#tellOfEarlierWord(announcement, link, now)
    return [...told, ...this.#passOnToItsMember(announcement, link, now)]
  }

  /**
   * It says more of its member than that has said here, or was said after a later start: somebody tells it what it has said before,
   * and it may be on another link.
   */
  #passOnToItsMember(announcement: Announcement, link: string, now: Monotonic): Output[] {
    const core = this.#core
    const { member, ownSeq, start } = announcement
    const known = core.peers.get(member)?.announcement
    if (known === undefined || (ownSeq <= known.ownSeq && start <= known.start)) return []
    if (core.antiEntropy.links.size < 2 || !this.#passingOn.take(member, now)) return []
    return [core.send({ kind: 'announcement', announcement }, 'announcements', { except: link })]
  }

  #tellOfEarlierWord({ member }: Announcement, link: string, now: Monotonic): Output[] {
    const core = this.#core
    const known = core.peers.get(member)?.announcement
    if (core.isDraft || known === undefined || !this.#isOneOfTwo() || !this.#telling.take(member, now)) return []
    return [core.send({ kind: 'announcement', announcement: known }, 'announcements', { only: link })]
  }

  /**
   * A member states fewer operations of its own than we hold: it was set back, perhaps to before it knew any of us, and then it
   * takes no other word than its own. What is settled is not kept one by one: then it is offered the snapshot.
   */
  ofUnknownOperation({ member, ownSeq }: Announcement, link: string, now: Monotonic): Output[] {
    const log = this.#core.history.log(member)
    if (ownSeq >= log.held.seq || !this.#isOneOfTwo()) return []
    const [batch] = log.between(Math.max(ownSeq, log.settled.seq), log.held.seq, 1)
    return batch === undefined || !this.#showing.take(member, now)
      ? []
      : [this.#core.send({ kind: 'batch', batch }, 'answers', { only: link })]
  }

  /** Of all members that hear the same. */
  #isOneOfTwo(): boolean {
    const { options, history } = this.#core
    return options.random.uint32() % history.membership.size <= 1
  }
}
