import type { Monotonic } from '../base/clock.ts'
import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import { BATCH_BYTES_TARGET } from '../base/limits.ts'
import { pushed } from '../base/mapped.ts'
import type { Operation } from '../state/operation.ts'
import { sealBatch } from './batch-codec.ts'
import type { Batch, Previous, SyncMessage } from './message.ts'

const NONE: readonly Batch[] = []

/**
 * Our own operations between their execution and their commit. What was issued while a commit was under way goes into the
 * next batch as a whole (group commit): one batch is one commit, one signature and one frame.
 */
export class Outbox {
  #messages: SyncMessage[] = []
  #sealAt: Monotonic | null = null
  /** Batches that were handed to the store and are not on the disk yet. */
  #inFlight: readonly Batch[] = NONE

  get isEmpty(): boolean {
    return this.#messages.length === 0
  }

  get length(): number {
    return this.#messages.length
  }

  /** The first operation that is in no batch yet, so that nobody else can hold it. */
  get first(): Operation | null {
    return this.#messages[0]?.current ?? null
  }

  /** What the first of them follows. */
  get firstPrevious(): Previous | null {
    return this.#messages[0]?.previous ?? null
  }

  /** When the next batch is due; null while there is nothing to seal or a commit is under way. */
  get sealAt(): Monotonic | null {
    return this.#inFlight.length > 0 ? null : this.#sealAt
  }

  add(message: SyncMessage, sealAt: Monotonic): void {
    this.#messages = pushed(this.#messages, message)
    this.#sealAt = this.#sealAt === null ? sealAt : Math.min(this.#sealAt, sealAt)
  }

  /** Makes chained batches of all that waits. */
  seal(member: MemberId, link: Digest, sign: (batch: Batch) => Batch = unsigned): readonly Batch[] {
    if (this.#messages.length === 0) return NONE
    const messages = this.#messages
    this.#messages = []
    this.#sealAt = null
    const first = this.#sealSome(member, link, messages, sign)
    if (first.messages.length === messages.length) return [first]
    const batches = [first]
    let before = first
    for (let done = first.messages.length; done < messages.length; done += before.messages.length) {
      before = this.#sealSome(member, before.digest, messages.slice(done), sign)
      batches.push(before)
    }
    return batches
  }

  /** A batch of ours went to the store by another way. */
  noteHandedOver(batch: Batch): void {
    this.#inFlight = this.#inFlight.length === 0 ? [batch] : [...this.#inFlight, batch]
  }

  /** @returns true if the batch is one of ours that was on its way */
  noteStored(batch: Batch): boolean {
    if (!this.#inFlight.includes(batch)) return false
    this.#inFlight = this.#inFlight.length === 1 ? NONE : this.#inFlight.filter((other) => other !== batch)
    return true
  }

  #sealSome(member: MemberId, link: Digest, messages: readonly SyncMessage[], sign: (batch: Batch) => Batch): Batch {
    const batch = sign(sealBatch(member, link, messages, BATCH_BYTES_TARGET))
    this.noteHandedOver(batch)
    return batch
  }
}

/** As in a fleet without keys. */
function unsigned(batch: Batch): Batch {
  return batch
}
