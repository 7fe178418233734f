import { unreachable } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import { Coverage, type FloorView, possibleFloor } from './floor.ts'
import type { Words } from './fulfilled.ts'
import type { History } from './history.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import type { Peer, Peers } from './peers.ts'
import { settle } from './settle.ts'
import { Tombstones } from './tombstones.ts'

/** Moves the floor as far as the rule allows, and lets go of tombstones that nobody needs. */
export class FloorKeeper {
  readonly #history: History
  readonly #peers: Peers
  readonly #tombstones: Tombstones
  readonly #coverage: Coverage
  #view: FloorView
  #lookedAt: Looked | null = null

  constructor(history: History, peers: Peers) {
    this.#history = history
    this.#peers = peers
    this.#tombstones = new Tombstones(history)
    this.#coverage = new Coverage(history)
    this.#view = { stage: history.floor, hold: null }
  }

  /** How far the floor could go when it was looked at last, and who holds it. */
  get view(): FloorView {
    return this.#view
  }

  /**
   * Whether the member that held the floor when we looked last still does: only its own next announcement, or what it has announced, can change that.
   * The whole look costs members times members, and it would be taken at every commit.
   */
  isHeldStill(self: MemberId): boolean {
    const { hold } = this.#view
    if (hold === null || this.#lookedAt === null) return false
    if (this.#lookedAt.self !== self || this.#lookedAt.revision !== this.#history.revision) return false
    const isSilent = this.#lookedAt.holder === this.#holder()
    switch (hold.reason) {
      case 'not heard yet':
      case 'it lacks operations that we hold':
      case 'its stage':
        return isSilent
      case 'we lack operations of it':
        return isSilent && this.#lookedAt.words === this.#words()
      // These change with what we hold, or with the epoch.
      case 'its epoch':
      case 'it has not said what it holds of the retired':
      case 'we lack operations below its cut':
        return false
      default:
        return unreachable(hold.reason)
    }
  }

  /**
   * @param storedStage the highest stage that we may state
   * @param firstUnsealedStage stage of our first operation that nobody else can hold yet, or null
   */
  advance(self: MemberId, storedStage: number, firstUnsealedStage: number | null): readonly Output[] {
    this.#view = possibleFloor(
      this.#history,
      this.#peers,
      self,
      storedStage,
      firstUnsealedStage,
      this.#coverage,
      this.#view.hold?.member,
    )
    this.#lookedAt = { self, revision: this.#history.revision, holder: this.#holder(), words: this.#words() }
    const { stage } = this.#view
    if (stage <= this.#history.floor) return NO_OUTPUTS
    const { paths, changes } = settle(this.#history, stage)
    this.#tombstones.follow(paths, this.#peers, self)
    return [{ kind: 'settled', floor: stage, changes }]
  }

  #holder(): Peer | undefined {
    return this.#view.hold === null ? undefined : this.#peers.get(this.#view.hold.member)
  }

  /** They are others when what it has announced has come. */
  #words(): Words | null {
    return this.#view.hold === null ? null : this.#peers.wordsOf(this.#history.log(this.#view.hold.member))
  }
}

/** What a look at the floor has seen, besides what only grows. */
interface Looked {
  readonly self: MemberId
  readonly revision: number
  /** What the member that held the floor had said last. */
  readonly holder: Peer | undefined
  /** What counted of all that it had said. */
  readonly words: Words | null
}
