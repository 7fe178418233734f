import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'

/**
 * Who holds something else than we, and whether that was so when it spoke last. A new difference is met by announcements in quick
 * succession, since frames get lost; one that stays is not: whoever can store nothing would have everybody speak for ever.
 */
export class Differences {
  /** By member, the digest of its version vector and ours. It holds as many entries as there are members. */
  readonly #met = new Map<MemberId, string>()
  #isNew = false

  note(member: MemberId, theirs: Digest, ours: Digest): void {
    const difference = `${theirs} ${ours}`
    this.#isNew ||= this.#met.get(member) !== difference
    this.#met.set(member, difference)
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
