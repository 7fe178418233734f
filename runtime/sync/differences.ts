import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'

/** How often a difference is met as a new one: frames get lost, and whoever has just started may not speak before it hears a vector. */
const TIMES_MAX = 16

/**
 * Who holds something else than we, and whether that was so when it spoke last. A new difference is met by announcements in quick
 * succession, since frames get lost; one that stays is not: whoever can store nothing would have everybody speak for ever.
 */
export class Differences {
  /** By member, the digest of its version vector and ours. It holds as many entries as there are members. */
  readonly #met = new Map<MemberId, { readonly difference: string; readonly times: number }>()
  #isNew = false

  note(member: MemberId, theirs: Digest, ours: Digest): void {
    const difference = `${theirs} ${ours}`
    const met = this.#met.get(member)
    const times = met?.difference === difference ? met.times + 1 : 1
    this.#isNew ||= times <= TIMES_MAX
    this.#met.set(member, { difference, times })
  }

  /** Whether any was met first since this was asked for last. */
  takeNew(): boolean {
    const isNew = this.#isNew
    this.#isNew = false
    return isNew
  }

  forget(): void {
    this.#met.clear()
  }
}
