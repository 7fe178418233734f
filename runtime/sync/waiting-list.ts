import { formatOperationId, type MemberId, type OperationId } from '../base/ids.ts'
import { WAITING_BYTES_MAX, WAITING_MESSAGES_MAX } from '../base/limits.ts'
import { DeferredQueue, isBefore, type Waiting } from './deferred-queue.ts'
import { type Batch, firstOf, type Gap, lastOf } from './message.ts'

export type { Waiting } from './deferred-queue.ts'

/**
 * The waiting list: batches of members that are ahead of us. One place for each (stage, previous operation); who loses a
 * place goes to the deferred queue of that place. Each is found again by what it waits for.
 */
export class WaitingList {
  readonly #places = new Map<string, DeferredQueue>()
  readonly #blockedBy = new Map<MemberId, Waiting[]>()
  readonly #known = new Set<string>()
  #messages = 0
  #bytes = 0

  /** Messages in the waiting list and the deferred queue. */
  get length(): number {
    return this.#messages
  }

  has(batch: Batch): boolean {
    return this.#known.has(keyOf(batch))
  }

  /** `full` means that it was not taken; it will be asked for again. */
  add(batch: Batch, missing: OperationId): 'waiting' | 'deferred' | 'full' {
    const { length } = batch.messages
    if (this.#messages + length > WAITING_MESSAGES_MAX || this.#bytes + batch.plainBytes > WAITING_BYTES_MAX)
      return 'full'
    this.#count(batch, 1)
    this.#known.add(keyOf(batch))
    return this.#insert({ batch, missing }) ? 'waiting' : 'deferred'
  }

  /** Takes out what waited for `member` up to `seq`. The caller looks at each again and may put it back. */
  release(member: MemberId, seq: number): Batch[] {
    const blocked = this.#blockedBy.get(member)
    if (blocked === undefined) return []
    const released = blocked.filter((waiting) => waiting.missing.seq <= seq)
    for (const waiting of released) this.#remove(waiting)
    return released.map((waiting) => waiting.batch)
  }

  /** Forgets everything and returns it. */
  clear(): Batch[] {
    const batches = [...this.#blockedBy.values()].flat().map((waiting) => waiting.batch)
    this.#places.clear()
    this.#blockedBy.clear()
    this.#known.clear()
    this.#messages = 0
    this.#bytes = 0
    return batches
  }

  /** What is missing, by member. `held` tells the highest seq that is held of a member. */
  missing(held: (member: MemberId) => number): Gap[] {
    const gaps: Gap[] = []
    for (const [member, blocked] of this.#blockedBy) {
      const after = held(member)
      const through = Math.max(...blocked.map((waiting) => waiting.missing.seq))
      if (through > after) gaps.push({ member, after, through })
    }
    return gaps
  }

  /** The best claim of each place, in canonical order. */
  waiting(): Waiting[] {
    return [...this.#places.values()].flatMap((place) => place.best ?? []).sort(byOrder)
  }

  /** The beaten claims, in canonical order. */
  deferred(): Waiting[] {
    return [...this.#places.values()].flatMap((place) => place.beaten).sort(byOrder)
  }

  #insert(waiting: Waiting): boolean {
    const blocked = this.#blockedBy.get(waiting.missing.member)
    if (blocked === undefined) this.#blockedBy.set(waiting.missing.member, [waiting])
    else blocked.push(waiting)
    const key = placeOf(waiting.batch)
    let place = this.#places.get(key)
    if (place === undefined) this.#places.set(key, (place = new DeferredQueue()))
    return place.add(waiting)
  }

  #remove(waiting: Waiting): void {
    const { member } = waiting.missing
    const rest = (this.#blockedBy.get(member) ?? []).filter((other) => other !== waiting)
    if (rest.length === 0) this.#blockedBy.delete(member)
    else this.#blockedBy.set(member, rest)
    const key = placeOf(waiting.batch)
    const place = this.#places.get(key)
    place?.remove(waiting)
    if (place?.best === undefined) this.#places.delete(key)
    this.#known.delete(keyOf(waiting.batch))
    this.#count(waiting.batch, -1)
  }

  #count(batch: Batch, sign: 1 | -1): void {
    this.#messages += sign * batch.messages.length
    this.#bytes += sign * batch.plainBytes
  }
}

function placeOf(batch: Batch): string {
  const { current, previous } = firstOf(batch)
  return `${current.stage}|${previous.id === null ? '' : formatOperationId(previous.id)}`
}

/** The origin, the last seq and the content: two batches of one seq that differ are both kept until one is judged. */
function keyOf(batch: Batch): string {
  return `${formatOperationId(lastOf(batch).current.id)}|${batch.digest}`
}

function byOrder(left: Waiting, right: Waiting): number {
  return isBefore(left, right) ? -1 : 1
}
