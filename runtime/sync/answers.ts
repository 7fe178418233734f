import { BinaryHeap } from '../base/binary-heap.ts'
import { earlier, type Monotonic } from '../base/clock.ts'
import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import { ANSWER_DELAY_MAX_MS, ANSWER_STEP_MS, BATCHES_PER_ANSWER_STEP_MAX } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { History } from './history.ts'
import { type Batch, compareByFirst, firstOf, type Gap, lastOf, type Request } from './message.ts'
import { encodeFrame } from './message-codec.ts'
import type { Output } from './output.ts'
import { PendingAnswer } from './pending-answer.ts'
import { suppressionDelayMs } from './suppression.ts'

export interface AnswersOptions {
  readonly fleet: Digest
  readonly random: Random
  /** Whether operations of our own may be sent yet (PROTOCOL section 5, hear before you speak). */
  readonly maySpeak: () => boolean
}

/**
 * Sends what others lack (PROTOCOL section 8): some batches at a time, and the next ones when the link has room for them. So a
 * slow link is never blocked by an answer, and over a long way nobody asks anew for each few operations. A whole answer is
 * bounded; whoever lacks more asks again from where it is, so that a catch-up resumes after any interruption.
 */
export class Answers {
  readonly #options: AnswersOptions
  #self: MemberId
  #history: History
  readonly #pending = new Map<string, PendingAnswer>()
  /** Links in which answers wait. */
  readonly #congested = new Set<string>()

  constructor(options: AnswersOptions, self: MemberId, history: History) {
    this.#options = options
    this.#self = self
    this.#history = history
  }

  /** This node goes on as another member, or with another history. */
  rebase(self: MemberId, history: History): void {
    this.#self = self
    this.#history = history
    this.#pending.clear()
  }

  /** When the next batches are due where there is room for them, or null. */
  wakeAt(): Monotonic | null {
    let first: Monotonic | null = null
    // Asked for after every input, and nearly always there is none.
    if (this.#pending.size > 0)
      for (const [link, { at }] of this.#pending) if (!this.#congested.has(link)) first = earlier(first, at)
    return first
  }

  noteRoom(link: string, hasRoom: boolean): void {
    if (hasRoom) this.#congested.delete(link)
    else this.#congested.add(link)
  }

  noteLinkDown(link: string): void {
    this.#pending.delete(link)
    this.#congested.delete(link)
  }

  /** @param isAlone whether nobody else is asked */
  noteRequest(request: Request, link: string, isAlone: boolean, now: Monotonic): void {
    const { membership, retirement } = this.#history
    const gaps = request.gaps.filter(
      ({ member }) => membership.get(member) !== undefined || retirement.evidence.has(member),
    )
    const answer = this.#pending.get(link) ?? new PendingAnswer()
    answer.include({ from: request.from, gaps }, isAlone ? now : now + this.#suppressionDelayMs(), !isAlone)
    this.#pending.set(link, answer)
  }

  /** A batch has come over this link, so nobody need send it there. */
  noteBatch(batch: Batch, link: string, now: Monotonic): void {
    if (this.#pending.size === 0) return
    this.#pending.get(link)?.skip(batch, now + ANSWER_DELAY_MAX_MS + this.#suppressionDelayMs())
  }

  /** What is due. */
  tick(now: Monotonic): Output[] {
    const outputs: Output[] = []
    for (const [link, answer] of this.#pending) {
      if (answer.at > now || this.#congested.has(link)) continue
      if (this.#sendSome(answer, link, outputs)) answer.goOn(now + ANSWER_STEP_MS)
      else this.#pending.delete(link)
    }
    return outputs
  }

  /** @returns whether the answer goes on */
  #sendSome(answer: PendingAnswer, link: string, outputs: Output[]): boolean {
    for (const [index, batch] of this.#nextOf(answer).entries()) {
      if (index === BATCHES_PER_ANSWER_STEP_MAX) return true
      if (!answer.take(batch)) return false
      outputs.push(this.#send(batch, link))
    }
    return false
  }

  /** In canonical order; one more than are sent at a time if there are more. It costs what it is, and not what is asked for. */
  #nextOf(answer: PendingAnswer): Batch[] {
    const { evidence, late } = this.#history.retirement
    const heads = new BinaryHeap<Head>(compareHeads)
    for (const gap of answer.gaps()) {
      if (gap.member === this.#self && !this.#options.maySpeak()) continue
      if (answer.isNew) {
        const join = evidence.get(gap.member)
        if (join !== undefined && this.#history.membership.get(gap.member) === undefined)
          heads.add({ batch: join, rest: null })
        const first = late.get(gap.member)
        if (first !== undefined && firstOf(first).current.id.seq <= gap.through) heads.add({ batch: first, rest: null })
      }
      this.#addHeld(gap, heads)
    }
    const batches: Batch[] = []
    while (batches.length <= BATCHES_PER_ANSWER_STEP_MAX) {
      const head = heads.take()
      if (head === undefined) break
      batches.push(head.batch)
      if (head.rest !== null) this.#addHeld(head.rest, heads)
    }
    return batches
  }

  /** The first of them. Of our own only what is on the disk. */
  #addHeld(gap: Gap, heads: BinaryHeap<Head>): void {
    const { member, after, through } = gap
    const log = this.#history.log(member)
    const end = member === this.#self ? Math.min(through, log.stored.seq) : through
    const [batch] = log.between(after, end, 1)
    if (batch !== undefined) heads.add({ batch, rest: { ...gap, after: lastOf(batch).current.id.seq } })
  }

  #suppressionDelayMs(): number {
    return suppressionDelayMs(ANSWER_DELAY_MAX_MS, this.#history.membership.size, this.#options.random)
  }

  #send(batch: Batch, link: string): Output {
    const frame = encodeFrame(this.#options.fleet, { kind: 'batch', batch })
    return { kind: 'send', frame, to: { channel: 'answers', links: { only: link } } }
  }
}

/** A batch of an answer, and the gap that it leaves, or null. */
interface Head {
  readonly batch: Batch
  readonly rest: Gap | null
}

function compareHeads({ batch: left }: Head, { batch: right }: Head): number {
  return compareByFirst(left, right)
}
