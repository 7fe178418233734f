import type { MemberId } from '../base/ids.ts'
import type { Turn } from './message.ts'

/**
 * The last request of each member on each link, so that whoever has recorded one cannot have it answered again and again: of its
 * two newest starts, since of two clones the one that has started less often may be the one that stands.
 * Only requests whose signature was verified are noted: it holds as many entries as there are members and links.
 */
export class Turns {
  readonly #last = new Map<string, readonly Turn[]>()

  /** @returns false if it is not newer than what was noted before */
  note(member: MemberId, link: string, turn: Turn): boolean {
    const key = `${member} ${link}`
    const known = this.#last.get(key) ?? []
    const other = known.filter(({ start }) => start !== turn.start)
    const last = known.find(({ start }) => start === turn.start)
    if (last !== undefined && turn.number <= last.number) return false
    if (last === undefined && other.length === STARTS && other.every(({ start }) => start > turn.start)) return false
    const newestFirst = [turn, ...other].toSorted((left, right) => right.start - left.start)
    this.#last.set(key, newestFirst.slice(0, STARTS))
    return true
  }
}

/** How many starts are told apart. */
const STARTS = 2
