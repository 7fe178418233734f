import { equalBytes } from '../base/bytes.ts'
import type { Monotonic } from '../base/clock.ts'
import { ANSWER_DELAY_MAX_MS } from '../base/limits.ts'
import { type Epoch, epochDigest, epochPayload, epochProblem } from './epoch.ts'
import { EpochGossip } from './epoch-gossip.ts'
import { keepsOwn } from './life.ts'
import type { Announcement } from './message.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import type { ReplicaCore } from './replica-core.ts'
import { versionVector } from './version-vector.ts'

/**
 * Epochs at one node (PROTOCOL section 6): it takes in what the operator has signed, freezes, passes the document on, gathers
 * what the others have frozen, and cuts. All of it also as a draft, which may have been retired itself.
 */
export class Retiring {
  readonly #core: ReplicaCore
  readonly #gossip: EpochGossip
  /** Number of the record of the newest epoch while it is not on the disk. */
  #record: number | null = null

  constructor(core: ReplicaCore) {
    this.#core = core
    this.#gossip = new EpochGossip(core.options.random)
  }

  /** What is still true after a restart. */
  alarms(): Output[] {
    const { retirement } = this.#core.history
    const forced = retirement.epoch?.isForced === true
    const outputs = forced ? this.#core.alarms.raise({ name: 'epoch-forced', number: retirement.number }) : []
    return [...outputs, ...this.#alarmsOfCuts()]
  }

  get wakeAt(): Monotonic | null {
    return this.#gossip.sendAt
  }

  tick(now: Monotonic): readonly Output[] {
    const { epoch } = this.#core.history.retirement
    if (this.#gossip.sendAt === null || this.#gossip.sendAt > now) return NO_OUTPUTS
    this.#gossip.noteSent()
    return epoch === null ? [] : [this.#core.send({ kind: 'epoch', epoch }, 'announcements', 'all')]
  }

  /** An epoch document of the operator, from whomever it comes. */
  take(epoch: Epoch, now: Monotonic): Output[] {
    const { retirement } = this.#core.history
    if (epoch.number < retirement.number) return []
    if (epoch.number === retirement.number) {
      if (epochDigest(epoch) !== retirement.digest) return this.alarmOfConflict()
      // What is not signed as ours is taken in by nobody: whoever lacks it still does.
      if (equalBytes(epoch.signature, retirement.epoch?.signature ?? NOTHING)) this.#gossip.noteSent()
      return []
    }
    const problem = this.problemOf(epoch)
    if (problem === null) return this.#begin(epoch, now)
    this.#core.dropped.add(`epoch: ${problem}`)
    return []
  }

  /** Another node knows this epoch and none after it. */
  noteKnown(number: number, now: Monotonic): void {
    if (number < this.#core.history.retirement.number) this.#gossip.noteBehind(this.#core.history.membership.size, now)
  }

  /** The same of a node that is no member: what it says beside that counts only as a question. */
  noteStranger({ newestEpoch, knowsCuts }: Announcement, now: Monotonic): void {
    this.noteKnown(newestEpoch, now)
    this.#core.history.retirement.noteStranger(newestEpoch, knowsCuts)
  }

  /** What another node says of its epoch. @returns null if it is of another epoch of the same number */
  compare(announcement: Announcement, now: Monotonic): readonly Output[] | null {
    const { retirement } = this.#core.history
    const { member, epoch, newestEpoch, frozen } = announcement
    this.noteKnown(newestEpoch, now)
    if (newestEpoch > retirement.number) this.#core.antiEntropy.announceSoon(now + ANSWER_DELAY_MAX_MS)
    if (newestEpoch === retirement.number && announcement.epochDigest !== retirement.digest) return null
    retirement.noteKnowledge(member, newestEpoch, announcement.knowsCuts)
    if (frozen !== null) retirement.noteStated(member, epoch, frozen)
    return this.#settleCuts(now)
  }

  /** Two operators have made different epochs of one number: the second one is refused here. */
  alarmOfConflict(): Output[] {
    return this.#core.alarms.raise({ name: 'epoch-conflict', number: this.#core.history.retirement.number })
  }

  /** Records up to this one are on the disk. */
  noteStored(through: number, now: Monotonic): readonly Output[] {
    if (this.#record !== null && this.#record <= through) {
      this.#record = null
      this.#core.history.retirement.noteStored()
    }
    return this.#settleCuts(now)
  }

  /** Why an epoch is not taken in, or null. */
  problemOf(epoch: Epoch): string | null {
    const { options, fleet, history } = this.#core
    const { number } = history.retirement
    if (epoch.number < number) return `epoch ${number} holds already`
    if (epoch.number === number && epochDigest(epoch) === history.retirement.digest) return null
    if (epoch.number === number) return `another epoch ${number} holds already`
    const isSigned = options.verifyEpoch?.(epochPayload(fleet, epoch), epoch.signature) ?? false
    return isSigned ? epochProblem(epoch, history.retirement.epoch) : 'it is not signed by the operator'
  }

  /** Freezes the retired at what is held of them now; that goes to the disk before it is announced. */
  #begin(epoch: Epoch, now: Monotonic): Output[] {
    const { history, self, writer } = this.#core
    const before = history.retirement.announced(self)
    const frozen = versionVector(epoch.retired.map((member) => history.log(member).held))
    const retirement = { epoch, before, frozen, cuts: null }
    history.retirement.begin(retirement)
    const outputs = [writer.store({ kind: 'epoch', retirement })]
    this.#record = writer.lastNumber
    this.#gossip.noteBehind(this.#core.history.membership.size, now)
    return [...outputs, ...this.#core.reconsider(), ...this.alarms()]
  }

  /** Removes what lies beyond the cuts, as soon as they are known. */
  #settleCuts(now: Monotonic): readonly Output[] {
    const { history, self, life, writer, antiEntropy } = this.#core
    const { retirement } = history
    if (retirement.cuts !== null) return NO_OUTPUTS
    const cuts = retirement.computeCuts(self)
    if (cuts === null) return NO_OUTPUTS
    const outputs = [
      writer.store({ kind: 'cuts', cuts }),
      ...this.#core.remove(history.cut(cuts, (member) => keepsOwn(life, member))),
      ...this.#core.reconsider(),
    ]
    antiEntropy.noteCuts(now)
    antiEntropy.announceSoon(now)
    return [...outputs, ...this.#alarmsOfCuts()]
  }

  /** What is settled here cannot be cut any more: the others have lost it. */
  #alarmsOfCuts(): Output[] {
    const { history, alarms } = this.#core
    const { cuts, retired } = history.retirement
    if (cuts === null) return []
    return [...retired].flatMap((member) => {
      const seq = cuts.get(member)?.seq ?? 0
      return history.log(member).settled.seq > seq ? alarms.raise({ name: 'cut-below-floor', member, seq }) : []
    })
  }
}

const NOTHING: Uint8Array = new Uint8Array()
