import type { MemberId } from '../base/ids.ts'
import type { Cell } from './cell.ts'
import type { Operation, Positioned } from './operation.ts'
import { comparePriority, type Priority } from './priority.ts'
import type { Yielded } from './yielded.ts'

/** So many at least share what they meet: for fewer a look at each costs no more. */
export const TAIL_MIN = 4

/**
 * Plain writes at the end of a chain of which one look tells that all yield to another writer: either all of them are applied, each
 * over the one before, or all yield already. Of two partitions that meet, every write of the higher one stands over all later ones
 * of the lower, and a late one over a whole history: at the cost of one, however many they are.
 */
export class YieldingTail {
  /** Position of the first in the chain. */
  from: number
  /** Behind the last. Others may have come behind it since. */
  to: number
  /** The one cell behind each of them: the same list in each of their executions. Null while they are applied. */
  after: [Cell] | null
  /** Those of them that have come to yield together: their executions are made when somebody looks at them. */
  together: Yielded | null = null
  /** The highest seq of each member that issued one of them, or that one of them replaces. Never too low. */
  readonly #seen = new Map<MemberId, number>()
  #floor = 0
  #priority: Priority | null = null

  constructor(from: number, after: [Cell] | null) {
    this.from = from
    this.to = from
    this.after = after
  }

  get length(): number {
    return this.to - this.from
  }

  /** The next of the chain is as they are. */
  take({ id, floor, priority, writes }: Operation): void {
    this.to += 1
    this.#see(id.member, id.seq)
    // Of its own member it has seen what lies below its seq, whatever it replaces.
    const replaces = writes[0]?.replaces ?? null
    if (replaces !== null && replaces.member !== id.member) this.#see(replaces.member, replaces.seq)
    this.#floor = Math.max(this.#floor, floor)
    if (this.#priority === null || comparePriority(priority, this.#priority) > 0) this.#priority = priority
  }

  /** Whether all of them surely yield to `writer`: none has seen it, and none is of its priority or a higher one. */
  yieldsTo(writer: Positioned): boolean {
    if (this.#priority === null || comparePriority(writer.priority, this.#priority) <= 0) return false
    return writer.stage > this.#floor && writer.id.seq > (this.#seen.get(writer.id.member) ?? 0)
  }

  #see(member: MemberId, seq: number): void {
    if (seq > (this.#seen.get(member) ?? 0)) this.#seen.set(member, seq)
  }
}
