import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import { WITNESS_MARKS_MAX, WITNESSES_MAX } from '../base/limits.ts'
import type { History } from './history.ts'
import type { Announcement } from './message.ts'
import type { Signatures } from './signatures.ts'
import { stateDigest } from './state-digest.ts'
import type { FloorMark } from './stored-floor.ts'

/**
 * - `believed`: nothing speaks against a welcome.
 * - `doubted`: at least as many members have another state at its floor as have the same.
 * - `unheard`: what members had said may have been lost among forged announcements. They are told apart by the keys of this welcome
 *   from now on, so that the next one is weighed by all that they say.
 */
export type Testimony = 'believed' | 'doubted' | 'unheard'

/**
 * What members have announced of their settled state where this node is no member, and knows few of their keys. With the keys
 * of a welcome they bear witness for it or against it, so that no sponsor alone says what the state is.
 */
export class Witnesses {
  readonly #signatures: Signatures
  /** Of the members of each welcome that was weighed: they are traced to the operator, whoever offered it. */
  readonly #keys = new Map<MemberId, Uint8Array>()
  /** The last marks of members that have surely said so: whatever others send, these stay. */
  readonly #proven = new Map<MemberId, readonly FloorMark[]>()
  /** The newest announcement of each whose key is not known: anybody can have made it. */
  readonly #unproven = new Map<MemberId, Announcement>()
  #hasForgotten = false
  #against: readonly MemberId[] = []

  constructor(signatures: Signatures) {
    this.#signatures = signatures
  }

  /** @param problem why it is not from whom it says, `unknown` while the key of that one is not held, or null */
  note(announcement: Announcement, problem: string | null): void {
    const { member, state, sealed } = announcement
    const key = this.#keys.get(member)
    if (state === undefined || (problem !== null && problem !== 'unknown')) return
    // In a fleet without keys nothing is proven.
    if (problem === null && sealed !== undefined) this.#prove(member, state)
    else if (key === undefined) this.#keep(announcement)
    else if (this.#signatures.isAnnouncementBy(key, announcement)) this.#prove(member, state)
  }

  /** Who has said something else than the last welcome that was weighed: of these and its sponsor somebody lies. */
  get against(): readonly MemberId[] {
    return this.#against
  }

  clear(): void {
    this.#keys.clear()
    this.#proven.clear()
    this.#unproven.clear()
    this.#hasForgotten = false
  }

  /** @param fresh the history of a welcome, whose members are traced to the operator */
  weigh(fresh: History): Testimony {
    const isLost = this.#signatures.areInUse && this.#learnKeys(fresh)
    const said = this.#digestsAt(fresh)
    const digest = said.length === 0 ? null : stateDigest(fresh.local)
    this.#against = said.flatMap((one) => (one.digest === digest ? [] : [one.member]))
    const others = this.#against.length
    if (others > 0 && 2 * others >= said.length) return 'doubted'
    return isLost ? 'unheard' : 'believed'
  }

  #prove(member: MemberId, state: FloorMark): void {
    const others = (this.#proven.get(member) ?? []).filter(({ stage }) => stage !== state.stage)
    this.#proven.set(member, [...others, state].slice(-WITNESS_MARKS_MAX))
  }

  #keep(announcement: Announcement): void {
    const { member, vector } = announcement
    this.#unproven.delete(member)
    this.#unproven.set(member, vector === null ? announcement : { ...announcement, vector: null })
    for (const oldest of this.#unproven.keys()) {
      if (this.#unproven.size <= WITNESSES_MAX) break
      this.#unproven.delete(oldest)
      this.#hasForgotten = true
    }
  }

  /** @returns whether forged announcements may have pushed out any of a member whose key was not known until now */
  #learnKeys({ membership }: History): boolean {
    let hasLearned = false
    let isForged = false
    for (const { id, key } of membership.list()) {
      hasLearned ||= !this.#keys.has(id)
      this.#keys.set(id, key)
      const heard = this.#unproven.get(id)
      if (heard?.state === undefined) continue
      this.#unproven.delete(id)
      if (this.#signatures.isAnnouncementBy(key, heard)) this.#prove(id, heard.state)
      else isForged = true
    }
    const isFlooded = this.#hasForgotten && this.#unproven.size > 0
    this.#hasForgotten = false
    return hasLearned && (isForged || isFlooded)
  }

  /** What its members have said of the state at its floor. */
  #digestsAt({ floor, membership, retirement }: History): Said[] {
    return membership.list().flatMap(({ id }) => {
      const heard = this.#unproven.get(id)?.state
      const marks = this.#proven.get(id) ?? (heard === undefined ? [] : [heard])
      const mark = retirement.isRetired(id) ? undefined : marks.find(({ stage }) => stage === floor)
      return mark === undefined ? [] : [{ member: id, digest: mark.digest }]
    })
  }
}

interface Said {
  readonly member: MemberId
  readonly digest: Digest
}
