import { type MemberId, type NodeId, nodeOf } from '../../runtime/base/ids.ts'
import type { Alarm } from '../../runtime/sync/output.ts'

/**
 * What a schedule did for which PROTOCOL states another outcome than for the rest. Nothing else is ever excused, and whoever
 * is not named here must keep all invariants.
 */
export class Allowances {
  /**
   * Set back: its disk was replaced by an older one (section 5). It may issue below what it announced until it hears the
   * fleet, and comes back as a draft; what only its lost disk held is lost (section 10, a sole holder restored). What it settles
   * before that may lack what it has issued since the backup (`floors.ts`), and it may come to lower cuts (`cuts.ts`).
   */
  readonly #setBack = new Set<NodeId>()
  /**
   * Cloned: two machines lead one life at a time (sections 5 and 10). One content of each operation id stands, the same one
   * everywhere, and the other goes to the conflict list; the machine that does not stand becomes a draft. Until then it may
   * have settled without what its double issued (I1 of its own; that of all others holds), and take for late what its double,
   * in its name, did not hold when a member was retired.
   */
  readonly #cloned = new Set<NodeId>()
  /** The lives that a backup or a clone took up again: what they announced before does not bind them (I4). */
  readonly #resumed = new Set<MemberId>()
  /**
   * Two operators made epochs of one number, each without knowing of the other (section 6). Each side may then settle without
   * the other, so that nothing can make them one again: it must not stay unsaid, and a further epoch ends it where it can.
   */
  #hasTwoOperators = false
  /**
   * An epoch was forced, since nobody was left who counts (section 6): what none of those held who count now is lost, also if
   * it was settled elsewhere, and whoever had settled it says so.
   */
  #isForced = false

  noteSetBack(node: NodeId): void {
    this.#setBack.add(node)
  }

  noteCloned(node: NodeId): void {
    this.#cloned.add(node)
  }

  noteResumed(member: MemberId): void {
    if (this.isExcused(nodeOf(member))) this.#resumed.add(member)
  }

  noteTwoOperators(): void {
    this.#hasTwoOperators = true
  }

  noteForced(): void {
    this.#isForced = true
  }

  get isForced(): boolean {
    return this.#isForced
  }

  get hasTwoOperators(): boolean {
    return this.#hasTwoOperators
  }

  isSetBack(node: NodeId): boolean {
    return this.#setBack.has(node)
  }

  isCloned(node: NodeId): boolean {
    return this.#cloned.has(node)
  }

  isResumed(member: MemberId): boolean {
    return this.#resumed.has(member)
  }

  isExcused(node: NodeId): boolean {
    return this.#setBack.has(node) || this.#cloned.has(node)
  }

  /** I2, and I3 of the alarm `cut-below-floor`: whether `node` may raise this alarm. */
  permits(alarm: Alarm, node: NodeId): boolean {
    switch (alarm.name) {
      case 'regressed':
        return this.isExcused(node)
      case 'welcome-doubted':
      case 'second-key':
      case 'token-overused':
        return false
      case 'late-operation':
        return this.isExcused(nodeOf(alarm.member)) || this.isCloned(node)
      case 'untrue-announcement':
      case 'identity-used-twice':
        return this.isExcused(nodeOf(alarm.member))
      case 'epoch-conflict':
      case 'divergence':
        return this.#hasTwoOperators
      case 'cut-below-floor':
        return this.#hasTwoOperators || this.#isForced
      case 'epoch-forced':
        return this.#isForced
      case 'newer-release':
        return false
      // True at any time; only where bounds are tight does it come to that.
      case 'journal-long':
        return true
    }
  }
}
