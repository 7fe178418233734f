import type { Monotonic } from '../base/clock.ts'
import { toHex } from '../base/bytes.ts'
import type { MemberId } from '../base/ids.ts'
import { ANSWER_DELAY_MAX_MS, CANDIDATES_MAX, REFUSAL_BYTES_MAX } from '../base/limits.ts'
import { fraction } from '../base/random.ts'
import type { Join } from '../state/operation.ts'
import { marked, ROLE_DEFAULT } from '../state/role.ts'
import type { CandidateLine } from './inspection.ts'
import { journalProblem } from './journal-room.ts'
import { joinOf } from './membership.ts'
import type { ChunkRequest, JoinRequest, Offer, Refusal } from './message.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import type { ReplicaCore } from './replica-core.ts'
import { encodeSnapshot } from './snapshot.ts'
import {
  type Admission,
  type Candidate,
  enrolmentStanding,
  isSecondKey,
  maySponsor,
  postponementOf,
  refusalOf,
  Sponsor,
} from './sponsor.ts'
import { type Encoded, TransferSource } from './transfer.ts'
import type { VersionVector } from './version-vector.ts'

/** How a member takes in others: it sponsors drafts, and offers its snapshot to members that cannot catch up otherwise. */
export class Sponsoring {
  readonly #core: ReplicaCore
  readonly #sponsor: Sponsor
  readonly #source = new TransferSource()
  /** Members that lack what we have folded, with the time at which we offer our snapshot. */
  readonly #laggards = new Map<MemberId, { readonly link: string; readonly at: Monotonic }>()

  /** Offers that wait until all that they hold is on our disk: up to our record `through`. */
  readonly #unsent = new Map<MemberId, Unsent>()

  /** By member id and key: two keys that ask under one member id are two candidates. */
  readonly #candidates = new Map<string, { readonly request: JoinRequest; readonly refusal: string }>()

  constructor(core: ReplicaCore) {
    this.#core = core
    this.#sponsor = new Sponsor(core.options.random)
  }

  /** Drafts that were not taken in, here or, since they asked, by another member. */
  get candidates(): readonly CandidateLine[] {
    const { history } = this.#core
    const waiting = [...this.#candidates.values()].filter(
      ({ request }) => history.membership.get(request.member) === undefined || refusalOf(request, history) !== null,
    )
    return waiting.map(({ request: { member, tier, role, key }, refusal }) => {
      return { member, tier, role: role ?? ROLE_DEFAULT, key: toHex(key), refusal }
    })
  }

  get wakeAt(): Monotonic | null {
    let first = this.#sponsor.wakeAt()
    if (this.#laggards.size > 0)
      for (const { at } of this.#laggards.values()) first = first === null ? at : Math.min(first, at)
    return first
  }

  noteJoinRequest(request: JoinRequest, link: string, now: Monotonic): void {
    if (this.#maySponsor()) this.#sponsor.noteRequest(request, link, now)
  }

  noteRefusal(refusal: Refusal): void {
    this.#sponsor.noteRefused(refusal.to)
  }

  /** Another member was faster. */
  noteOffer(offer: Offer): void {
    this.#sponsor.noteWelcomed(offer.to, offer.from)
    this.#laggards.delete(offer.to)
    this.#unsent.delete(offer.to)
  }

  /** A member asks for operations that we have folded: nobody may be able to send them any more. */
  noteLaggard(member: MemberId, link: string, now: Monotonic): void {
    if (this.#laggards.has(member) || !this.#core.speaking.maySpeak()) return
    this.#laggards.set(member, { link, at: now + ANSWER_DELAY_MAX_MS * (1 + fraction(this.#core.options.random)) })
  }

  answerChunk(request: ChunkRequest, link: string, now: Monotonic): Output[] {
    const { self, history, requests } = this.#core
    if (request.to !== self || !requests.isGood(request, 'chunk request', { history, link })) return []
    const chunk = this.#source.chunk(request.digest, request.offset, now)
    return chunk === null ? [] : [this.#core.send({ kind: 'chunk', chunk }, 'answers', { only: link })]
  }

  /** @param admit issues the join and returns what that brings about */
  tick(now: Monotonic, admit: (join: Join) => Output[]): readonly Output[] {
    const { wakeAt } = this
    if (wakeAt === null || wakeAt > now) return NO_OUTPUTS
    const outputs: Output[] = []
    for (const candidate of this.#sponsor.due(now)) outputs.push(...this.#decide(candidate, now, admit))
    for (const [member, { link, at }] of this.#laggards) {
      if (at > now) continue
      this.#laggards.delete(member)
      outputs.push(...this.#offer(member, 'catch-up', link, now))
    }
    return outputs
  }

  /**
   * Whatever a snapshot holds is on our disk before it is offered: nobody must know more of us than we do. Under load something is
   * always on its way there, so what was held when it was taken is all that is waited for.
   */
  noteStored(through: number, now: Monotonic): readonly Output[] {
    if (this.#unsent.size === 0 && !this.#sponsor.hasWelcomes) return NO_OUTPUTS
    const outputs = this.#sendStored(through, now)
    for (const { request, link } of this.#sponsor.welcomesDue(through))
      if (this.#mayWelcome(request)) outputs.push(...this.#offer(request.member, 'welcome', link, now))
    return outputs
  }

  /** This node is a draft now. */
  reset(): void {
    this.#sponsor.clear()
    this.#laggards.clear()
    this.#unsent.clear()
  }

  #decide(candidate: Candidate, now: Monotonic, admit: (join: Join) => Output[]): Output[] {
    const { history, self, writer } = this.#core
    const { request } = candidate
    const isKnown = history.membership.get(request.member) !== undefined
    const admission = this.#judge(request, isKnown)
    this.#noteCandidate(request, admission)
    if (admission.kind === 'refused') return this.#refuse(candidate, admission.reason)
    // A join, and all that its node has drafted, would come on top. Whoever has joined already adds nothing.
    const postponement = postponementOf(request, history, self) ?? (isKnown ? null : journalProblem(this.#core))
    if (postponement !== null) return this.#refuse(candidate, postponement)
    if (!maySponsor(history) || !this.#core.speaking.maySpeak()) return []
    const outputs = isKnown ? [] : admit(joinAsked(request, admission))
    this.#sponsor.welcomeAfter(candidate, writer.lastNumber)
    return [...outputs, ...(writer.isComplete ? this.noteStored(writer.lastNumber, now) : [])]
  }

  #refuse({ request, link, isRefused }: Candidate, reason: string): Output[] {
    const alarms = this.#alarmOf(request)
    if (isRefused) return alarms
    const refusal = { to: request.member, from: this.#core.self, reason: oneLine(reason) }
    return [...alarms, this.#core.send({ kind: 'refusal', refusal }, 'requests', { only: link })]
  }

  /** Whoever is a member already has shown its proof; it only needs its welcome. */
  #judge(request: JoinRequest, isKnown: boolean): Admission {
    const { history, options } = this.#core
    const reason = refusalOf(request, history)
    if (reason !== null) return { kind: 'refused', reason }
    if (isKnown || options.judgeJoin === undefined) return { kind: 'admitted', token: null }
    return options.judgeJoin(request, enrolmentStanding(history))
  }

  /** An observer's join would be void. */
  #maySponsor(): boolean {
    return this.#core.speaking.maySpeak() && this.#core.role !== 'observer'
  }

  #alarmOf(request: JoinRequest): Output[] {
    const { history, alarms } = this.#core
    return isSecondKey(request, history) ? alarms.raise({ name: 'second-key', member: request.member }) : []
  }

  /** The newest of each draft, for people; whoever has joined is among the members. */
  #noteCandidate(request: JoinRequest, admission: Admission): void {
    const name = `${request.member} ${toHex(request.key)}`
    this.#candidates.delete(name)
    if (admission.kind === 'admitted') return
    this.#candidates.set(name, { request, refusal: admission.reason })
    for (const oldest of this.#candidates.keys()) {
      if (this.#candidates.size <= CANDIDATES_MAX) break
      this.#candidates.delete(oldest)
    }
  }

  /** Our own join may have been cut since it asked, or the newcomer retired. */
  #mayWelcome(request: JoinRequest): boolean {
    const { history } = this.#core
    return this.#maySponsor() && maySponsor(history) && refusalOf(request, history) === null
  }

  #offer(to: MemberId, purpose: Offer['purpose'], link: string, now: Monotonic): Output[] {
    const { writer } = this.#core
    const basis = this.#basisOf(to, purpose)
    const made = this.#source.recentOffer(to, purpose, basis, now)
    if (made !== null && !this.#unsent.has(to)) return [this.#send(made, link)]
    const offer = made ?? this.#newOffer(to, purpose, basis, now)
    if (writer.isComplete) return [this.#send(offer, link)]
    if (made === null) this.#unsent.set(to, { purpose, link, through: writer.lastNumber })
    return []
  }

  #sendStored(through: number, now: Monotonic): Output[] {
    const outputs: Output[] = []
    for (const [to, unsent] of this.#unsent) {
      if (unsent.through > through) continue
      this.#unsent.delete(to)
      // Where it has become void meanwhile it is asked for again.
      const offer = this.#source.recentOffer(to, unsent.purpose, this.#basisOf(to, unsent.purpose), now)
      if (offer !== null && this.#core.speaking.maySpeak()) outputs.push(this.#send(offer, unsent.link))
    }
    return outputs
  }

  /** What must not have changed since an offer was made. */
  #basisOf(to: MemberId, purpose: Offer['purpose']): string {
    const { retirement } = this.#core.history
    // A newcomer of whom something has come meanwhile has had this id before, and must be able to see that.
    const held = purpose === 'welcome' ? this.#core.history.log(to).held.seq : 0
    return `${retirement.number} ${held}`
  }

  #send(offer: Offer, link: string): Output {
    return this.#core.send({ kind: 'offer', offer }, 'requests', { only: link })
  }

  #newOffer(to: MemberId, purpose: Offer['purpose'], basis: string, now: Monotonic): Offer {
    const { self, history, signatures } = this.#core
    const { digest, size } = this.#encoded(to, purpose, now)
    const own = history.membership.get(self)
    const sponsor = own === undefined || own.credential.length === 0 ? {} : { sponsor: joinOf(own) }
    const plain: Offer = { to, from: self, purpose, digest, size, ...sponsor }
    const offer = signatures.signOffer(plain)
    this.#source.noteOffer(offer, basis, now)
    return offer
  }

  /** One encoding serves all who ask while nothing changes but that operations follow what is held: each takes as long as the state is large. */
  #encoded(to: MemberId, purpose: Offer['purpose'], now: Monotonic): Encoded {
    const { history } = this.#core
    const basis = `${history.revision} ${history.floorDigest}`
    const recent = this.#source.recentSnapshot(basis, now)
    const heldOf = (vector: VersionVector): number => vector.get(to)?.seq ?? 0
    const { vector } = this.#core.storedVector()
    if (recent !== null && (purpose === 'catch-up' || heldOf(recent.vector) === heldOf(vector))) return recent
    const bytes = encodeSnapshot(this.#core.snapshot(null))
    return this.#source.share({ digest: this.#source.add(bytes), size: bytes.length, vector }, basis, now)
  }
}

interface Unsent {
  readonly purpose: Offer['purpose']
  readonly link: string
  readonly through: number
}

function joinAsked(request: JoinRequest, { token, credential }: Admission & { kind: 'admitted' }): Join {
  const { member, tier, key, role = ROLE_DEFAULT } = request
  const traced = credential === undefined ? {} : { credential }
  return { member, tier, key, ...(token === null ? {} : { token }), ...marked(role), ...traced }
}

/** The reason of a check that is not ours may be of any length; what does not fit would be dropped by whoever reads it. */
function oneLine(reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= REFUSAL_BYTES_MAX) return reason
  // A character that is cut in two takes up to three bytes more where it is replaced.
  return bytes.subarray(0, REFUSAL_BYTES_MAX - 3).toString()
}
