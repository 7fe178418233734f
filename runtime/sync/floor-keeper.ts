import type { MemberId } from '../base/ids.ts'
import { type FloorView, possibleFloor } from './floor.ts'
import type { History } from './history.ts'
import type { Output } from './output.ts'
import type { Peers } from './peers.ts'
import { settle } from './settle.ts'
import { Tombstones } from './tombstones.ts'

/** Moves the floor as far as the rule allows, and lets go of tombstones that nobody needs. */
export class FloorKeeper {
  readonly #history: History
  readonly #peers: Peers
  readonly #tombstones: Tombstones
  #view: FloorView

  constructor(history: History, peers: Peers) {
    this.#history = history
    this.#peers = peers
    this.#tombstones = new Tombstones(history)
    this.#view = { stage: history.floor, hold: null }
  }

  /** How far the floor could go when it was looked at last, and who holds it. */
  get view(): FloorView {
    return this.#view
  }

  /**
   * @param storedStage the highest stage that we may state
   * @param firstUnsealedStage stage of our first operation that nobody else can hold yet, or null
   */
  advance(self: MemberId, storedStage: number, firstUnsealedStage: number | null): Output[] {
    this.#view = possibleFloor(this.#history, this.#peers, self, storedStage, firstUnsealedStage)
    const { stage } = this.#view
    if (stage <= this.#history.floor) return []
    const { paths, changes } = settle(this.#history, stage)
    this.#tombstones.follow(paths, this.#peers, self)
    return [{ kind: 'settled', floor: stage, changes }]
  }
}
