import type { Monotonic } from '../base/clock.ts'
import { unreachable } from '../base/errors.ts'
import type { Joining } from './joining.ts'
import type { Announcement, Message, Offer } from './message.ts'
import { decodeFrame } from './message-codec.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import type { Receiving } from './receiving.ts'
import { hearForOthers, type Repeater } from './repeater.ts'
import type { ReplicaCore } from './replica-core.ts'
import type { Retiring } from './retiring.ts'
import type { Sponsoring } from './sponsoring.ts'
import type { TelemetryKeeper } from './telemetry.ts'

/** Whoever takes in a kind of message. */
interface Parts {
  readonly receiving: Receiving
  readonly retiring: Retiring
  readonly sponsoring: Sponsoring
  readonly joining: Joining
  readonly telemetry: TelemetryKeeper
  readonly repeater: Repeater
}

/** Where every frame comes in: it is read, and its message goes to those that its kind concerns. */
export class FrameEntrance {
  readonly #core: ReplicaCore
  readonly #parts: Parts

  constructor(core: ReplicaCore, parts: Parts) {
    this.#core = core
    this.#parts = parts
  }

  frame(bytes: Uint8Array, link: string, now: Monotonic): readonly Output[] {
    let message
    try {
      message = this.#core.options.readFrame?.(bytes) ?? decodeFrame(this.#core.fleet, bytes)
    } catch (error) {
      return this.#core.noteUndecodable(error)
    }
    hearForOthers(this.#parts.repeater, this.#core, { message, frame: bytes, link }, now)
    return this.#message(message, bytes, link, now)
  }

  #message(message: Message, frame: Uint8Array, link: string, now: Monotonic): readonly Output[] {
    switch (message.kind) {
      case 'batch':
        return this.#parts.joining.isAdopting ? NO_OUTPUTS : this.#parts.receiving.batch(message.batch, link, now)
      case 'announcement':
        return this.#announcement(message.announcement, frame, link, now)
      case 'request':
        for (const laggard of this.#parts.receiving.request(message.request, link, now))
          this.#parts.sponsoring.noteLaggard(laggard, link, now)
        return NO_OUTPUTS
      case 'epoch':
        return this.#parts.retiring.take(message.epoch, now)
      case 'join-request':
        this.#core.speaking.noteAskedToJoin(message.request.member, now)
        this.#parts.sponsoring.noteJoinRequest(message.request, link, now)
        this.#parts.retiring.noteKnown(message.request.epoch, now)
        return NO_OUTPUTS
      case 'refusal':
        this.#parts.sponsoring.noteRefusal(message.refusal)
        this.#parts.joining.noteRefusal(message.refusal)
        return NO_OUTPUTS
      case 'offer':
        this.#offer(message.offer, link, now)
        return NO_OUTPUTS
      case 'chunk-request':
        return this.#parts.sponsoring.answerChunk(message.request, link, now)
      case 'chunk':
        return this.#parts.joining.noteChunk(message.chunk, now)
      case 'telemetry':
        return this.#parts.telemetry.receive(message.telemetry, frame, link, now)
      default:
        return unreachable(message)
    }
  }

  #offer(offer: Offer, link: string, now: Monotonic): void {
    const problem = this.#core.signatures.problemOfOffer(offer, this.#core.history)
    if (problem === null) {
      this.#parts.sponsoring.noteOffer(offer)
      this.#parts.joining.noteOffer(offer, link, now)
    } else this.#core.dropped.add(problem === 'unknown' ? 'offer of a node that is no member' : problem)
  }

  #announcement(announcement: Announcement, frame: Uint8Array, link: string, now: Monotonic): Output[] {
    const problem = this.#core.problemOfAnnouncement(announcement)
    if (this.#core.isDraft) this.#parts.joining.noteWitness(announcement, problem)
    if (problem === 'unknown') {
      // Nothing that it states counts before its key is known, but if it lacks an epoch, that is passed on.
      this.#parts.retiring.noteStranger(announcement, now)
      this.#core.dropped.add('announcement of a node that is no member')
      return []
    }
    if (problem !== null) {
      this.#core.dropped.add(problem)
      return []
    }
    if (announcement.member === this.#core.self) {
      this.#parts.receiving.double(announcement)
      return []
    }
    const { outputs: told, isDropped } = this.#parts.receiving.judge(announcement, link, now)
    if (isDropped) return told
    this.#parts.telemetry.noteHeard(announcement.member, announcement.start, now)
    const compared = this.#parts.retiring.compare(announcement, now)
    if (compared === null) return this.#parts.retiring.alarmOfConflict()
    const outputs = [...told, ...compared, ...this.#parts.receiving.announcement(announcement, frame, link, now)]
    if (this.#parts.receiving.isSettledUnknown(announcement))
      this.#parts.sponsoring.noteLaggard(announcement.member, link, now)
    return outputs
  }
}
