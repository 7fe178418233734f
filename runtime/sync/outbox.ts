import type { Monotonic } from '../base/clock.ts'
import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import { BATCH_BYTES_TARGET, OPERATIONS_PER_BATCH_MAX } from '../base/limits.ts'
import type { Operation } from '../state/operation.ts'
import { sealBatch } from './batch-codec.ts'
import type { Batch, Previous, SyncMessage } from './message.ts'

/**
 * Our own operations between their execution and their commit. What was issued while a commit was under way goes into the
 * next batch as a whole (group commit): one batch is one commit, one signature and one frame.
 */
export class Outbox {
  #messages: { readonly message: SyncMessage; readonly bytes: number }[] = []
  #sealAt: Monotonic | null = null
  /** Batches that were handed to the store and are not on the disk yet. */
  readonly #inFlight = new Set<Digest>()

  get isEmpty(): boolean {
    return this.#messages.length === 0
  }

  get length(): number {
    return this.#messages.length
  }

  /** The first operation that is in no batch yet, so that nobody else can hold it. */
  get first(): Operation | null {
    return this.#messages[0]?.message.current ?? null
  }

  /** What the first of them follows. */
  get firstPrevious(): Previous | null {
    return this.#messages[0]?.message.previous ?? null
  }

  /** When the next batch is due; null while there is nothing to seal or a commit is under way. */
  get sealAt(): Monotonic | null {
    return this.#inFlight.size > 0 ? null : this.#sealAt
  }

  /** @param bytes upper bound of the message's size in a batch */
  add(message: SyncMessage, bytes: number, sealAt: Monotonic): void {
    this.#messages.push({ message, bytes })
    this.#sealAt = this.#sealAt === null ? sealAt : Math.min(this.#sealAt, sealAt)
  }

  /** Makes chained batches of all that waits. */
  seal(member: MemberId, link: Digest, sign: (batch: Batch) => Batch = unsigned): Batch[] {
    const batches: Batch[] = []
    let before = link
    for (const messages of this.#portions()) {
      const batch = sign(sealBatch(member, before, messages))
      batches.push(batch)
      before = batch.digest
    }
    this.#messages = []
    this.#sealAt = null
    for (const { digest } of batches) this.#inFlight.add(digest)
    return batches
  }

  /** A batch of ours went to the store by another way. */
  noteHandedOver({ digest }: Batch): void {
    this.#inFlight.add(digest)
  }

  /** @returns true if the batch is one of ours that was on its way */
  noteStored(digest: Digest): boolean {
    return this.#inFlight.delete(digest)
  }

  *#portions(): Generator<SyncMessage[]> {
    let portion: SyncMessage[] = []
    let total = 0
    for (const { message, bytes } of this.#messages) {
      if (portion.length > 0 && (total + bytes > BATCH_BYTES_TARGET || portion.length === OPERATIONS_PER_BATCH_MAX)) {
        yield portion
        portion = []
        total = 0
      }
      portion.push(message)
      total += bytes
    }
    if (portion.length > 0) yield portion
  }
}

/** As in a fleet without keys. */
function unsigned(batch: Batch): Batch {
  return batch
}
