import { earlier, type Monotonic } from '../base/clock.ts'
import { type Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import {
  ANNOUNCE_INTERVAL_MAX_MS,
  ANNOUNCE_INTERVAL_MEMBERS,
  ANNOUNCE_INTERVAL_MIN_MS,
  ANSWER_DELAY_MAX_MS,
  JOIN_REQUESTS_MAX,
  REQUEST_DELAY_MAX_MS,
  REQUEST_DELAY_MS,
  REQUEST_RETRY_MS,
} from '../base/limits.ts'
import { fraction, type Random } from '../base/random.ts'
import { Answers } from './answers.ts'
import { Differences } from './differences.ts'
import type { DropCounter } from './drop-counter.ts'
import { Gaps } from './gaps.ts'
import type { History } from './history.ts'
import { type Announcement, type Batch, type Gap, lastOf, type Message, type Request, subjectOf } from './message.ts'
import { encodeFrame } from './message-codec.ts'
import { type Destination, NO_OUTPUTS, type Output } from './output.ts'
import type { OwnVector, Peer, Peers } from './peers.ts'
import { RelayedQuestions } from './relayed-questions.ts'
import type { FloorMark } from './stored-floor.ts'
import { suppressionDelayMs } from './suppression.ts'
import { sortedEntries } from './version-vector.ts'

/** What an announcement states besides the version vector and the floor. */
export type OwnStatement = Pick<
  Announcement,
  'start' | 'stage' | 'epoch' | 'newestEpoch' | 'epochDigest' | 'knowsCuts' | 'frozen'
> & { readonly floor: FloorMark; readonly state: FloorMark | null }

export interface AntiEntropyOptions {
  readonly fleet: Digest
  readonly peers: Peers
  readonly random: Random
  /** What is on the disk now, or null while nothing may be announced. */
  readonly statement: () => OwnStatement | null
  /** As it is sent. */
  readonly sign: (announcement: Announcement) => Announcement
  /** The same of a request. */
  readonly signRequest: (request: Request) => Request
  readonly ownVector: () => OwnVector
  /** Whether operations of our own may be sent yet (PROTOCOL section 5, hear before you speak). */
  readonly maySpeak: () => boolean
  readonly dropped: DropCounter
}

/**
 * Finds what is missing and gets exactly that, over every link, whatever was lost (PROTOCOL section 8).
 *
 * Every member announces its version vector, or the digest of it where that is expected to suffice, at intervals that
 * double while nothing changes (RFC 6206). Who finds that others hold more asks for the gaps; on a broadcast link one
 * request and one answer serve all who miss the same. An answer is bounded and the asker asks again from where it is, so
 * that a transfer resumes after any interruption. There is one decision function, `tick`; all else notes facts.
 */
export class AntiEntropy {
  readonly #options: AntiEntropyOptions
  #self: MemberId
  #history: History
  readonly #links = new Set<string>()
  #gaps: Gaps
  readonly #answers: Answers
  #announcements = 0
  #announceAt: Monotonic | null = null
  /** When we would have announced, had nobody asked for our vector before. */
  #regularAt: Monotonic | null = null
  #intervalMs = ANNOUNCE_INTERVAL_MIN_MS
  #isFullWanted = true
  /** An announcement was due while nothing could be announced yet. */
  #isOwed = false
  /** When we announce our digest for those who seem to lack something, unless another who holds the same does it before. */
  #digestAt: Monotonic | null = null
  /** The same for the whole version vector. */
  #fullAt: Monotonic | null = null
  /** The digest that nobody here understood when we decided so; null if it was for another reason. */
  #riddle: Digest | null = null
  readonly #differences = new Differences()
  #requestAt: Monotonic | null = null
  /** Since when others have asked for what we lack, so that we did not. */
  #letAskSince: Monotonic | null = null
  readonly #questions = new RelayedQuestions()
  #attempts = 0

  constructor(options: AntiEntropyOptions, self: MemberId, history: History) {
    this.#options = options
    this.#self = self
    this.#history = history
    this.#gaps = new Gaps(self, history, this.#options.peers)
    this.#answers = new Answers(options, self, history)
  }

  /** This node goes on as another member, or with another history. */
  rebase(self: MemberId, history: History): void {
    this.#self = self
    this.#history = history
    this.#gaps = new Gaps(self, history, this.#options.peers)
    this.#answers.rebase(self, history)
    this.#questions.forget()
    this.#differences.forget()
    this.#attempts = 0
  }

  get hasGaps(): boolean {
    return this.#gaps.areThere
  }

  /** How often we have announced since our start. */
  get announcements(): number {
    return this.#announcements
  }

  get links(): ReadonlySet<string> {
    return this.#links
  }

  /** The earliest time at which `tick` has something to do, or null. */
  wakeAt(): Monotonic | null {
    const first = earlier(earlier(this.#announceAt, this.#requestAt), earlier(this.#digestAt, this.#fullAt))
    return earlier(earlier(first, this.#questions.at), this.#answers.wakeAt())
  }

  noteLinkUp(link: string, now: Monotonic): void {
    this.#links.add(link)
    this.#attempts = 0
    this.noteCuts(now)
    if (this.#isLargeFleet()) {
      this.#announceBy(now)
      this.#stateVectorSoon(null, now)
    } else this.announceFullBy(now)
    // What was asked for in vain while nobody could answer may be had now.
    if (this.#requestAt !== null) this.#requestAt = Math.min(this.#requestAt, now + REQUEST_DELAY_MS)
  }

  noteLinkDown(link: string): void {
    this.#links.delete(link)
    this.#answers.noteLinkDown(link)
  }

  /** Whether the link takes answers, or some wait in it for what is on its way. */
  noteRoom(link: string, hasRoom: boolean): void {
    this.#answers.noteRoom(link, hasRoom)
  }

  /** Something that others want to know has changed on our disk. */
  noteStored(now: Monotonic): void {
    // One draw for each interval: many changes must not make it shorter.
    if (this.#announceAt !== null && this.#intervalMs <= this.#intervalMinMs()) return
    this.#intervalMs = this.#intervalMinMs()
    // A node that has just started is behind: it hears what it lacks as soon as the others know what it has.
    const delayMs = this.#isOwed ? ANSWER_DELAY_MAX_MS : this.#intervalMs
    this.#isOwed = false
    this.#announceBy(now + delayMs * fraction(this.#options.random))
  }

  /**
   * Somebody who lacks something finds out by a version vector that is stated by one of those who have it; somebody whose
   * digest is not understood may have more, and tells if it hears what we have.
   * @param peer what another member has just stated
   * @param isFull whether it has stated the vector and not only its digest
   */
  noteAnnouncement(peer: Peer, isFull: boolean, now: Monotonic): void {
    const { member, vectorDigest } = peer.announcement
    const { digest } = this.#options.ownVector()
    if (vectorDigest === digest) {
      // It has spoken for all who hold the same.
      this.#digestAt = null
      if (isFull) this.#fullAt = null
      return
    }
    this.#differences.note(member, vectorDigest, digest)
    if (this.#isLargeFleet() && !isFull && this.#options.peers.isOwn(vectorDigest)) {
      this.#digestAt ??= now + this.#suppressionDelayMs(ANSWER_DELAY_MAX_MS)
      return
    }
    // An older vector has been looked at when it was stated.
    if (isFull || !this.#isLargeFleet())
      for (const entry of peer.vector.values()) this.#gaps.raise(entry.member, entry.seq)
    if (!isFull || this.#isAheadOf(peer)) this.#stateVectorSoon(isFull ? null : vectorDigest, now)
    this.#requestBy(now + this.#requestDelayMs())
  }

  /** What stands of the retired is to be held, also where nobody who is heard states it any more. */
  noteCuts(now: Monotonic): void {
    this.#questions.hurry()
    for (const { member, seq } of this.#history.retirement.cuts?.values() ?? []) this.#gaps.raise(member, seq)
    if (this.hasGaps) this.#requestBy(now + this.#requestDelayMs())
  }

  #stateVectorSoon(riddle: Digest | null, now: Monotonic): void {
    if (this.#fullAt === null || riddle === null) this.#riddle = riddle
    this.#fullAt ??= now + this.#suppressionDelayMs(ANSWER_DELAY_MAX_MS)
  }

  /**
   * A batch has come: it may close a gap of ours, and nobody need answer with it again.
   * @param isNew it was integrated
   */
  noteBatch(batch: Batch, link: string, isNew: boolean, now: Monotonic): void {
    const { seq } = lastOf(batch).current.id
    const closesGap = isNew && this.#gaps.heightOf(batch.origin) >= seq
    this.#gaps.raise(batch.origin, seq)
    this.#answers.noteBatch(batch, link, now)
    if (!this.hasGaps) {
      this.#requestAt = null
      this.#attempts = 0
    } else if (closesGap) {
      // There is progress with what we miss, so an answer is on its way: ask again only when it has stalled.
      this.#attempts = 0
      this.#requestAt = now + this.#requestDelayMs()
    } else {
      this.#requestBy(now + this.#requestDelayMs())
    }
  }

  noteRequest(request: Request, link: string, now: Monotonic): void {
    const isAlone = request.to === this.#self
    if (isAlone || request.to === null || this.#isOnOtherLink(request.to, link))
      this.#answers.noteRequest(request, link, isAlone, now)
    this.#noteQuestion(request, link, now)
    if (this.#requestAt === null || !this.#isAskedFor(request.gaps)) return
    // The answer is heard by all. But whoever asks and is not answered must not keep us from asking.
    this.#letAskSince ??= now
    if (now - this.#letAskSince > REQUEST_DELAY_MAX_MS) return
    this.#requestAt = Math.max(this.#requestAt, now + REQUEST_RETRY_MS * (1 + fraction(this.#options.random)))
  }

  /** Whether an answer to somebody else holds the next that we lack of each member. */
  #isAskedFor(gaps: readonly Gap[]): boolean {
    const asked = new Map(gaps.map((gap) => [gap.member, gap]))
    return this.#gaps.list().every(({ member, after }) => {
      const gap = asked.get(member)
      return gap !== undefined && gap.after <= after && gap.through > after
    })
  }

  /** Who is asked does not hear it, so whoever stands between answers: the asker would try in vain before it asked anybody. */
  #isOnOtherLink(member: MemberId, link: string): boolean {
    const peer = this.#links.size < 2 ? undefined : this.#options.peers.get(member)
    return peer !== undefined && peer.link !== link
  }

  #noteQuestion({ from, gaps }: Request, link: string, now: Monotonic): void {
    if (this.#links.size < 2 || !this.#questions.isOpen(from, now)) return
    const { membership, retirement } = this.#history
    const unknown = gaps.filter(
      ({ member }) => membership.get(member) === undefined && !retirement.evidence.has(member),
    )
    if (unknown.length > 0) this.#questions.ask(from, { gaps: unknown, link, at: now + this.#requestDelayMs() })
  }

  #askOnOtherLinks(now: Monotonic): Output[] {
    return this.#questions.take(now).map(({ gaps, link }) => this.#ask(null, gaps, { except: link }))
  }

  /** Does all that is due. */
  tick(now: Monotonic): readonly Output[] {
    const wakeAt = this.wakeAt()
    if (wakeAt === null || wakeAt > now) return NO_OUTPUTS
    const outputs: Output[] = []
    if (this.#fullAt !== null && this.#fullAt <= now) this.#stateVector(now)
    const announceAt = Math.min(this.#announceAt ?? Infinity, this.#digestAt ?? Infinity)
    if (announceAt <= now) outputs.push(...this.#announce(now))
    if (this.#requestAt !== null && this.#requestAt <= now) outputs.push(...this.#request(now))
    outputs.push(...this.#askOnOtherLinks(now))
    outputs.push(...this.#answers.tick(now))
    return outputs
  }

  #stateVector(now: Monotonic): void {
    const riddle = this.#riddle
    this.#fullAt = null
    this.#riddle = null
    if (riddle !== null && this.#isLargeFleet()) {
      // What was on its way then may have arrived since.
      this.#options.ownVector()
      if (this.#options.peers.isOwn(riddle)) return
    }
    if (this.#differences.takeNew()) this.announceFullBy(now)
    else {
      this.#isFullWanted = true
      this.#regularAt = this.#announceAt
      this.#announceBy(now)
    }
  }

  #announce(now: Monotonic): Output[] {
    const statement = this.#options.statement()
    this.#digestAt = null
    if (statement === null || this.#links.size === 0) {
      this.#isOwed = this.#links.size > 0
      this.#announceAt = null
      return []
    }
    this.#announcements += 1
    this.#history.retirement.noteTold()
    const announcement = this.#statementOf(statement)
    if (this.#isFullWanted) this.#fullAt = null
    this.#isFullWanted = false
    this.#announceAt = now + this.#intervalMs * (1 - fraction(this.#options.random) / 2)
    this.#intervalMs = Math.min(
      2 * this.#intervalMs,
      (ANNOUNCE_INTERVAL_MAX_MS / ANNOUNCE_INTERVAL_MIN_MS) * this.#intervalMinMs(),
    )
    // A digest has to come as well: whoever does not understand it states its own vector.
    if (this.#regularAt !== null) this.#announceAt = Math.max(now + 1, this.#regularAt)
    this.#regularAt = null
    const signed = this.#options.sign(announcement)
    return [
      this.#send(
        { kind: 'announcement', announcement: signed },
        { channel: 'announcements', of: subjectOf(signed), links: 'all' },
      ),
    ]
  }

  #statementOf({ state, ...statement }: OwnStatement): Announcement {
    const { ownVector } = this.#options
    const [self, history] = [this.#self, this.#history]
    const own = ownVector()
    return {
      member: self,
      number: this.#announcements,
      ...statement,
      ownSeq: history.log(self).stored.seq,
      floor: statement.floor.stage,
      floorDigest: statement.floor.digest,
      vectorDigest: own.digest,
      vector: this.#isFullWanted ? sortedEntries(own.vector) : null,
      ...(state === null ? {} : { state }),
    }
  }

  #request(now: Monotonic): Output[] {
    const gaps = this.#gaps.list()
    if (gaps.length === 0 || this.#links.size === 0) {
      this.#requestAt = null
      this.#attempts = 0
      return []
    }
    const delayMs = Math.min(REQUEST_RETRY_MS * 2 ** this.#attempts, REQUEST_DELAY_MAX_MS)
    const askOriginators = this.#attempts % 2 === 0
    this.#letAskSince = null
    this.#attempts += 1
    if (this.#attempts > JOIN_REQUESTS_MAX) this.#forgetStrangers()
    this.#requestAt = now + delayMs * (1 + fraction(this.#options.random))
    return askOriginators ? this.#askOriginators(gaps) : [this.#ask(null, gaps, 'all')]
  }

  /** Nobody has told of their joins: whoever hears of one later gets the operations then. */
  #forgetStrangers(): void {
    for (const _ of this.#history.waitingList.forgetStrangers())
      this.#options.dropped.add('nobody knows the join that operations wait for')
  }

  /** Asks each member for its own operations where it has been heard, and whoever can for the rest. */
  #askOriginators(gaps: readonly Gap[]): Output[] {
    const outputs: Output[] = []
    const orphaned: Gap[] = []
    for (const gap of gaps) {
      const peer = this.#options.peers.get(gap.member)
      if (peer === undefined || !this.#links.has(peer.link)) orphaned.push(gap)
      else outputs.push(this.#ask(gap.member, [gap], { only: peer.link }))
    }
    if (orphaned.length > 0) outputs.push(this.#ask(null, orphaned, 'all'))
    return outputs
  }

  #ask(to: MemberId | null, gaps: readonly Gap[], links: Destination['links']): Output {
    const request = this.#options.signRequest({ from: this.#self, to, gaps })
    return this.#send({ kind: 'request', request }, { channel: 'requests', links })
  }

  #isAheadOf(peer: Peer): boolean {
    for (const log of this.#history.logs()) if (log.stored.seq > (peer.vector.get(log.member)?.seq ?? 0)) return true
    return false
  }

  /** What we state has changed as it has with everybody else, so in a large fleet they take turns. */
  announceSoon(at: Monotonic): void {
    if (this.#isLargeFleet()) this.noteStored(at)
    else this.announceFullBy(at)
  }

  /** Announces everything, at the latest at `at`. */
  announceFullBy(at: Monotonic): void {
    this.#isFullWanted = true
    this.#intervalMs = this.#intervalMinMs()
    this.#announceBy(at)
  }

  #announceBy(at: Monotonic): void {
    this.#announceAt = this.#announceAt === null ? at : Math.min(this.#announceAt, at)
  }

  #requestBy(at: Monotonic): void {
    this.#requestAt ??= at
  }

  /** Grows with the fleet, so that what a node receives in idle times does not. */
  #intervalMinMs(): number {
    return ANNOUNCE_INTERVAL_MIN_MS * Math.max(1, this.#history.membership.size / ANNOUNCE_INTERVAL_MEMBERS)
  }

  /** Where a version vector is so long that one is to speak for all. */
  #isLargeFleet(): boolean {
    return this.#history.membership.size > ANNOUNCE_INTERVAL_MEMBERS
  }

  #requestDelayMs(): number {
    return REQUEST_DELAY_MS + this.#suppressionDelayMs(REQUEST_DELAY_MS)
  }

  /** Until we do what others may do for us. */
  #suppressionDelayMs(windowMs: number): number {
    return suppressionDelayMs(windowMs, this.#history.membership.size, this.#options.random)
  }

  #send(message: Message, to: Destination): Output {
    return { kind: 'send', frame: encodeFrame(this.#options.fleet, message), to }
  }
}
