import type { Digest } from '../base/digest.ts'
import { formatOperationId, type MemberId, type OperationId, sameOperationId } from '../base/ids.ts'
import {
  WAITING_BYTES_MAX,
  WAITING_MESSAGES_MAX,
  WAITING_STRANGER_BYTES_MAX,
  WAITING_STRANGER_MESSAGES_MAX,
  WAITING_STRANGERS_BYTES_MAX,
  WAITING_STRANGERS_MESSAGES_MAX,
} from '../base/limits.ts'
import { DeferredQueue, isBefore, type Waiting } from './deferred-queue.ts'
import { batchMemoryBytes } from './memory-bound.ts'
import { type Batch, firstOf, type Gap, lastOf } from './message.ts'

export type { Waiting } from './deferred-queue.ts'

/** What became of a batch that cannot be executed yet. */
export type Waits = 'waiting' | 'full' | 'full of strangers'

/**
 * The waiting list: batches of members that are ahead of us. One place for each (stage, previous operation); who loses a
 * place goes to the deferred queue of that place. Each is found again by what it waits for, and released by that alone: who claims
 * which place is put together when somebody looks.
 */
export class WaitingList {
  /** By the member whose operation is missing, then in the order of its seqs: who becomes ready stands in front. */
  readonly #blockedBy = new Map<MemberId, Loaded[]>()
  /** By its digest, which tells contents apart. */
  readonly #known = new Map<Digest, Batch>()
  readonly #total = new Load()
  /** What of it waits for the join of its own member: of all such members together, and of each. */
  readonly #strangers = new Load()
  readonly #strangerLoads = new Map<MemberId, Load>()

  /** Messages in the waiting list and the deferred queue. */
  get length(): number {
    return this.#total.messages
  }

  has(batch: Batch): boolean {
    const known = this.#known.get(batch.digest)
    return known !== undefined && sameOperationId(lastOf(known).current.id, lastOf(batch).current.id)
  }

  /** A full one has not taken it; it will be asked for again, of a stranger when its join is here. */
  add(batch: Batch, missing: OperationId): Waits {
    const waiting = { batch, missing, bytes: batchMemoryBytes(batch) }
    if (!this.#total.hasRoomFor(waiting, WAITING_MESSAGES_MAX, WAITING_BYTES_MAX)) return 'full'
    if (isStranger(waiting) && !this.#hasRoomForStranger(waiting)) return 'full of strangers'
    this.#count(waiting, 1)
    this.#known.set(batch.digest, batch)
    this.#insert(waiting)
    return 'waiting'
  }

  /** Takes out what waited for `member` up to `seq`. The caller looks at each again and may put it back. */
  release(member: MemberId, seq: number): readonly Batch[] {
    const blocked = this.#blockedBy.get(member)
    if (blocked === undefined) return NONE
    let count = 0
    while (count < blocked.length && (blocked[count] as Loaded).missing.seq <= seq) count += 1
    if (count === 0) return NONE
    const released = blocked.splice(0, count)
    if (blocked.length === 0) this.#blockedBy.delete(member)
    for (const waiting of released) this.#leave(waiting)
    return released.map((waiting) => waiting.batch)
  }

  /** Forgets what waits for the join of its own member. Once that is here, the operations are asked for like any that are missing. */
  forgetStrangers(): readonly Batch[] {
    const strangers: Loaded[] = []
    for (const [member, blocked] of this.#blockedBy) {
      const others = blocked.filter((waiting) => !isStranger(waiting))
      if (others.length === blocked.length) continue
      strangers.push(...blocked.filter(isStranger))
      if (others.length > 0) this.#blockedBy.set(member, others)
      else this.#blockedBy.delete(member)
    }
    for (const waiting of strangers) this.#leave(waiting)
    return strangers.map(({ batch }) => batch)
  }

  /** Forgets everything and returns it. */
  clear(): Batch[] {
    const batches = [...this.#blockedBy.values()].flat().map((waiting) => waiting.batch)
    this.#blockedBy.clear()
    this.#known.clear()
    this.#strangerLoads.clear()
    for (const load of [this.#total, this.#strangers]) load.clear()
    return batches
  }

  /**
   * What is missing, by member. `held` tells the highest seq that is held of a member. Who waits for a join asks for the first
   * operation of its member: whoever knows that the join was cut answers with that.
   */
  missing(held: (member: MemberId) => number): Gap[] {
    const gaps: Gap[] = []
    for (const [member, blocked] of this.#blockedBy) {
      const after = held(member)
      const through = lastMissing(blocked)
      if (through > after) gaps.push({ member, after, through })
    }
    return gaps
  }

  /** Whether anything is missing, as `isMissing` judges it. */
  isMissingAny(isMissing: (member: MemberId, seq: number) => boolean): boolean {
    for (const [member, blocked] of this.#blockedBy) {
      if (isMissing(member, lastMissing(blocked))) return true
    }
    return false
  }

  /** The best claim of each place, in canonical order. */
  waiting(): Waiting[] {
    return this.#places()
      .flatMap((place) => place.best ?? [])
      .sort(byOrder)
  }

  /** The beaten claims, in canonical order, each with the best one of its place. */
  deferred(): Deferred[] {
    return this.#places()
      .flatMap((place) => deferredAt(place))
      .sort(byOrder)
  }

  #places(): DeferredQueue[] {
    const places = new Map<string, DeferredQueue>()
    for (const waiting of [...this.#blockedBy.values()].flat()) {
      const name = placeOf(waiting.batch)
      let place = places.get(name)
      if (place === undefined) places.set(name, (place = new DeferredQueue()))
      place.add(waiting)
    }
    return [...places.values()]
  }

  #insert(waiting: Loaded): void {
    const blocked = this.#blockedBy.get(waiting.missing.member)
    if (blocked === undefined) this.#blockedBy.set(waiting.missing.member, [waiting])
    else blocked.splice(positionOf(waiting.missing.seq, blocked), 0, waiting)
  }

  #leave(waiting: Loaded): void {
    this.#known.delete(waiting.batch.digest)
    this.#count(waiting, -1)
  }

  #hasRoomForStranger(waiting: Loaded): boolean {
    const own = this.#strangerLoads.get(waiting.batch.origin) ?? new Load()
    return (
      own.hasRoomFor(waiting, WAITING_STRANGER_MESSAGES_MAX, WAITING_STRANGER_BYTES_MAX) &&
      this.#strangers.hasRoomFor(waiting, WAITING_STRANGERS_MESSAGES_MAX, WAITING_STRANGERS_BYTES_MAX)
    )
  }

  #count(waiting: Loaded, sign: 1 | -1): void {
    const { origin } = waiting.batch
    this.#total.count(waiting, sign)
    if (!isStranger(waiting)) return
    const own = this.#strangerLoads.get(origin) ?? new Load()
    for (const load of [this.#strangers, own]) load.count(waiting, sign)
    if (own.messages === 0) this.#strangerLoads.delete(origin)
    else this.#strangerLoads.set(origin, own)
  }
}

/** A claim that was beaten, and by which. */
export interface Deferred extends Waiting {
  readonly behind: Batch
}

function deferredAt({ best, beaten }: DeferredQueue): Deferred[] {
  return best === undefined ? [] : beaten.map((waiting) => ({ ...waiting, behind: best.batch }))
}

interface Loaded extends Waiting {
  /** What it is worth in memory. */
  readonly bytes: number
}

/** Messages and bytes of batches that wait. */
class Load {
  messages = 0
  bytes = 0

  hasRoomFor({ batch, bytes }: Loaded, messagesMax: number, bytesMax: number): boolean {
    return this.messages + batch.messages.length <= messagesMax && this.bytes + bytes <= bytesMax
  }

  count({ batch, bytes }: Loaded, sign: 1 | -1): void {
    this.messages += sign * batch.messages.length
    this.bytes += sign * bytes
  }

  clear(): void {
    this.messages = 0
    this.bytes = 0
  }
}

/** It waits for the join of its own member: anybody can send such. */
function isStranger({ batch, missing }: Waiting): boolean {
  return missing.seq === 0 && missing.member === batch.origin
}

const NONE: readonly Batch[] = []

/** The highest seq that any of them waits for; of a join, the first operation of its member. */
function lastMissing(blocked: readonly Waiting[]): number {
  return Math.max(1, blocked.at(-1)?.missing.seq ?? 0)
}

/** Behind all that wait for `seq` or an earlier operation. */
function positionOf(seq: number, blocked: readonly Waiting[]): number {
  let low = 0
  let high = blocked.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((blocked[middle] as Waiting).missing.seq <= seq) low = middle + 1
    else high = middle
  }
  return low
}

function placeOf(batch: Batch): string {
  const { current, previous } = firstOf(batch)
  return `${current.stage}|${previous.id === null ? '' : formatOperationId(previous.id)}`
}

function byOrder(left: Waiting, right: Waiting): number {
  return isBefore(left, right) ? -1 : 1
}
