import type { MemberId } from '../base/ids.ts'
import type { Path } from '../state/path.ts'
import { stageSeenByAll } from './floor.ts'
import type { History } from './history.ts'
import type { Peers } from './peers.ts'

/** Settled deletions. A tombstone goes when nobody can come any more who has not seen it (PROTOCOL section 7). */
export class Tombstones {
  readonly #history: History
  /** The stage of the deletion. */
  readonly #stages = new Map<Path, number>()

  constructor(history: History) {
    this.#history = history
    for (const register of history.local.registers()) this.#note(register.path)
  }

  /** @param settled points that the floor has just settled */
  follow(settled: readonly Path[], peers: Peers, self: MemberId): void {
    for (const path of settled) this.#note(path)
    if (this.#stages.size === 0) return
    const seenByAll = stageSeenByAll(this.#history, peers, self)
    for (const [path, stage] of this.#stages) {
      if (stage > seenByAll) continue
      this.#stages.delete(path)
      this.#history.local.forget(path)
    }
  }

  #note(path: Path): void {
    const cell = this.#history.local.settledCell(path)
    if (cell.value === undefined && cell.writer !== null) this.#stages.set(path, cell.writer.stage)
    else this.#stages.delete(path)
  }
}
