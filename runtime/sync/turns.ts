import type { MemberId } from '../base/ids.ts'
import type { Turn } from './message.ts'

/**
 * The last request of each member on each link, so that whoever has recorded one cannot have it answered again and again.
 * Only requests whose signature was verified are noted: it holds as many entries as there are members and links.
 */
export class Turns {
  readonly #last = new Map<string, Turn>()

  /** @returns false if it is not newer than what was noted before */
  note(member: MemberId, link: string, turn: Turn): boolean {
    const key = `${member} ${link}`
    const last = this.#last.get(key)
    if (last !== undefined && !isLater(turn, last)) return false
    this.#last.set(key, turn)
    return true
  }
}

function isLater(turn: Turn, last: Turn): boolean {
  return turn.start !== last.start ? turn.start > last.start : turn.number > last.number
}
